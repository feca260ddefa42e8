/** Fastify before any plugin: its limits, how it names requests, and what it answers to requests that reach no route. */
import { randomBytes } from 'node:crypto'
import Fastify, { type FastifyInstance, LogController } from 'fastify'
import { alwaysSent, answerHeadersOf } from '../plugins/answer-headers.js'
import type { Config } from './config/config.js'
import { type LogOptions, loggerOptions } from './logger.js'
import { basePathOf } from './routes/app.js'
import { acceptAbsentBodies } from './routes/body-text.js'
import { answerFault } from './routes/dashboard/answers.js'
import { issuerHostConstraint } from './routes/issuers/host-constraint.js'
import { acceptJsonBodies } from './routes/json-body.js'
import { answerUnreadable, answerUnroutable } from './routes/unroutable.js'
import { schemaCompilers } from './schema-compilers.js'

/** No body that this service takes is larger, but for one that holds a token of others (routes/tokens-api/policies.ts). */
const BODY_LIMIT = 16 * 1024
/** A session JWT of 16 KiB and what a browser adds to it. Node.js would stop at 16 KiB of headers together. */
const HEADERS_LIMIT = 19 * 1024

/** `logger` says where the log goes; by default to standard output at the configured level. */
export function bareApp(config: Config, logger: LogOptions = loggerOptions(config.logLevel)): FastifyInstance {
  const app: FastifyInstance = Fastify({
    logger,
    // plugins/answers.ts writes the one line a request gets.
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: requestIds(),
    // A logger of its own for every request would cost more than a poll's work; what is logged names its request.
    childLoggerFactory: (parent) => parent,
    // No plugin is given up for being slow: each bounds what it waits for, and a busy machine needs long for its first RSA key.
    pluginTimeout: 0,
    bodyLimit: BODY_LIMIT,
    // Headers and bodies that arrive slowly, or not at all, are cut off, so that no client keeps a socket for long.
    requestTimeout: 10_000,
    keepAliveTimeout: config.keepAliveSeconds * 1000,
    connectionTimeout: quietAfterMs(config),
    http: { headersTimeout: 10_000, connectionsCheckingInterval: 1_000, maxHeaderSize: HEADERS_LIMIT },
    // Requests that still arrive while it stops are answered; new connections are refused by then.
    return503OnClosing: false,
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false } },
    schemaController: { compilersFactory: schemaCompilers },
    routerOptions: {
      // No URL that gets in is longer, so that an id of any length is looked up, and answered with 404.
      maxParamLength: HEADERS_LIMIT,
      constraints: { issuerHost: issuerHostConstraint(config.publicUrl, () => app) }
    },
    frameworkErrors: answerUnroutable(basePathOf(config.publicUrl), answerHeadersOf(config.publicUrl)),
    clientErrorHandler: answerUnreadable(alwaysSent(config.publicUrl))
  })

  app.setErrorHandler(answerFault)
  acceptJsonBodies(app)
  acceptAbsentBodies(app)
  return app
}

/**
 * How long a connection may be quiet while an answer is made or taken. When that time is over Node.js looks, and gives the same time
 * once more if a part of the answer was taken since it was written. So whoever takes nothing has 70 seconds at most. A held poll is
 * quiet for 30 seconds and then waits for Redis, up to its time limit for the decision and again for the tokens.
 */
function quietAfterMs({ redis }: Config): number {
  return Math.max(35_000, 30_000 + 2 * (redis?.timeoutMs ?? 0))
}

/** Ids that are unique over all instances, without a random number per request. */
function requestIds(): () => string {
  const instance = randomBytes(6).toString('base64url')
  let count = 0
  return () => `${instance}-${(++count).toString(36)}`
}
