/**
 * app.metrics: the numbers of this instance, in a registry of its own (several instances can live in one process). What
 * happens is counted by event-metrics.ts, what is looked up when somebody asks by state-metrics.ts.
 */
import fp from 'fastify-plugin'
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import { createEventMetrics, type EventMetrics } from './event-metrics.js'

export interface Metrics extends EventMetrics {
  /** Shows a number that somebody else keeps, read whenever it is asked for. */
  watch(name: string, help: string, read: () => number | Promise<number>): void
  /** Shows a count that somebody else keeps, in the same way. */
  follow(name: string, help: string, read: () => number): void
  contentType: string
  text(): Promise<string>
}

declare module 'fastify' {
  interface FastifyInstance {
    metrics: Metrics
  }
}

export const metrics = fp(
  async (app) => {
    const registry = new Registry()
    // Process, memory, garbage collection and event-loop lag.
    collectDefaultMetrics({ register: registry })
    const registers = [registry]

    app.decorate('metrics', {
      ...createEventMetrics(registry, app.config),
      watch(name, help, read) {
        new Gauge({
          name,
          help,
          registers,
          async collect() {
            this.set(await read())
          }
        })
      },
      follow(name, help, read) {
        new Counter({
          name,
          help,
          registers,
          collect() {
            this.reset()
            this.inc(read())
          }
        })
      },
      contentType: registry.contentType,
      text: () => registry.metrics()
    })
  },
  { name: 'metrics', dependencies: ['config'] }
)
