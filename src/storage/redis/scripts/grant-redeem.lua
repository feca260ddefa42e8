#!lua flags=allow-oom
-- Looks at a code grant, or redeems it: once, for whoever comes first.
--
-- KEYS 1: grant
-- ARGV 1: tag of the client; to a client with another tag the grant is unknown   2: id of this run, 12 characters: a repetition of
--      the run that redeemed it gets the same answer; empty to look only   3: (tests) now in ms
-- Returns {'open', record} (nobody has redeemed it, and there is time to), 'collected' (by this run), {'spent', record} or 'unknown';
-- UNREADABLE if it is no grant.

local record = redis.call('GET', KEYS[1])
if not record then return 'unknown' end
if not string.find(record, GRANT) then return redis.error_reply('UNREADABLE grant') end
if string.sub(record, CLIENT_FROM, CLIENT_TO) ~= ARGV[1] then return 'unknown' end

local now = now_ms(ARGV[3])
local expires_at = tonumber(string.sub(record, EXPIRES_FROM, EXPIRES_TO))
if now >= expires_at + RETENTION_MS then return 'unknown' end
local phase = string.sub(record, PHASE, PHASE)
if phase == 'c' then
  -- No poll has written its id there, because no poll finds a code grant.
  if string.sub(record, ACCEPTED_FROM, ACCEPTED_TO) == ARGV[2] then return 'collected' end
  return {'spent', record}
end
if phase ~= 'a' or now >= expires_at then return 'unknown' end
if ARGV[2] == '' then return {'open', record} end

local until_id, from_id = string.sub(record, CLIENT_FROM, ACCEPTED_FROM - 1), string.sub(record, REPEATABLE, COLLECTED_FROM - 1)
local collected_at, rest = string.format(TIMESTAMP, now), string.sub(record, COLLECTED_TO + 1)
redis.call('SET', KEYS[1], 'c' .. until_id .. ARGV[2] .. from_id .. collected_at .. rest, 'KEEPTTL')
return 'collected'
