/** The application: the ordered list of its plugins and surfaces, and nothing else. */
import { randomBytes } from 'node:crypto'
import { compile } from '@fastify/proxy-addr'
import Fastify, { type FastifyInstance, LogController } from 'fastify'
import { accessLog } from '../plugins/access-log.js'
import { answerMetrics } from '../plugins/answer-metrics.js'
import { authentication } from '../plugins/authentication.js'
import { clientAuthentication } from '../plugins/client-authentication.js'
import { config as configPlugin } from '../plugins/config.js'
import { core } from '../plugins/core.js'
import { jwt } from '../plugins/jwt.js'
import { limits } from '../plugins/limits.js'
import { metrics } from '../plugins/metrics.js'
import { overload } from '../plugins/overload.js'
import { readiness } from '../plugins/readiness.js'
import { requestHeaders } from '../plugins/request-headers.js'
import { stateMetrics } from '../plugins/state-metrics.js'
import { storage } from '../plugins/storage.js'
import { timeLimit } from '../plugins/time-limit.js'
import { whereabouts } from '../plugins/whereabouts.js'
import { dashboardPrefix } from '../schemas/generated/dashboard.js'
import { tokensPrefix } from '../schemas/generated/tokens.js'
import type { Config } from './config/config.js'
import type { Clock } from './core/clock.js'
import { fault } from './core/fault.js'
import { type LogOptions, loggerOptions } from './logger.js'
import { answerFault } from './routes/dashboard/answers.js'
import { dashboard } from './routes/dashboard/index.js'
import { foreignHostConstraint } from './routes/issuers/host-constraint.js'
import { issuersByHost, issuersByPath } from './routes/issuers/index.js'
import { acceptJsonBodies } from './routes/json-body.js'
import { oauth } from './routes/oauth/index.js'
import { issuerPathOf } from './routes/oauth/issuer-metadata.js'
import { ops } from './routes/ops/index.js'
import { pages } from './routes/pages/index.js'
import { tokensApi } from './routes/tokens-api/index.js'
import { answerUnreadable, answerUnroutable } from './routes/unroutable.js'

/** Nothing this service takes is larger. */
const BODY_LIMIT = 16 * 1024

export interface AppOptions {
  /** Turned by tests: it then rules everything, the time of grants included. */
  testClock?: Clock
  /** Where the log goes; by default to standard output at the configured level. */
  logger?: LogOptions
}

/** Builds the application. It listens to nothing yet; `ready()` it, then `listen()` or `inject()`. */
export function buildApp(config: Config, { testClock, logger }: AppOptions = {}): FastifyInstance {
  const app = Fastify({
    logger: logger ?? loggerOptions(config.logLevel),
    // plugins/access-log.ts writes the one line a request gets.
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: requestIds(),
    // A logger of its own for every request would cost more than a poll's work; what is logged names its request.
    childLoggerFactory: (parent) => parent,
    // Each part that waits for others has a bound of its own. The rest is work, above all a first RSA key, and a start that takes
    // long on a busy machine must not fail for that.
    pluginTimeout: 0,
    trustProxy: config.trustProxy.length > 0 ? compile([...config.trustProxy]) : false,
    bodyLimit: BODY_LIMIT,
    // What arrives slowly, or not at all, is cut: neither a header nor a body may keep a socket for long.
    requestTimeout: 10_000,
    keepAliveTimeout: 72_000,
    http: { headersTimeout: 10_000, connectionsCheckingInterval: 1_000 },
    // While it stops, what still arrives is answered; new connections are refused by then.
    return503OnClosing: false,
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false } },
    routerOptions: {
      // No URL that gets in is longer: an id of any length is looked at, and not found.
      maxParamLength: 16 * 1024,
      constraints: { foreignHost: foreignHostConstraint(config.publicUrl) }
    },
    frameworkErrors: answerUnroutable,
    clientErrorHandler: answerUnreadable
  })

  app.setErrorHandler(answerFault)
  app.setNotFoundHandler(() => {
    throw fault('not_found')
  })
  acceptJsonBodies(app)

  app.register(configPlugin, { config, clock: testClock ?? Date.now })
  app.register(metrics)
  app.register(storage, testClock ? { testClock } : {})
  app.register(timeLimit)
  app.register(jwt)
  app.register(core)
  app.register(readiness)
  app.register(requestHeaders)
  app.register(accessLog)
  app.register(answerMetrics)
  app.register(stateMetrics)
  app.register(overload)
  app.register(whereabouts)
  app.register(authentication)
  app.register(clientAuthentication)
  app.register(limits)

  // Under the path of the issuer as well, so that a proxy may but need not take it away.
  for (const base of new Set(['', issuerPathOf(config.publicUrl)])) {
    app.register(dashboard, { prefix: base + dashboardPrefix })
    app.register(oauth, { prefix: base })
    app.register(tokensApi, { prefix: base + tokensPrefix })
    app.register(issuersByPath, { prefix: base })
    if (config.upstreams.length > 0 || config.demoSignIn) app.register(pages, { prefix: base })
  }
  app.register(issuersByHost)
  app.register(ops)
  return app
}

/** Ids that are unique over all instances, without a random number per request. */
function requestIds(): () => string {
  const instance = randomBytes(6).toString('base64url')
  let count = 0
  return () => `${instance}-${(++count).toString(36)}`
}
