#!lua flags=allow-oom
-- Takes one attempt of so many, each of which comes free again a window after it was taken.
--
-- KEYS 1: attempts (sorted set: ids by the time they were taken)
-- ARGV 1: id of the attempt   2: limit   3: window in ms   4: (tests) now in ms
-- Returns -1 if the attempt is taken (now, or by the same call before), otherwise the ms until one comes free.

local now = tonumber(ARGV[4])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end

if redis.call('ZSCORE', KEYS[1], ARGV[1]) then return -1 end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[3])
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then
  local oldest = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
  return math.max(1, oldest[2] + ARGV[3] - now)
end
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return -1
