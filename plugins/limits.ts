/** app.limits: how often who may ask, counted over all instances by @fastify/rate-limit, and guesses of user codes. */
import rateLimit, { type FastifyRateLimitStore, normalizeIP } from '@fastify/rate-limit'
import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { Limits } from '../src/config/config.js'
import { fault } from '../src/core/fault.js'
import { type LimitStore, limitKey } from '../src/core/limits/limit-store.js'
import { callerOf } from './authentication.js'

export interface RequestLimits {
  /** Counts a request against its address. */
  perAddress(name: LimitedOperation): CountRequest
  /** Counts it against its authenticated user. */
  perUser(name: LimitedOperation): CountRequest
  /** Counts it against whoever proved to be this caller. */
  perCaller(name: LimitedOperation): (request: FastifyRequest, caller: string) => Promise<void>
  /** Counts it in an hour, not in a minute. */
  perApiKey(request: FastifyRequest, keyId: string): Promise<void>
  /** Runs a lookup of a user code, unless its user or address has missed too often. */
  guess<T extends { kind: string }>(request: FastifyRequest, lookup: () => Promise<T>): Promise<T>
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
/** A hook, or called where more is known. Throws `too_many_requests`. */
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
  guess: (_request, lookup) => lookup()
}

export const limits = fp(
  async (app) => {
    const { config, storage, core, metrics, whereabouts } = app
    if (config.limits === 'off') {
      app.log.warn('LIMITS=off: every limit but the pacing of polls is lifted, which is for load tests only')
      app.decorate('limits', unlimited)
      return
    }
    await app.register(rateLimit, { global: false, store: sharedStore(storage.limits) })
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
      /** All hosts of an IPv6 network are one, and an IPv4 address is one in any spelling. */
      const addressOf = (request: FastifyRequest) => normalizeIP(whereabouts.ip(request))
      const userOf = (request: FastifyRequest) => callerOf(request).userId

      const counted = (name: string, by: string, max: number, windowMs: number) => {
        const callers = new WeakMap<FastifyRequest, string>()
        const count = app.createRateLimit({
          max,
          timeWindow: windowMs,
          // The library asks for a key by the request alone.
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
        perUser(name) {
          const count = counted(name, 'user', perMinute[name], MINUTE_MS)
          return (request) => count(request, userOf(request))
        },
        perCaller: (name) => counted(name, 'caller', perMinute[name], MINUTE_MS),
        perApiKey: counted('tokens-api', 'key', bounds.tokensApiPerHour, HOUR_MS),
        async guess(request, lookup) {
          const guessers = [
            { key: limitKey('misses', 'user', userOf(request)), limit: bounds.missesPerUser },
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
  { name: 'limits', dependencies: ['storage', 'core', 'metrics', 'whereabouts', 'authentication'] }
)

/** What the library asks of a store, over ours: one way to count, one deadline, one place that spells keys. */
function sharedStore(store: LimitStore) {
  return class SharedStore implements FastifyRateLimitStore {
    incr(
      key: string,
      done: (error: Error | null, result?: { current: number; ttl: number }) => void,
      windowMs = 60_000
    ): void {
      store.hit(key, windowMs).then(
        ({ count, resetsInMs }) => done(null, { current: count, ttl: resetsInMs }),
        (error) => done(error)
      )
    }
    child(): SharedStore {
      return this
    }
  }
}
