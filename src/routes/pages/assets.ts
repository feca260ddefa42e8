/**
 * The static files of the pages, built once at boot: the style sheet and the icon in the operator's accent colour, and the
 * operator's logo. Each URL contains a digest of the content, so that browsers can cache it for ever.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { FastifyInstance } from 'fastify'
import type { App } from '../app.js'

interface Asset {
  url: string
  type: string
  content: string
}

export interface Assets {
  stylesheet: Asset
  icon: Asset
  /** The operator's logo. */
  logo: Asset | undefined
}

type Brand = App['config']['brand']

/** The files of the style sheet, in order. */
const STYLES = ['base', 'frame', 'forms', 'code-field', 'parts', 'question', 'lists']
/** The fill colour of the icon's source file, which the accent replaces. */
const ICON_COLOR = 'color="#0b57c4"'
/** The logo is the only file from outside, so this policy forbids it everything but drawing, even when it is opened by itself. */
const LOGO_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox"

/** Reads the files and inserts the operator's brand. */
export function createAssets({ light, dark, logo }: Brand): Assets {
  const styles = STYLES.map((name) => read(`styles/${name}.css`))
  const icon = read('icon.svg').replace(ICON_COLOR, `color="${light.color}"`)
  return {
    stylesheet: asset('pages', 'css', 'text/css; charset=utf-8', [accents(light, dark), ...styles].join('\n')),
    icon: asset('icon', 'svg', 'image/svg+xml', icon),
    logo: logo === undefined ? undefined : asset('logo', 'svg', 'image/svg+xml', logo)
  }
}

const read = (name: string) => readFileSync(new URL(`./assets/${name}`, import.meta.url), 'utf8')

function asset(name: string, extension: string, type: string, content: string): Asset {
  const digest = createHash('sha256').update(content).digest('hex').slice(0, 16)
  return { url: `/assets/${name}-${digest}.${extension}`, type, content }
}

function accents(light: Brand['light'], dark: Brand['dark']): string {
  const rule = ({ color, onColor, pressed }: Brand['light']) =>
    `:root { --accent: ${color}; --on-accent: ${onColor}; --accent-pressed: ${pressed}; }`
  return `${rule(light)}\n@media (prefers-color-scheme: dark) { ${rule(dark)} }`
}

/** GET /assets/…: the files; browsers also look for the icon at /favicon.ico where no page names it. */
export function sendAssets(app: FastifyInstance, { stylesheet, icon, logo }: Assets): void {
  for (const one of [stylesheet, icon, ...(logo ? [logo] : [])]) {
    app.get(one.url, async (_request, reply) => {
      reply.header('cache-control', 'public, max-age=31536000, immutable')
      if (one === logo) reply.header('content-security-policy', LOGO_POLICY)
      return reply.type(one.type).send(one.content)
    })
  }
  app.get('/favicon.ico', async (_request, reply) => {
    reply.header('cache-control', 'public, max-age=86400')
    return reply.type(icon.type).send(icon.content)
  })
}
