#!lua flags=allow-oom
-- Counts one hit in a window of time, which the first hit opens.
--
-- KEYS 1: window (counter)
-- ARGV 1: length of the window in ms
-- Returns {count, ms until the window closes}.

local count = redis.call('INCR', KEYS[1])
if count == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return {count, redis.call('PTTL', KEYS[1])}
