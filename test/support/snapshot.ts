/** Takes a snapshot of all keys of a Redis server, to compare it with a later one. */
import type { RedisServer } from './redis-server.js'

/** One script does all, because some tests take two snapshots per request. A digest stands for the content of a key. */
const SCRIPT = `
local found = {}
for _, key in ipairs(redis.call('KEYS', '*')) do
  local content = redis.sha1hex(redis.call('DUMP', key))
  found[#found + 1] = { key, content .. ' until ' .. redis.call('PEXPIRETIME', key) }
end
return found`

/** What no request is the cause of, or every one is: the marker, in which an instance says each ten seconds that it is there, and limits. */
const LEFT_OUT = /:(limit|marker):/

/** Returns every key of the server but those, with a digest of its content and its expiry. */
export async function snapshot({ client }: RedisServer): Promise<Map<string, string>> {
  const found = (await client.eval(SCRIPT, 0)) as [string, string][]
  return new Map(found.filter(([key]) => !LEFT_OUT.test(key)).sort(([one], [other]) => (one < other ? -1 : 1)))
}
