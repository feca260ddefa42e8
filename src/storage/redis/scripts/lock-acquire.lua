#!lua flags=allow-oom
-- Takes a lock, unless another holder has it.
--
-- KEYS 1: lock
-- ARGV 1: holder   2: how long, in ms
-- Returns 'acquired' or 'held'.

local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 'held' end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 'acquired'
