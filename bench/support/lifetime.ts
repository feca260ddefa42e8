/** Ends a bench in every case: stops each process it started by its own id, and removes its directory. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface Lifetime {
  /** The directory for the files of this run. */
  directory: string
  /** Registers a handler for the end of the section; handlers run in reverse order. */
  ends(handler: () => unknown): void
  /** Registers a handler for the end of the run. */
  endsRun(handler: () => unknown): void
  /** Stops everything that was started so far, so that it does not disturb the next measurement. */
  endSection(): Promise<void>
  end(): Promise<void>
  isOver(): boolean
}

/** Creates a lifetime that ends on SIGINT, SIGTERM or SIGHUP, and at the latest after `limitSeconds`. */
export function createLifetime(limitSeconds: number): Lifetime {
  const directory = mkdtempSync(join(tmpdir(), 'grantd-bench-'))
  const ofSection: (() => unknown)[] = []
  const ofRun: (() => unknown)[] = []
  let isOver = false

  async function runAll(handlers: (() => unknown)[]): Promise<void> {
    for (let handler = handlers.pop(); handler; handler = handlers.pop()) {
      try {
        await handler()
      } catch (error) {
        // A handler that fails must not keep the other processes from being stopped.
        console.error(error)
      }
    }
  }

  const endSection = () => runAll(ofSection)

  async function end(): Promise<void> {
    isOver = true
    await endSection()
    await runAll(ofRun)
    rmSync(directory, { recursive: true, force: true })
  }

  const stop = (why: string) => {
    // A second signal exits at once, because a handler may hang.
    if (isOver) process.exit(1)
    console.error(`\nbench: ${why}, stopping`)
    end().finally(() => process.exit(1))
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop(signal))
  setTimeout(() => stop(`not done in ${limitSeconds} s`), limitSeconds * 1000).unref()

  return {
    directory,
    ends: (handler) => ofSection.push(handler),
    endsRun: (handler) => ofRun.push(handler),
    endSection,
    end,
    isOver: () => isOver
  }
}
