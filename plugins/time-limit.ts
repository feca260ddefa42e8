/**
 * The deadline of a request: it waits for Redis no longer than REDIS_TIMEOUT_MS, however many commands it sends one after the
 * other. Each command has half of that time; this adds up what a request spends in its hooks and its handler. Work that is cut
 * off goes on in the background, and its result is dropped.
 */
import type { FastifyRequest, RouteOptions } from 'fastify'
import fp from 'fastify-plugin'
import { createDeadline } from '../src/core/clock.js'
import { fault } from '../src/core/fault.js'

// biome-ignore lint/suspicious/noExplicitAny: hooks and handlers of every kind of route, which differ in their types alone
type Step = (...parts: any[]) => any

declare module 'fastify' {
  interface FastifyInstance {
    /** Limits a hook or a handler. The hooks and handlers of routes are limited without this call. */
    limitTime<S extends Step>(step: S): S
    /** Limits work of a request. Rejects with `unavailable` when the request has spent its time. */
    withinTimeLimit<T>(request: FastifyRequest, work: Promise<T>): Promise<T>
    /** The same for work that comes after one answer of Redis, and so has half of the time left. */
    withinHalfTheLimit<T>(work: Promise<T>): Promise<T>
  }
  interface FastifyRequest {
    /** The time that the request has spent so far, in milliseconds. */
    spentMs: number
  }
  interface FastifyContextConfig {
    /** The route also waits for other services or makes keys, and bounds that time itself. */
    waitsForOthers?: boolean
  }
}

/** A request, or what stands for one. */
interface Spender {
  spentMs: number
}

const STEPS = ['onRequest', 'preValidation', 'preHandler', 'handler'] as const

export const timeLimit = fp(
  async (app) => {
    const withinMs = app.config.redis?.timeoutMs
    app.decorateRequest('spentMs', 0)
    if (withinMs === undefined) {
      app.decorate('limitTime', (step) => step)
      app.decorate('withinTimeLimit', (_request, work) => work)
      app.decorate('withinHalfTheLimit', (work) => work)
      return
    }
    const deadline = createDeadline(withinMs)
    app.addHook('onClose', async () => deadline.stop())

    const withinHalfTheLimit = <T>(work: Promise<T>) => withinTimeLimit({ spentMs: withinMs / 2 }, work)

    function withinTimeLimit<T>(request: Spender, work: Promise<T>): Promise<T> {
      return new Promise((resolve, reject) => {
        const startedAtMs = performance.now()
        const waiting = deadline.begin(startedAtMs - request.spentMs, () =>
          reject(fault('unavailable', { detail: `Redis took more than ${withinMs} ms in all` }))
        )
        const isInTime = () => {
          request.spentMs += performance.now() - startedAtMs
          return deadline.end(waiting)
        }
        work.then(
          (value) => isInTime() && resolve(value),
          (error) => isInTime() && reject(error)
        )
      })
    }

    function limitTime<S extends Step>(step: S): S {
      // Fastify waits for the callback of a hook with a third parameter, so such a hook is left as it is.
      if (step.length > 2) return step
      const limited = function (this: unknown, request: FastifyRequest, reply: unknown) {
        const answer = step.call(this, request, reply)
        return answer instanceof Promise ? withinTimeLimit(request, answer) : answer
      }
      return limited as unknown as S
    }

    function limitRoute(route: RouteOptions): void {
      if (route.config?.waitsForOthers) return
      const steps = route as Partial<Record<(typeof STEPS)[number], Step | Step[]>>
      for (const name of STEPS) {
        const step = steps[name]
        if (Array.isArray(step)) steps[name] = step.map(limitTime)
        else if (step) steps[name] = limitTime(step)
      }
    }

    app.decorate('limitTime', limitTime)
    app.decorate('withinTimeLimit', withinTimeLimit)
    app.decorate('withinHalfTheLimit', withinHalfTheLimit)
    app.addHook('onRoute', limitRoute)
  },
  { name: 'time-limit', dependencies: ['config'] }
)
