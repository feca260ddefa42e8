/** The files the pages refer to, read at start; a URL names its content, so that it can be kept for ever. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'

export interface Asset {
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
