/** app.config and app.clock: the configuration, and the time in milliseconds. */
import fp from 'fastify-plugin'
import type { Config } from '../src/config/config.js'
import type { Clock } from '../src/core/clock.js'

declare module 'fastify' {
  interface FastifyInstance {
    config: Config
    clock: Clock
  }
}

export const config = fp<{ config: Config; clock: Clock }>(
  async (app, options) => {
    app.decorate('config', options.config)
    app.decorate('clock', options.clock)
  },
  { name: 'config' }
)
