/**
 * app.limits: how often requests may come, counted over all instances by @fastify/rate-limit, and the limits on guesses of user codes
 * and of client secrets.
 */
import rateLimit, { type FastifyRateLimitStore } from '@fastify/rate-limit'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { Limits } from '../src/config/config.js'
import { fault } from '../src/core/fault.js'
import type { Checked } from '../src/core/limits/guesses.js'
import { type Hit, type HitWindow, type LimitStore, limitKey } from '../src/core/limits/limits.js'

export interface RequestLimits {
  /** Makes the hook that counts a request against its address. */
  perAddress(name: LimitedOperation): CountRequest
  /** Makes the hook that counts a request against a user. `userOf` is asked when the hook runs. */
  perUser(name: LimitedOperation, userOf: (request: FastifyRequest) => string): CountRequest
  /** Makes the hooks of an operation of users: counts the address, lets in who may, and counts the user. */
  userGuards(name: LimitedOperation, who: 'user' | 'user-or-client'): CountRequest[]
  /** Makes what counts a request against a caller of this name, such as `key …` or `client …`. */
  perCaller(name: LimitedOperation): (request: FastifyRequest, caller: string) => Promise<void>
  /** Counts a request against an API key, in a window of an hour; the windows of all others are a minute. */
  perApiKey(request: FastifyRequest, keyId: string): Promise<void>
  /** The window in which `perApiKey` counts. Undefined if it counts nothing. */
  windowOfApiKey(keyId: string): HitWindow | undefined
  /** Judges a hit that was counted in that window. Throws `too_many_requests`. */
  judgeApiKey(hit: Hit): void
  /** Checks the secret of a client, whose wrong ones are counted by the address. Rejects with `too_many_requests`. */
  guessSecret<T>(request: FastifyRequest, clientId: string, check: () => T | undefined): Checked<T>
  /** Runs a lookup of a user code, unless this user or the address of the request has missed too often. */
  guess<T extends { kind: string }>(request: FastifyRequest, userId: string, lookup: () => Promise<T>): Promise<T>
}

type LimitedOperation =
  | 'start'
  | 'client-metadata'
  | 'peek'
  | 'approve'
  | 'refresh'
  | 'revoke'
  | 'introspect'
  | 'userinfo'
  | 'sign-in'
  | 'sign-in-answer'
  | 'access-token'
  | 'account'
  | 'page'
/** A hook, or called in a handler. Rejects with `too_many_requests`. */
type CountRequest = (request: FastifyRequest) => Promise<void>

declare module 'fastify' {
  interface FastifyInstance {
    limits: RequestLimits
  }
}

const MINUTE_MS = 60_000
const HOUR_MS = 3_600_000
/** How many users' accounts one address may ask for, because many may share it. */
const ACCOUNTS_PER_ADDRESS = 10

const unlimited = (app: FastifyInstance): RequestLimits => ({
  perAddress: () => async () => {},
  perUser: () => async () => {},
  userGuards: (_name, who) => [app.authenticate(who)],
  perCaller: () => async () => {},
  perApiKey: async () => {},
  windowOfApiKey: () => undefined,
  judgeApiKey: () => {},
  guessSecret: (_request, _clientId, check) => check(),
  guess: (_request, _userId, lookup) => lookup()
})

