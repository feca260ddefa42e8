/**
 * How the log is written: JSON lines, without secrets. Nothing logs bodies, headers or URLs in the first place;
 * the redaction catches what slips through, by the names that openapi/ marks as secret.
 */
import type { FastifyServerOptions } from 'fastify'
import { secretFields } from '../schemas/generated/openapi.js'
import type { Config } from './config/config.js'

const HEADER_SECRETS = ['authorization', 'cookie', 'set-cookie']

export type LogOptions = NonNullable<FastifyServerOptions['logger']>

/** Paths at the top of a line and one level down. */
export const redactedPaths: readonly string[] = [...secretFields, ...HEADER_SECRETS].flatMap((name) => {
  const key = /^\w+$/.test(name) ? `.${name}` : `["${name}"]`
  return [key.replace(/^\./, ''), `*${key}`]
})

export function loggerOptions(level: Config['logLevel']): LogOptions {
  return {
    level,
    redact: { paths: [...redactedPaths], censor: '[redacted]' },
    serializers: {
      // The framework's own would log the whole URL.
      req: ({ method, routeOptions }) => ({ method, route: routeOptions?.url }),
      // Errors of libraries may carry the arguments of the call, so only these three members are kept.
      err: (error: Error & { code?: string }) =>
        // The message of this error holds the whole URL. Fastify logs it for an answer that comes after another was sent.
        error.code === 'FST_ERR_REP_ALREADY_SENT'
          ? { type: error.name, message: 'there has been an answer already', stack: '' }
          : { type: error.name, message: error.message, stack: error.stack ?? '' }
    }
  }
}
