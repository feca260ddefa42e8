/** The entry point of the service's process: reads the configuration, builds the application, listens, and stops gracefully. */
import closeWithGrace from 'close-with-grace'
import { buildApp } from './app.js'
import type { Config } from './config/config.js'
import { ConfigError, loadConfig } from './config/load-config.js'
import { gracefulStop } from './stop.js'

/** The time limit of a stop, after the shutdown delay; then the process exits regardless of open requests. */
const STOP_WITHIN_MS = 10_000

function readConfig(): Config {
  try {
    return loadConfig(process.env)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    process.stderr.write(`grantd: ${error.message}\n`)
    process.exit(1)
  }
}

const config = readConfig()
const app = buildApp(config)
const stop = gracefulStop(app)

closeWithGrace(
  { delay: config.shutdownDelaySeconds * 1000 + STOP_WITHIN_MS, logger: false },
  async ({ signal, err }) => {
    if (err) app.log.fatal({ err }, 'stopping after an error nobody caught')
    else app.log.info({ signal }, 'stopping')
    await stop()
    app.log.info('stopped')
  }
)

try {
  await app.listen({ host: config.host, port: config.port })
} catch (error) {
  app.log.fatal({ err: error }, 'could not start')
  process.exit(1)
}
if (config.madeUpSecrets.length > 0) {
  app.log.warn(
    `for trying out only: ${config.madeUpSecrets.join(' and ')} made up for the life of this process` +
      `${config.redis ? '' : ', which keeps everything in its own memory'}`
  )
}
if (config.verificationUri === `${config.publicUrl}/device` && config.upstreams.length === 0 && !config.demoSignIn) {
  app.log.warn(
    'clients send people to a page that is not there: set PROVIDERS_FILE, or VERIFICATION_URI to a page of yours'
  )
}
if (config.redis && config.expectedIssuer === undefined) {
  app.log.warn(`PUBLIC_URL is not set: clients are sent to ${config.publicUrl}`)
}