export const limits = fp(
  async (app) => {
    const { config, storage, core, metrics, whereabouts } = app
    if (config.limits === 'off') {
      app.log.warn('LIMITS=off: every limit but the pacing of polls is lifted, which is for load tests only')
      app.decorate('limits', unlimited(app))
      return
    }
    await app.register(rateLimit, { global: false, store: sharedLimitStore(storage.limits) })
    app.decorate('limits', limitsOf(config.limits))

    function limitsOf(bounds: Limits): RequestLimits {
      const perMinute: Record<LimitedOperation, number> = {
        start: bounds.startPerMinute,
        'client-metadata': bounds.clientMetadataPerMinute,
        peek: bounds.peekPerMinute,
        approve: bounds.approvePerMinute,
        refresh: bounds.refreshPerMinute,
        revoke: bounds.revokePerMinute,
        introspect: bounds.introspectPerMinute,
        userinfo: bounds.userinfoPerMinute,
        'sign-in': bounds.signInPerMinute,
        'sign-in-answer': bounds.signInPerMinute,
        'access-token': bounds.accessTokenPerMinute,
        account: bounds.accountPerMinute,
        page: bounds.pagesPerMinute
      }
      const addressOf = (request: FastifyRequest) => whereabouts.countedAs(whereabouts.ip(request))

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
          if (!result.isAllowed && result.isExceeded) refuse(name, by, result.ttlInSeconds)
        }
      }

      function refuse(name: string, by: string, freeInSeconds: number): never {
        metrics.countLimited(`${name} per ${by}`)
        throw fault('too_many_requests', { retryAfterSeconds: Math.max(1, freeInSeconds), detail: name })
      }

      const limits: RequestLimits = {
        perAddress(name) {
          const max = perMinute[name] * (name === 'account' ? ACCOUNTS_PER_ADDRESS : 1)
          const count = counted(name, 'address', max, MINUTE_MS)
          return async (request) => {
            const address = addressOf(request)
            if (address !== undefined) await count(request, address)
          }
        },
        perUser(name, userOf) {
          const count = counted(name, 'user', perMinute[name], MINUTE_MS)
          return (request) => count(request, userOf(request))
        },
        userGuards(name, who) {
          const userOf = (request: FastifyRequest) => request.authenticatedCaller().userId
          return [limits.perAddress(name), app.authenticate(who), limits.perUser(name, userOf)]
        },
        perCaller: (name) => counted(name, 'caller', perMinute[name], MINUTE_MS),
        perApiKey: counted('tokens-api', 'key', bounds.tokensApiPerHour, HOUR_MS),
        windowOfApiKey: (keyId) => ({ key: limitKey('tokens-api', 'key', keyId), lengthMs: HOUR_MS }),
        judgeApiKey({ count, resetsInMs }) {
          if (count > bounds.tokensApiPerHour) refuse('tokens-api', 'key', Math.ceil(resetsInMs / 1000))
        },
        guessSecret(request, clientId, check) {
          const address = addressOf(request)
          if (address === undefined) return check()
          const guesser = { key: limitKey('secrets', clientId, address), limit: bounds.wrongSecretsPerIp }
          return core.guesses.secret(guesser, check, () => {
            metrics.countLimited('client secrets')
            const by = whereabouts.origin(request, `client:${clientId}`)
            return core.limitedGuesses(address, { ...by, clientId, detail: 'client secrets' })
          })
        },
        async guess(request, userId, lookup) {
          const address = addressOf(request)
          const ofUser = { key: limitKey('misses', 'user', userId), limit: bounds.missesPerUser }
          const guessers =
            address === undefined
              ? [ofUser]
              : [ofUser, { key: limitKey('misses', 'address', address), limit: bounds.missesPerIp }]
          const counted = async () => {
            const outcome = await lookup()
            if (outcome.kind === 'unknown') metrics.countMissedUserCode()
            return outcome
          }
          return core.guesses.limit(guessers, counted, () => {
            metrics.countLimited('user code misses')
            const by = whereabouts.origin(request, `user:${userId}`)
            return core.limitedGuesses(address ?? `user ${userId}`, { ...by, userId, detail: 'user codes' })
          })
        }
      }
      return limits
    }
  },
  // What it refuses carries the headers of every other answer.
  {
    name: 'limits',
    dependencies: ['config', 'storage', 'core', 'metrics', 'whereabouts', 'authentication', 'answer-headers']
  }
)

/** The class of which the library makes its stores: it counts in our own storage, so that all limits are counted in one way. */
function sharedLimitStore(store: LimitStore) {
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
