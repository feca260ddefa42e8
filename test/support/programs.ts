/** Runs the built programs of the service as an operator does, and waits for their end without a limit of its own. */

import { execFile, spawn } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { killedAtExit } from './killed-at-exit.js'
import { inRoot, root } from './root.js'

export interface Run {
  code: number
  stdout: string
  stderr: string
}

/** Runs a file of dist/src. Its environment holds only what the test passes. The signal kills it at once. */
export function runProgram(
  file: string,
  args: readonly string[],
  variables: Record<string, string>,
  signal?: AbortSignal
): Promise<Run> {
  const path = inRoot(`dist/src/${file}`)
  const env = { PATH: process.env.PATH, ...variables }
  return new Promise((resolve) => {
    const options = { env, signal, killSignal: 'SIGKILL' } as const
    const child = execFile(process.execPath, [path, ...args], options, (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code) || -1 : 0, stdout, stderr })
    })
    killedAtExit(child)
  })
}

export interface Session {
  /** Returns the output of the terminal so far. */
  screen(): string
  /**
   * Waits without a limit until the output matches, and resolves to the match. Rejects when the program ends before that.
   */
  shows(text: string | RegExp): Promise<string>
  /** Writes to the terminal's input; `\x03` is Ctrl-C. */
  type(text: string): void
  /** Resolves to the program's exit code at its end. */
  ended: Promise<number>
}

type Teardown = { teardown(handler: () => unknown): void }

/** Runs a file of dist/src on a pseudo-terminal. */
export function runOnTerminal(
  t: Teardown,
  file: string,
  args: readonly string[],
  variables: Record<string, string>
): Session {
  const path = inRoot(`dist/src/${file}`)
  return typeOnTerminal(t, `exec ${[process.execPath, path, ...args].map((word) => `'${word}'`).join(' ')}`, variables)
}

/** Runs a command line in the project's folder on a pseudo-terminal, which `script` of util-linux makes. */
export function typeOnTerminal(t: Teardown, line: string, variables: Record<string, string>): Session {
  const env = { PATH: process.env.PATH, TERM: 'xterm-256color', SHELL: '/bin/sh', ...variables }
  const args = ['--quiet', '--return', '--flush', '--command', line, '/dev/null']
  const child = killedAtExit(spawn('script', args, { cwd: root, env }))
  let screen = ''
  const shown = () => screen.replaceAll('\r\n', '\n')
  const arrivals = new EventEmitter()
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (data) => {
      screen += data
      arrivals.emit('more')
    })
  }
  const ended = once(child, 'close').then(([code]) => Number(code ?? -1))
  // What is typed while the program ends reaches nobody.
  child.stdin.on('error', () => {})

  async function shows(text: string | RegExp): Promise<string> {
    const over = ended.then(() => 'over')
    for (let isOver = false; ; ) {
      const found = typeof text === 'string' ? shown().includes(text) && text : text.exec(shown())?.[0]
      if (found) return found
      if (isOver) throw new Error(`it ended without showing ${text}:\n${screen}`)
      isOver = (await Promise.race([once(arrivals, 'more'), over])) === 'over'
    }
  }
  t.teardown(async () => {
    child.kill()
    await ended
  })
  return { screen: shown, shows, type: (text) => child.stdin.write(text), ended }
}
