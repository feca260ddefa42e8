/** The files the pages refer to, read at start. A URL names its content by a digest, so that it can be cached for ever. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { FastifyInstance } from 'fastify'

interface Asset {
  url: string
  type: string
  content: string
}

function readAsset(name: string, extension: string, type: string): Asset {
  const content = readFileSync(new URL(`./assets/${name}.${extension}`, import.meta.url), 'utf8')
  const digest = createHash('sha256').update(content).digest('hex').slice(0, 16)
  return { url: `/assets/${name}-${digest}.${extension}`, type, content }
}

export const STYLESHEET = readAsset('pages', 'css', 'text/css; charset=utf-8')
export const ICON = readAsset('icon', 'svg', 'image/svg+xml')

/** GET /assets/…: the style sheet and the icon, which browsers also look for at /favicon.ico where no page names it. */
export function sendAssets(app: FastifyInstance): void {
  for (const { url, type, content } of [STYLESHEET, ICON]) {
    app.get(url, async (_request, reply) => {
      reply.header('cache-control', 'public, max-age=31536000, immutable')
      return reply.type(type).send(content)
    })
  }
  app.get('/favicon.ico', async (_request, reply) => {
    reply.header('cache-control', 'public, max-age=86400')
    return reply.type(ICON.type).send(ICON.content)
  })
}
