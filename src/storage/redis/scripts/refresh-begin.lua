#!lua flags=allow-oom
-- Begins the family of refresh tokens of an authorization, unless it has begun.
--
-- KEYS 1: family
-- ARGV 1: user id   2: digest of the first token   3: time to keep it, in ms
-- Returns {user id, digest of the current token} as they are afterwards.

if redis.call('HSETNX', KEYS[1], 'current', ARGV[2]) == 1 then
  redis.call('HSET', KEYS[1], 'user', ARGV[1], 'rotated', '')
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
end
return redis.call('HMGET', KEYS[1], 'user', 'current')
