/** The one style sheet of the pages, read at start; its URL names its content, so that it can be kept for ever. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'

export const STYLESHEET = readFileSync(new URL('./assets/pages.css', import.meta.url), 'utf8')
export const STYLESHEET_URL = `/assets/pages-${createHash('sha256').update(STYLESHEET).digest('hex').slice(0, 16)}.css`
