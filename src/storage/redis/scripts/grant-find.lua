#!lua flags=no-writes
-- Looks at a grant for whoever holds its user code. The layout of a grant is described in grant-create.lua.
--
-- KEYS 1: grant
-- ARGV 1: (tests) now in ms
-- Returns {'pending', record}, {'resolved', record} or 'unknown'.

local record = redis.call('GET', KEYS[1])
if not record then return 'unknown' end

local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end

local expires_at = tonumber(string.sub(record, 9, 21))
if now >= expires_at + 300000 then return 'unknown' end
if string.sub(record, 1, 1) == 'p' and now < expires_at then return {'pending', record} end
return {'resolved', record}
