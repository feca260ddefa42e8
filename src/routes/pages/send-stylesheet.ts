import type { FastifyInstance } from 'fastify'
import { STYLESHEET, STYLESHEET_URL } from './stylesheet.js'

/** GET /assets/pages-….css: the one style sheet. */
export function sendStylesheet(app: FastifyInstance): void {
  app.get(STYLESHEET_URL, async (_request, reply) => {
    reply.header('cache-control', 'public, max-age=31536000, immutable')
    return reply.type('text/css; charset=utf-8').send(STYLESHEET)
  })
}
