/**
 * The service's process: reads the configuration, builds the application, listens, and stops gracefully. Loading this module runs
 * it. On a terminal it speaks to the person who started it, elsewhere its standard output is JSON lines alone.
 */
import type { AddressInfo } from 'node:net'
import { isatty } from 'node:tty'
import closeWithGrace from 'close-with-grace'
import { type AppOptions, buildApp } from './app.js'
import type { Config } from './config/config.js'
import { ConfigError, loadConfig } from './config/load-config.js'
import { loggerOptions } from './logger.js'
import { bannerOf, startWarnings, styleFor } from './process/banner.js'
import { openLogOutput } from './process/log-output.js'
import { isCheckout, version } from './process/package.js'
import { startErrorSentence } from './process/start-error.js'
import { terminalLogger } from './process/terminal-log.js'
import { gracefulStop, interruptHandler } from './stop.js'

/** The time limit of a stop, after the shutdown delay; then the process exits regardless of open requests. */
const STOP_WITHIN_MS = 10_000
/** Only a terminal is asked for as process.stdout: that makes writes to a pipe block. */
const output = isatty(1) ? process.stdout : undefined

/** A line for every request would bury the banner, so a terminal gets what goes wrong unless LOG_LEVEL asks for more. */
const isQuietByDefault = output !== undefined && !process.env.LOG_LEVEL?.trim()

function readConfig(): Config {
  try {
    return loadConfig(isQuietByDefault ? { ...process.env, LOG_LEVEL: 'warn' } : process.env)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    process.stderr.write(`grantd: ${error.message}\n`)
    process.exit(1)
  }
}

const config = readConfig()
const speaks = output !== undefined && config.logLevel !== 'silent'
const app = buildApp(config, output ? { logger: terminalLogger(config.logLevel, output) } : logToPipe())
const stop = gracefulStop(app)

function logToPipe(): AppOptions {
  const pipe = openLogOutput((dropped) => app.log.warn({ dropped }, 'log lines are missing: nobody read them in time'))
  if (!pipe) return {}
  return {
    logger: { ...(loggerOptions(config.logLevel) as object), stream: pipe },
    writeAuditLine: pipe.write,
    droppedLogLines: pipe.dropped
  }
}

const { close } = closeWithGrace(
  {
    delay: config.shutdownDelaySeconds * 1000 + STOP_WITHIN_MS,
    logger: false,
    skip: output ? ['SIGINT'] : []
  },
  async ({ signal = 'SIGINT', err }) => {
    if (err) app.log.fatal({ err }, 'stopping after an error nobody caught')
    else app.log.info({ signal }, 'stopping')
    if (speaks && !err) output?.write('\n  Stopping: what is under way is answered first.\n')
    await stop()
    app.log.info('stopped')
  }
)

if (output)
  process.on(
    'SIGINT',
    interruptHandler(close, () => process.exit(1))
  )

try {
  await app.listen({ host: config.host, port: config.port })
} catch (error) {
  // A person is told the reason alone; the stack trace is in the log, on a terminal at the level debug.
  const level = output ? 'debug' : 'fatal'
  app.log[level]({ err: error }, 'could not start')
  process.stderr.write(`grantd: ${startErrorSentence(error, config)}\n`)
  process.exit(1)
}
if (output && speaks) {
  const { port } = app.server.address() as AddressInfo
  const facts = { version, config, port, isCheckout: isCheckout(), isQuietByDefault }
  output.write(bannerOf(facts, styleFor(output.hasColors())))
} else {
  for (const { line } of startWarnings(config)) app.log.warn(line)
}
