/**
 * The application: the ordered list of its plugins and surfaces, and nothing else. Each of them names those that it needs
 * before it, and refuses to be loaded in a wrong order.
 */
import type { FastifyInstance, FastifyPluginAsync, FastifyPluginCallback } from 'fastify'
import { answerHeaders } from '../plugins/answer-headers.js'
import { answers } from '../plugins/answers.js'
import { authentication } from '../plugins/authentication.js'
import { clientAuthentication } from '../plugins/client-authentication.js'
import { config as configPlugin } from '../plugins/config.js'
import { core } from '../plugins/core.js'
import { jwt } from '../plugins/jwt.js'
import { limits } from '../plugins/limits.js'
import { metrics } from '../plugins/metrics.js'
import { overload } from '../plugins/overload.js'
import { pipelines } from '../plugins/pipelines.js'
import { readiness } from '../plugins/readiness.js'
import { stateMetrics } from '../plugins/state-metrics.js'
import { storage } from '../plugins/storage.js'
import { timeLimit } from '../plugins/time-limit.js'
import { tracing } from '../plugins/tracing.js'
import { unread } from '../plugins/unread.js'
import { whereabouts } from '../plugins/whereabouts.js'
import { adminPrefix } from '../schemas/generated/admin.js'
import { dashboardPrefix } from '../schemas/generated/dashboard.js'
import { tokensPrefix } from '../schemas/generated/tokens.js'
import { bareApp } from './bare-app.js'
import type { Config } from './config/config.js'
import type { Clock } from './core/clock.js'
import type { LogOptions } from './logger.js'
import { admin } from './routes/admin/index.js'
import { basePathOf } from './routes/app.js'
import { dashboard } from './routes/dashboard/index.js'
import { issuersByHost, issuersByPath } from './routes/issuers/index.js'
import { oauth } from './routes/oauth/index.js'
import { ops } from './routes/ops/index.js'
import { pages } from './routes/pages/index.js'
import { tokensApi } from './routes/tokens-api/index.js'
import { withoutPages } from './routes/without-pages.js'

export interface AppOptions {
  /** Turned by tests: it then rules everything, the time of grants included. */
  testClock?: Clock
  /** Whether the result page waits for the client to collect, which is so unless a test says otherwise. */
  awaitsCollection?: boolean
  /** Where the log goes; by default to standard output at the configured level. */
  logger?: LogOptions
  /** Where the lines of AUDIT_LOG=stdout go; by default to standard output, as the log. */
  writeAuditLine?: (line: string) => void
  /** How many lines that log had to drop, for the metrics; by default none are. */
  droppedLogLines?: () => number
}

/** A plugin or a surface, with its options. */
export type Part = readonly [plugin: FastifyPluginAsync<never> | FastifyPluginCallback<never>, options: object]

/** Builds the application. It listens to nothing yet; `ready()` it, then `listen()` or `inject()`. */
export function buildApp(config: Config, { logger, ...options }: AppOptions = {}): FastifyInstance {
  const app = bareApp(config, logger)
  for (const [plugin, pluginOptions] of partsOf(config, options))
    app.register(plugin as FastifyPluginAsync, pluginOptions)
  return app
}

/** Everything the application is made of, in the order in which it is registered. */
export function partsOf(config: Config, options: AppOptions = {}): Part[] {
  const { testClock, awaitsCollection = true, droppedLogLines = () => 0, writeAuditLine } = options
  const plugins: Part[] = [
    [configPlugin, { config, clock: testClock ?? Date.now }],
    [whereabouts, {}],
    [tracing, {}],
    [metrics, {}],
    [storage, testClock ? { testClock } : {}],
    [timeLimit, {}],
    [jwt, {}],
    [core, writeAuditLine ? { writeAuditLine } : {}],
    [readiness, {}],
    [answerHeaders, {}],
    [answers, {}],
    [stateMetrics, { droppedLogLines }],
    [pipelines, {}],
    [unread, {}],
    [overload, {}],
    [authentication, {}],
    [limits, {}],
    [clientAuthentication, {}]
  ]
  // Under the path of the public URL as well, so that a proxy may but need not take it away.
  const bases = [...new Set(['', basePathOf(config.publicUrl)])]
  const surfaces = bases.flatMap((base): Part[] => [
    [dashboard, { prefix: base + dashboardPrefix }],
    [oauth, { prefix: base }],
    [tokensApi, { prefix: base + tokensPrefix }],
    [admin, { prefix: base + adminPrefix }],
    [issuersByPath, { prefix: base }],
    config.hasPages ? [pages, { prefix: base, awaitsCollection }] : [withoutPages, { prefix: base }]
  ])
  return [...plugins, ...surfaces, [issuersByHost, {}], [ops, {}]]
}
