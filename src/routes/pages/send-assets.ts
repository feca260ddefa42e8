import type { FastifyInstance } from 'fastify'
import { ICON, STYLESHEET } from './assets.js'

/** GET /assets/…: the style sheet and the icon. */
export function sendAssets(app: FastifyInstance): void {
  for (const { url, type, content } of [STYLESHEET, ICON]) {
    app.get(url, async (_request, reply) => {
      reply.header('cache-control', 'public, max-age=31536000, immutable')
      return reply.type(type).send(content)
    })
  }
}
