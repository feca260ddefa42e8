#!lua flags=allow-oom
-- Creates a record and lists it under its parent, unless it is there.
--
-- KEYS 1: record (hash)   2: index of its parent (sorted set: ids by the end of their life), in the same slot
-- ARGV 1: id   2: time to keep it, in ms   then field, value, …
-- Returns the fields afterwards, as field, value, …

-- A key of a foreign type ends the script here, before anything is written.
redis.call('ZCARD', KEYS[2])
if redis.call('HLEN', KEYS[1]) == 0 then
  local now = now_ms()
  redis.call('HSET', KEYS[1], unpack(ARGV, 3))
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
  redis.call('ZADD', KEYS[2], now + ARGV[2], ARGV[1])
  if redis.call('PTTL', KEYS[2]) < tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[2], ARGV[2]) end
end
return redis.call('HGETALL', KEYS[1])
