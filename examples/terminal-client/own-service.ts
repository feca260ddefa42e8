/**
 * A service of the demo's own: the built server as a child process, on the loopback, with everything in memory and
 * secrets made up for this once. Its log is kept to itself unless it fails.
 */
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { portOf } from './address.js'
import { keepSecret } from './session-secret.js'

const SERVER = fileURLToPath(new URL('../../dist/src/server.js', import.meta.url))
const STOP_WITHIN_MS = 5_000
const LOG_KEPT = 2_000
/** What the child gets of our environment: enough to run, and the settings that make a demo shorter. */
const HANDED_ON = ['PATH', 'SystemRoot', 'TZ', 'POLL_INTERVAL_SECONDS', 'GRANT_TTL_SECONDS']

export interface OwnService {
  /** Lets a second terminal sign in, as long as the service lives. */
  keepSecret(): void
  /** Ends the child and waits until it is gone. */
  stop(): Promise<void>
}

/** Spawns the service; it takes a moment until it answers. `onLost` hears why, should it end by itself. */
export function startService(address: URL, onLost: (error: Error) => void): OwnService {
  const port = portOf(address)
  const secret = randomBytes(32).toString('base64url')
  const env = {
    ...Object.fromEntries(HANDED_ON.map((name) => [name, process.env[name]])),
    HOST: address.hostname === '[::1]' ? '::1' : '127.0.0.1',
    PORT: `${port}`,
    DASHBOARD_JWT_SECRET: secret,
    LOG_LEVEL: 'warn'
  }
  const child = spawn(process.execPath, ['--enable-source-maps', SERVER], { env, stdio: ['ignore', 'pipe', 'pipe'] })

  let log = ''
  const remember = (data: Buffer) => {
    log = (log + data).slice(-LOG_KEPT)
  }
  child.stdout.on('data', remember)
  child.stderr.on('data', remember)

  let isStopping = false
  const ended = new Promise<void>((resolve) => {
    const end = (how: string) => {
      if (!isStopping) onLost(new Error(`the service of the demo ended by itself (${how})\n${log}`.trim()))
      resolve()
    }
    child.once('close', (code, signal) => end(signal ?? `exit code ${code}`))
    child.once('error', (error) => end(error.message))
  })

  let forgetSecret = () => {}
  // The last resort, should the demo fall over before it comes to `stop`.
  const abandon = () => {
    child.kill('SIGKILL')
    forgetSecret()
  }
  process.once('exit', abandon)

  return {
    keepSecret() {
      if (child.pid !== undefined) forgetSecret = keepSecret(port, { pid: child.pid, secret })
    },

    async stop() {
      isStopping = true
      child.kill('SIGTERM')
      const insist = setTimeout(() => child.kill('SIGKILL'), STOP_WITHIN_MS)
      await ended
      clearTimeout(insist)
      process.off('exit', abandon)
      forgetSecret()
    }
  }
}
