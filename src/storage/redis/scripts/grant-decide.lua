#!lua flags=allow-oom
-- Decides a pending grant, once, and tells every instance.
--
-- KEYS 1: grant
-- ARGV 1: phase to enter, a or d   2: decision as JSON   3: user id   4: channel, in the slot of the grant   5: message for it
--      6: (tests) now in ms
-- Returns {'decided', now in ms, record}, or {'repeated', id of the authorization} (the same user decided the same before),
-- 'resolved', 'withdrawn' or 'unknown'; UNREADABLE if it is no grant.

local record = redis.call('GET', KEYS[1])
if not record then return 'unknown' end
if not string.find(record, GRANT) then return redis.error_reply('UNREADABLE grant') end

local now = now_ms(ARGV[6])
local expires_at = tonumber(string.sub(record, EXPIRES_FROM, EXPIRES_TO))
if now >= expires_at + RETENTION_MS then return 'unknown' end

local phase = string.sub(record, PHASE, PHASE)
if phase == 'p' then
  if now >= expires_at then return 'resolved' end
  redis.call('SET', KEYS[1], ARGV[1] .. string.sub(record, CLIENT_FROM) .. '\n' .. ARGV[2], 'KEEPTTL')
  -- The decision stands even if this user of Redis may not publish it: an instance that is not told asks Redis again.
  redis.pcall('SPUBLISH', ARGV[4], ARGV[5])
  return {'decided', now, record}
end
if phase == 'w' then return 'withdrawn' end

local decided = phase == 'd' and 'd' or 'a'
local decision = cjson.decode(string.match(record, '\n[^\n]*\n(.*)$'))
if decided == ARGV[1] and decision.user == ARGV[3] then return {'repeated', decision.client} end
return 'resolved'
