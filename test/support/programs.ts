/**
 * Runs the built programs of the service as an operator does. There is no time limit, because a busy machine may be
 * slow.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { fileURLToPath } from 'node:url'

export interface Run {
  code: number
  stdout: string
  stderr: string
}

/**
 * Running programs are killed with this process: tap may end a test by its limit, and its teardown does not run then.
 */
const running = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** Runs a file of dist/src to its end, with no environment variables but the given ones. */
export function runProgram(file: string, args: readonly string[], variables: Record<string, string>): Promise<Run> {
  const path = fileURLToPath(new URL(`../../dist/src/${file}`, import.meta.url))
  const env = { PATH: process.env.PATH, ...variables }
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [path, ...args], { env }, (error, stdout, stderr) => {
      running.delete(child)
      resolve({ code: error ? Number(error.code ?? -1) : 0, stdout, stderr })
    })
    running.add(child)
  })
}

export interface Session {
  /** Returns the screen contents so far. */
  screen(): string
  /** Resolves when the screen shows the text. Rejects if the program ends before that. */
  shows(text: string): Promise<void>
  /** Types the text; `\x03` is Ctrl-C. */
  type(text: string): void
  /** Resolves to the exit code of the program when it ends. */
  ended: Promise<number>
}

/** Runs a file of dist/src on a terminal, which `script` of util-linux makes. */
export function runOnTerminal(
  t: { teardown(handler: () => unknown): void },
  file: string,
  args: readonly string[],
  variables: Record<string, string>
): Session {
  const path = fileURLToPath(new URL(`../../dist/src/${file}`, import.meta.url))
  const command = `exec ${[process.execPath, path, ...args].map((word) => `'${word}'`).join(' ')}`
  const env = { PATH: process.env.PATH, TERM: 'xterm-256color', SHELL: '/bin/sh', ...variables }
  const child = spawn('script', ['--quiet', '--return', '--flush', '--command', command, '/dev/null'], { env })
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

  async function shows(text: string): Promise<void> {
    const over = ended.then(() => 'over')
    while (!shown().includes(text)) {
      if ((await Promise.race([once(arrivals, 'more'), over])) === 'over' && !shown().includes(text)) {
        throw new Error(`it ended without showing ${text}:\n${screen}`)
      }
    }
  }
  running.add(child)
  t.teardown(async () => {
    child.kill()
    await ended
    running.delete(child)
  })
  return { screen: shown, shows, type: (text) => child.stdin.write(text), ended }
}
