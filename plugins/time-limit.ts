/**
 * No request waits for Redis longer than REDIS_TIMEOUT_MS, however many things it asks of it one after the other. Each answer
 * has half of that time; this adds up what a request spends in its hooks and its handler. What is cut off goes on in the
 * background, and what it has to say is not heard any more.
 */
import type { FastifyRequest, RouteOptions } from 'fastify'
import fp from 'fastify-plugin'
import { createDeadline } from '../src/core/deadline.js'
import { fault } from '../src/core/fault.js'

// biome-ignore lint/suspicious/noExplicitAny: hooks and handlers of every kind of route, which differ in their types alone
type Step = (...parts: any[]) => any

declare module 'fastify' {
  interface FastifyInstance {
    /** A hook or handler whose time counts. Those of routes are limited without being asked. */
    limitTime<S extends Step>(step: S): S
    /** Work of a request whose time counts. Rejects with `unavailable` when the request has no more of it. */
    withinTimeLimit<T>(request: FastifyRequest, work: Promise<T>): Promise<T>
    /** The same for work that comes after one answer of Redis, and so has what that one left: half of the time. */
    withinHalfTheLimit<T>(work: Promise<T>): Promise<T>
  }
  interface FastifyRequest {
    /** What it has spent so far, in milliseconds. */
    spentMs: number
  }
  interface FastifyContextConfig {
    /** It also waits for somebody else, or makes keys: for how long, its own code says. */
    waitsForOthers?: boolean
  }
}

/** Whose time it is. */
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
        const startedAt = performance.now()
        const waiting = deadline.begin(startedAt - request.spentMs, () =>
          reject(fault('unavailable', { detail: `Redis took more than ${withinMs} ms in all` }))
        )
        const isInTime = () => {
          request.spentMs += performance.now() - startedAt
          return deadline.end(waiting)
        }
        work.then(
          (value) => isInTime() && resolve(value),
          (error) => isInTime() && reject(error)
        )
      })
    }

    function limitTime<S extends Step>(step: S): S {
      // Fastify counts the parameters of a hook: with a third it would wait for it to be called.
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
