/**
 * The format of the log: JSON lines without secrets. No code logs bodies, headers or URLs; redaction is a second line of
 * defence, by the names that openapi/ marks with `x-secret`.
 */
import type { FastifyServerOptions } from 'fastify'
import { secretFields } from '../schemas/generated/openapi.js'
import type { Config } from './config/config.js'

const HEADER_SECRETS = ['authorization', 'cookie', 'set-cookie']

export type LogOptions = NonNullable<FastifyServerOptions['logger']>

/** The paths that pino redacts: each secret name at the top level of a line and one level below. */
export const redactedPaths: readonly string[] = [...secretFields, ...HEADER_SECRETS].flatMap((name) => {
  const key = /^\w+$/.test(name) ? `.${name}` : `["${name}"]`
  return [key.replace(/^\./, ''), `*${key}`]
})

export function loggerOptions(level: Config['logLevel']): LogOptions {
  return {
    level,
    redact: { paths: [...redactedPaths], censor: '[redacted]' },
    serializers: {
      // Fastify's own serializer would log the whole URL, whose query may hold secrets.
      req: ({ method, routeOptions }) => ({ method, route: routeOptions?.url }),
      // Errors of libraries may carry their arguments as properties, so only these three are logged.
      err: (error: Error & { code?: string }) =>
        // Fastify raises this error for an answer that comes after the request timed out; its message has the whole URL.
        error.code === 'FST_ERR_REP_ALREADY_SENT'
          ? { type: error.name, message: 'there has been an answer already', stack: '' }
          : { type: error.name, message: error.message, stack: error.stack ?? '' }
    }
  }
}
