#!lua flags=no-writes
-- Looks at a grant: for whoever decides it or lists what waits, and for a poll that is held, which must not count again.
--
-- KEYS 1: grant
-- ARGV 1: (tests) now in ms
-- Returns {'pending', record}, {'resolved', record}, {'withdrawn', record} or 'unknown'; UNREADABLE if it is no grant.

local record = redis.call('GET', KEYS[1])
if not record then return 'unknown' end
if not string.find(record, GRANT) then return redis.error_reply('UNREADABLE grant') end

local now = now_ms(ARGV[1])
local expires_at = tonumber(string.sub(record, EXPIRES_FROM, EXPIRES_TO))
if now >= expires_at + RETENTION_MS then return 'unknown' end
local phase = string.sub(record, PHASE, PHASE)
if phase == 'p' and now < expires_at then return {'pending', record} end
if phase == 'w' then return {'withdrawn', record} end
return {'resolved', record}
