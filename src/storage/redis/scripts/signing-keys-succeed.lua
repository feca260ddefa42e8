#!lua flags=allow-oom
-- Adds a signing key if its predecessor is still the newest one, so that one of several instances that race wins.
--
-- KEYS 1: signing keys (hash: 'newest' holds a kid, every other field is a kid with its key as JSON)
-- ARGV 1: kid of the predecessor, or '' for none   2: kid   3: key as JSON   then kids that are obsolete
-- Returns all fields afterwards, as field, value, …

local newest = redis.call('HGET', KEYS[1], 'newest') or ''
if newest == ARGV[1] then
  redis.call('HSET', KEYS[1], ARGV[2], ARGV[3], 'newest', ARGV[2])
  for i = 4, #ARGV do redis.call('HDEL', KEYS[1], ARGV[i]) end
end
return redis.call('HGETALL', KEYS[1])
