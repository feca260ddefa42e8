/** The service's programs, built, as an operator runs them: each to its end, however long a busy machine takes for it. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { fileURLToPath } from 'node:url'

export interface Run {
  code: number
  stdout: string
  stderr: string
}

/** One that does not end must not outlive the test that its limit has ended. */
const running = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** Runs a file of dist/src with nothing in its environment but what a test says. */
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
  /** What the terminal shows so far. */
  screen(): string
  /** Waits until it shows something, however long that takes on a busy machine. Fails when the program has ended before. */
  shows(text: string): Promise<void>
  /** Types something; `\x03` is Ctrl-C. */
  type(text: string): void
  /** The program's exit code, when it has ended. */
  ended: Promise<number>
}

/** Runs a file of dist/src on a terminal of its own, which `script` of util-linux makes. */
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
