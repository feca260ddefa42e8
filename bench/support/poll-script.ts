/** The product's own poll script, for whoever runs it without the product. */
import { readFileSync } from 'node:fs'

export const POLL_SCRIPT = readFileSync(
  new URL('../../src/storage/redis/scripts/grant-poll.lua', import.meta.url),
  'utf8'
)
