/** The service's programs, built, as an operator runs them: each to its end, however long a busy machine takes for it. */
import { type ChildProcess, execFile } from 'node:child_process'
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
