#!lua flags=allow-oom
-- Takes over revocations that were announced and not finished, and drops entries of the feed that have ended.
--
-- KEYS 1: entries   2: order   3: ends   4: unfinished (as in revocation-announce.lua)
-- ARGV 1: now in ms   2: takes what was announced at this time or before   3: drops what ended then or before   4: most of either
-- Returns the number of dropped entries, then '<id> <user id>', …; these count as announced now.

-- A key of a foreign type ends the script here, before anything is written.
redis.call('HLEN', KEYS[1])
redis.call('ZCARD', KEYS[2])

local ended = redis.call('ZRANGE', KEYS[3], '-inf', ARGV[3], 'BYSCORE', 'LIMIT', '0', ARGV[4])
local unfinished = redis.call('ZRANGE', KEYS[4], '-inf', ARGV[2], 'BYSCORE', 'LIMIT', '0', ARGV[4])

if #ended > 0 then
  redis.call('HDEL', KEYS[1], unpack(ended))
  redis.call('ZREM', KEYS[2], unpack(ended))
  redis.call('ZREM', KEYS[3], unpack(ended))
end
-- Other instances leave them to this one for as long.
for i = 1, #unfinished do redis.call('ZADD', KEYS[4], ARGV[1], unfinished[i]) end
return {#ended, unpack(unfinished)}
