/** Runs the built service as a separate process, as an operator does. */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { GRANTD_SECRET } from './app.js'
import { killedAtExit } from './killed-at-exit.js'
import { commandAt, LOOPBACK, type Place } from './place.js'
import { freePort } from './ports.js'
import { inRoot } from './root.js'
import { DASHBOARD_SECRET } from './tokens.js'
import { until } from './until.js'

const SERVER = inRoot('dist/src/server.js')

export interface Service {
  url: string
  port: number
  process: ChildProcess
  /** Returns everything that the process has written. */
  output(): string
  /** Sends the signal and resolves to the exit code when the process has ended. */
  stop(signal?: NodeJS.Signals): Promise<number | null>
}

/**
 * Starts the service on a free port and waits for its first answer. The test kills it if it still runs. `server` is the file of
 * another build, `place` where it runs.
 */
export async function startService(
  t: { teardown(handler: () => unknown): void },
  variables: Record<string, string> = {},
  server = SERVER,
  place: Place = LOOPBACK
): Promise<Service> {
  const port = variables.PORT ? Number(variables.PORT) : await freePort()
  const env = {
    PATH: process.env.PATH,
    DASHBOARD_JWT_SECRET: DASHBOARD_SECRET,
    GRANTD_SECRET,
    ...(place !== LOOPBACK && { HOST: '0.0.0.0' }),
    ...variables,
    PORT: `${port}`
  }
  const command = commandAt(place, process.execPath, ['--enable-source-maps', server])
  const child = killedAtExit(spawn(...command, { env, stdio: ['ignore', 'pipe', 'pipe'] }))
  let output = ''
  child.stdout.on('data', (data) => {
    output += data
  })
  child.stderr.on('data', (data) => {
    output += data
  })
  const exited = once(child, 'exit')
  const isOver = () => child.exitCode !== null || child.signalCode !== null

  async function stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    if (!isOver()) child.kill(signal)
    await exited
    return child.exitCode
  }
  t.teardown(() => stop('SIGKILL'))

  const url = `http://${place.host}:${port}`
  // There is no time limit, because a busy machine may be slow. A service that cannot start ends, which stops the loop.
  while (!isOver()) {
    const answers = await fetch(`${url}/healthz`).then(
      (answer) => answer.ok,
      () => false
    )
    if (answers) return { url, port, process: child, output: () => output, stop }
    await sleep(50)
  }
  throw new Error(`the service ended at once:\n${output}`)
}

/** The same, once it is connected to Redis, for which a start waits three seconds and not longer. */
export const startConnectedService: typeof startService = async (...how) => {
  const service = await startService(...how)
  await until(async () => (await fetch(`${service.url}/readyz`)).status === 200)
  return service
}
