/** All that a server holds, to be compared with what it held before. */
import type { RedisServer } from './redis-server.js'

/** One command, so that looking twice per request costs a test little. A digest of the content says whether it is the same. */
const SCRIPT = `
local found = {}
for _, key in ipairs(redis.call('KEYS', '*')) do
  local content = redis.sha1hex(redis.call('DUMP', key))
  found[#found + 1] = { key, content .. ' until ' .. redis.call('PEXPIRETIME', key) }
end
return found`

/** Every key of the server but the counters of limits, with its content and the time it ends. */
export async function snapshot({ client }: RedisServer): Promise<Map<string, string>> {
  const found = (await client.eval(SCRIPT, 0)) as [string, string][]
  return new Map(found.filter(([key]) => !key.includes(':limit:')).sort(([one], [other]) => (one < other ? -1 : 1)))
}
