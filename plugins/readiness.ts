/** app.readiness: whether this instance should get traffic. Stopping begins with turning it. */
import fp from 'fastify-plugin'
import { fault } from '../src/core/fault.js'

export interface Readiness {
  /** Resolves if the instance can serve; rejects with `unavailable` otherwise. */
  check(): Promise<void>
  isDraining(): boolean
  /** From now on the instance is not ready, and connections are closed after their answer. */
  drain(): void
}

declare module 'fastify' {
  interface FastifyInstance {
    readiness: Readiness
  }
}

export const readiness = fp(
  async (app) => {
    let draining = false
    app.decorate('readiness', {
      async check() {
        if (draining) throw fault('unavailable', { detail: 'the instance is stopping' })
        await app.core.check()
      },
      isDraining: () => draining,
      drain() {
        draining = true
      }
    })
  },
  { name: 'readiness', dependencies: ['core'] }
)
