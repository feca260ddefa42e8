#!lua flags=allow-oom
-- Takes one of a limited number of attempts. An attempt comes free again one window after it was taken.
--
-- KEYS 1: attempts (sorted set: ids by the time they were taken)
-- ARGV 1: id of the attempt, or '' to take none   2: limit   3: window in ms   4: (tests) now in ms
-- Returns -1 if the attempt is taken (now, or by the same call before) or could be, otherwise the ms until one comes free.

local now = now_ms(ARGV[4])

if redis.call('ZSCORE', KEYS[1], ARGV[1]) then return -1 end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[3])
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then
  local oldest = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
  return math.max(1, oldest[2] + ARGV[3] - now)
end
if ARGV[1] == '' then return -1 end
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return -1
