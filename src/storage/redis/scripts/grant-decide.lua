#!lua flags=allow-oom
-- Decides a pending grant, once, and tells every instance. The layout of a grant is described in grant-create.lua.
--
-- KEYS 1: grant
-- ARGV 1: phase to enter, a or d   2: decision as JSON   3: user id   4: channel, in the slot of the grant   5: what to say there
--      6: (tests) now in ms
-- Returns {'decided', now in ms, record}, or 'repeated' (the same user decided the same before), 'resolved' or 'unknown'.

local record = redis.call('GET', KEYS[1])
if not record then return 'unknown' end

local now = tonumber(ARGV[6])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end

local expires_at = tonumber(string.sub(record, 9, 21))
if now >= expires_at + 300000 then return 'unknown' end

local phase = string.sub(record, 1, 1)
if phase == 'p' then
  if now >= expires_at then return 'resolved' end
  redis.call('SET', KEYS[1], ARGV[1] .. string.sub(record, 2) .. '\n' .. ARGV[2], 'KEEPTTL')
  -- The decision stands whether or not it may be spoken of: who is not told asks again.
  redis.pcall('SPUBLISH', ARGV[4], ARGV[5])
  return {'decided', now, record}
end

local decided = phase == 'd' and 'd' or 'a'
local user = cjson.decode(string.match(record, '\n[^\n]*\n(.*)$')).user
if decided == ARGV[1] and user == ARGV[3] then return 'repeated' end
return 'resolved'
