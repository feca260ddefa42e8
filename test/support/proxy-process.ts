/** What the proxies of the tests have in common: a configuration of which parts are replaced, and a process that logs to its output. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { killedAtExit } from './killed-at-exit.js'
import { until } from './until.js'

export type Torn = { teardown(handler: () => unknown): void }

/** Replaces a part of a configuration that a test cannot use. Throws if it is not there. */
export function replaceIn(text: string, pattern: RegExp, by: string): string {
  const replaced = text.replace(pattern, by)
  if (replaced === text) throw new Error(`the configuration has no ${pattern}`)
  return replaced
}

export interface ProxyProcess {
  command: string
  args: readonly string[]
  /** Where it runs. It is removed with it. */
  directory: string
  env: NodeJS.ProcessEnv
  port: number
}

/** Starts a proxy, and resolves once it takes connections, to what it has logged so far. The test stops it. */
export async function startProxy(
  t: Torn,
  { command, args, directory, env, port }: ProxyProcess
): Promise<() => string> {
  const child = killedAtExit(spawn(command, args, { cwd: directory, env, stdio: ['ignore', 'pipe', 'pipe'] }))
  // One that is not installed must fail the test and not skip it.
  child.on('error', (error) => {
    throw error
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (piece) => {
      output += piece
    })
  }
  const exited = once(child, 'exit')
  t.teardown(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM')
    await exited
    await rm(directory, { recursive: true, force: true })
  })
  await until(async () => {
    if (child.exitCode !== null) throw new Error(`${command} did not start:\n${output}`)
    return takesConnections(port)
  })
  return () => output
}

export function takesConnections(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.on('connect', () => resolve(true)).on('error', () => resolve(false))
    socket.on('connect', () => socket.destroy())
  })
}
