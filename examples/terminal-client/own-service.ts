/**
 * The demo's own service: the built server as a child process on the loopback, with its state in memory and secrets that it makes
 * up. Its log is shown only if it fails.
 */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { portOf } from './address.js'

// By the name of the package, so that it is found from the sources of the demo and from what is built of them.
const SERVER = fileURLToPath(new URL('dist/src/server.js', import.meta.resolve('grantd/package.json')))
const STOP_WITHIN_MS = 5_000
const LOG_KEPT = 2_000
/** The variables that the child inherits: what Node.js needs, and the settings that shorten a demo. */
const HANDED_ON = ['PATH', 'SystemRoot', 'TZ', 'POLL_INTERVAL_SECONDS', 'GRANT_TTL_SECONDS']

export interface OwnService {
  /** Ends the child, by SIGKILL after five seconds, and resolves when it has exited. */
  stop(): Promise<void>
}

/** Spawns the service, which does not answer at once. `onLost` is called with the reason if it ends by itself. */
export function startService(address: URL, onLost: (error: Error) => void): OwnService {
  const env = {
    ...Object.fromEntries(HANDED_ON.map((name) => [name, process.env[name]])),
    HOST: address.hostname === '[::1]' ? '::1' : '127.0.0.1',
    PORT: `${portOf(address)}`,
    LOG_LEVEL: 'warn',
    // The demo hears of a decision before the browser that sent it asks for the page that follows.
    SHUTDOWN_DELAY_SECONDS: '2'
  }
  const child = spawn(process.execPath, ['--enable-source-maps', SERVER], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
    // A process group of its own keeps Ctrl-C from the service, so that the demo can withdraw its grant there first.
    detached: true,
    windowsHide: true
  })

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

  // Kills the child if the demo exits without calling `stop`.
  const abandon = () => {
    child.kill('SIGKILL')
  }
  process.once('exit', abandon)

  return {
    async stop() {
      isStopping = true
      child.kill('SIGTERM')
      const insist = setTimeout(() => child.kill('SIGKILL'), STOP_WITHIN_MS)
      await ended
      clearTimeout(insist)
      process.off('exit', abandon)
    }
  }
}
