/** app.browserSessions: who is signed in on the pages. */
import fp from 'fastify-plugin'
import { type BrowserSessions, createBrowserSessions } from '../src/core/users/browser-sessions.js'

declare module 'fastify' {
  interface FastifyInstance {
    browserSessions: BrowserSessions
  }
}

export const browserSessions = fp(
  async (app) => {
    const { idleSeconds, ttlSeconds } = app.config.sessions
    const { storage, clock } = app
    app.decorate(
      'browserSessions',
      createBrowserSessions({ records: storage.sessions, clock, idleSeconds, ttlSeconds })
    )
  },
  { name: 'browser-sessions', dependencies: ['storage'] }
)
