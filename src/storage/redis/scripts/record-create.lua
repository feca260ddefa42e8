#!lua flags=allow-oom
-- Creates a record and lists it under its parent, unless it is there. With a cap it creates none where the parent has so many.
--
-- KEYS 1: record (hash)   2: index of its parent (sorted set: ids by the end of their life), in the same slot
-- ARGV 1: id   2: time to keep it, in ms   3: most records under the parent, or ''   4: count those that live longer, in ms
--      then field, value, …
-- Returns the fields afterwards, as field, value, …; or 'full'.

-- A key of a foreign type ends the script here, before anything is written.
redis.call('ZCARD', KEYS[2])
if redis.call('HLEN', KEYS[1]) == 0 then
  local now, fraction = now_ms()
  if ARGV[3] ~= '' and redis.call('ZCOUNT', KEYS[2], '(' .. now + ARGV[4], '+inf') >= tonumber(ARGV[3]) then
    return 'full'
  end
  redis.call('HSET', KEYS[1], unpack(ARGV, 5))
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
  -- The fraction keeps records of one life in the order of their creation.
  redis.call('ZADD', KEYS[2], now + fraction + ARGV[2], ARGV[1])
  if redis.call('PTTL', KEYS[2]) < tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[2], ARGV[2]) end
end
return redis.call('HGETALL', KEYS[1])
