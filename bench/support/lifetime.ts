/** How a bench ends, whichever way: every process it started is stopped by its own id, and its directory goes. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface Lifetime {
  /** For files of this run. */
  directory: string
  /** Has something done when a section ends; the last one first. */
  ends(handler: () => unknown): void
  /** Stops what was started so far, so that it does not disturb what is measured next. */
  endSection(): Promise<void>
  end(): Promise<void>
  isOver(): boolean
}

/** A run ends on its own, on Ctrl-C, and in any case after `limitSeconds`. */
export function createLifetime(limitSeconds: number): Lifetime {
  const directory = mkdtempSync(join(tmpdir(), 'grantd-bench-'))
  const handlers: (() => unknown)[] = []
  let isOver = false

  async function endSection(): Promise<void> {
    for (let handler = handlers.pop(); handler; handler = handlers.pop()) {
      try {
        await handler()
      } catch (error) {
        // One that fails must not keep the others from being stopped.
        console.error(error)
      }
    }
  }

  async function end(): Promise<void> {
    isOver = true
    await endSection()
    rmSync(directory, { recursive: true, force: true })
  }

  const stop = (why: string) => {
    // Asked a second time, it does not wait for what would not end.
    if (isOver) process.exit(1)
    console.error(`\nbench: ${why}, stopping`)
    end().finally(() => process.exit(1))
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop(signal))
  setTimeout(() => stop(`not done in ${limitSeconds} s`), limitSeconds * 1000).unref()

  return { directory, ends: (handler) => handlers.push(handler), endSection, end, isOver: () => isOver }
}
