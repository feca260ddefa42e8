#!lua flags=allow-oom
-- Withdraws a pending grant, for the client that holds its grant code, and tells every instance.
--
-- KEYS 1: grant
-- ARGV 1: prefix of client tags; to a client with another tag the grant is unknown   2: channel, in the slot of the grant
--      3: message for it   4: (tests) now in ms
-- Returns {'withdrawn', record} (again, when it was before), {'approved', record}, 'resolved' (denied or expired) or 'unknown';
-- UNREADABLE if it is no grant.

local record = redis.call('GET', KEYS[1])
if not record then return 'unknown' end
if not string.find(record, GRANT) then return redis.error_reply('UNREADABLE grant') end
if string.sub(record, CLIENT_FROM, PHASE + #ARGV[1]) ~= ARGV[1] then return 'unknown' end

local now = now_ms(ARGV[4])
local phase = string.sub(record, PHASE, PHASE)
if phase == 'c' and now <= string.sub(record, COLLECTED_FROM, COLLECTED_TO) + COLLECT_AGAIN_MS then
  return {'approved', record}
end
local expires_at = tonumber(string.sub(record, EXPIRES_FROM, EXPIRES_TO))
if now >= expires_at + RETENTION_MS then return 'unknown' end
if phase == 'a' or phase == 'c' then return {'approved', record} end
if phase == 'w' then return {'withdrawn', record} end
if phase == 'd' or now >= expires_at then return 'resolved' end

-- The third line is an empty decision, because an instance of version 0.1 parses it in every grant that is not pending.
redis.call('SET', KEYS[1], 'w' .. string.sub(record, CLIENT_FROM) .. '\n{}', 'KEEPTTL')
-- The withdrawal stands even if this user of Redis may not publish it: an instance that is not told asks Redis again.
redis.pcall('SPUBLISH', ARGV[2], ARGV[3])
return {'withdrawn', record}
