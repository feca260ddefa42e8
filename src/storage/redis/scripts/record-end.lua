#!lua flags=allow-oom
-- Ends records of one parent: each that exists gets a field, unless it has it, and none is kept longer than a time.
--
-- KEYS 1: index of the parent   then records (hashes), in the same slot
-- ARGV 1: field   2: its value   3: field that goes, or ''   4: time to keep them, in ms   then an id for each record
-- Returns the ids of those that got the field.

-- A key of a foreign type ends the script here, before anything is written.
redis.call('ZCARD', KEYS[1])
local exists = {}
for i = 2, #KEYS do exists[i] = redis.call('HLEN', KEYS[i]) > 0 end

local ended = {}
local until_ms = now_ms() + ARGV[4]
for i = 2, #KEYS do
  local id = ARGV[i + 3]
  if exists[i] then
    if redis.call('HSETNX', KEYS[i], ARGV[1], ARGV[2]) == 1 then ended[#ended + 1] = id end
    if ARGV[3] ~= '' then redis.call('HDEL', KEYS[i], ARGV[3]) end
    if redis.call('PTTL', KEYS[i]) > tonumber(ARGV[4]) then redis.call('PEXPIRE', KEYS[i], ARGV[4]) end
    redis.call('ZADD', KEYS[1], 'XX', 'LT', until_ms, id)
  else
    redis.call('ZREM', KEYS[1], id)
  end
end
return ended
