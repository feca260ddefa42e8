/** app.limits: rate limits, counted over all instances by @fastify/rate-limit, and the limit on guesses of user codes. */
import rateLimit, { normalizeIP } from '@fastify/rate-limit'
import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { Limits } from '../src/config/config.js'
import { fault } from '../src/core/fault.js'
import { limitKey } from '../src/core/limits/limit-store.js'
import { sharedLimitStore } from './shared-limit-store.js'

export interface RequestLimits {
  /** Makes the hook that counts a request against its address. */
  perAddress(name: LimitedOperation): CountRequest
  /** Makes the hook that counts a request against a user. `userOf` is asked when the hook runs. */
  perUser(name: LimitedOperation, userOf: (request: FastifyRequest) => string): CountRequest
  /** Makes what counts a request against a caller of this name, such as `key …` or `client …`. */
  perCaller(name: LimitedOperation): (request: FastifyRequest, caller: string) => Promise<void>
  /** Counts a request against an API key, in a window of an hour; the windows of all others are a minute. */
  perApiKey(request: FastifyRequest, keyId: string): Promise<void>
  /** Runs a lookup of a user code, unless this user or the address of the request has missed too often. */
  guess<T extends { kind: string }>(request: FastifyRequest, userId: string, lookup: () => Promise<T>): Promise<T>
}

type LimitedOperation =
  | 'start'
  | 'peek'
  | 'approve'
  | 'refresh'
  | 'revoke'
  | 'introspect'
  | 'userinfo'
  | 'sign-in'
  | 'sign-in-answer'
  | 'access-token'
/** A hook, or called in a handler. Rejects with `too_many_requests`. */
type CountRequest = (request: FastifyRequest) => Promise<void>

declare module 'fastify' {
  interface FastifyInstance {
    limits: RequestLimits
  }
}

const MINUTE_MS = 60_000
const HOUR_MS = 3_600_000

const unlimited: RequestLimits = {
  perAddress: () => async () => {},
  perUser: () => async () => {},
  perCaller: () => async () => {},
  perApiKey: async () => {},
  guess: (_request, _userId, lookup) => lookup()
}

export const limits = fp(
  async (app) => {
    const { config, storage, core, metrics, whereabouts } = app
    if (config.limits === 'off') {
      app.log.warn('LIMITS=off: every limit but the pacing of polls is lifted, which is for load tests only')
      app.decorate('limits', unlimited)
      return
    }
    await app.register(rateLimit, { global: false, store: sharedLimitStore(storage.limits) })
    app.decorate('limits', limitsOf(config.limits))

    function limitsOf(bounds: Limits): RequestLimits {
      const perMinute: Record<LimitedOperation, number> = {
        start: bounds.startPerMinute,
        peek: bounds.peekPerMinute,
        approve: bounds.approvePerMinute,
        refresh: bounds.refreshPerMinute,
        revoke: bounds.revokePerMinute,
        introspect: bounds.introspectPerMinute,
        userinfo: bounds.userinfoPerMinute,
        'sign-in': bounds.signInPerMinute,
        'sign-in-answer': bounds.signInPerMinute,
        'access-token': bounds.accessTokenPerMinute
      }
      /** All addresses of an IPv6 network count as one, and so do all spellings of an IPv4 address. */
      const addressOf = (request: FastifyRequest) => normalizeIP(whereabouts.ip(request))

      const counted = (name: string, by: string, max: number, windowMs: number) => {
        const callers = new WeakMap<FastifyRequest, string>()
        const count = app.createRateLimit({
          max,
          timeWindow: windowMs,
          // The library passes the request alone, so the caller is looked up by it.
          keyGenerator: (request) => limitKey(name, by, callers.get(request) ?? '')
        })
        return async (request: FastifyRequest, caller: string) => {
          callers.set(request, caller)
          const result = await count(request)
          if (result.isAllowed || !result.isExceeded) return
          metrics.countLimited(`${name} per ${by}`)
          throw fault('too_many_requests', { retryAfterSeconds: Math.max(1, result.ttlInSeconds), detail: name })
        }
      }

      return {
        perAddress(name) {
          const count = counted(name, 'address', perMinute[name], MINUTE_MS)
          return (request) => count(request, addressOf(request))
        },
        perUser(name, userOf) {
          const count = counted(name, 'user', perMinute[name], MINUTE_MS)
          return (request) => count(request, userOf(request))
        },
        perCaller: (name) => counted(name, 'caller', perMinute[name], MINUTE_MS),
        perApiKey: counted('tokens-api', 'key', bounds.tokensApiPerHour, HOUR_MS),
        async guess(request, userId, lookup) {
          const guessers = [
            { key: limitKey('misses', 'user', userId), limit: bounds.missesPerUser },
            { key: limitKey('misses', 'address', addressOf(request)), limit: bounds.missesPerIp }
          ]
          const counted = async () => {
            const outcome = await lookup()
            if (outcome.kind === 'unknown') metrics.countMissedUserCode()
            return outcome
          }
          return core.guesses.limit(guessers, counted, () => metrics.countLimited('user code misses'))
        }
      }
    }
  },
  // What it refuses carries the headers of every other answer.
  { name: 'limits', dependencies: ['config', 'storage', 'core', 'metrics', 'whereabouts', 'request-headers'] }
)
