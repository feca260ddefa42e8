/**
 * The demo's own service: the built server as a child process on the loopback, with its state in memory and random secrets. Its
 * log is shown only if it fails.
 */
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { portOf } from './address.js'
import { keepSecret } from './session-secret.js'

const SERVER = fileURLToPath(new URL('../../dist/src/server.js', import.meta.url))
const STOP_WITHIN_MS = 5_000
const LOG_KEPT = 2_000
/** The variables that the child inherits: what Node.js needs, and the settings that shorten a demo. */
const HANDED_ON = ['PATH', 'SystemRoot', 'TZ', 'POLL_INTERVAL_SECONDS', 'GRANT_TTL_SECONDS']

export interface OwnService {
  /** Stores the session secret for a second terminal (session-secret.ts), until the service stops. */
  keepSecret(): void
  /** Ends the child, by SIGKILL after five seconds, and resolves when it has exited. */
  stop(): Promise<void>
}

/** Spawns the service, which does not answer at once. `onLost` is called with the reason if it ends by itself. */
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
  // Kills the child if the demo exits without calling `stop`.
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
