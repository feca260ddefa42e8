#!lua flags=allow-oom
-- Releases a lock, if this holder has it or nobody has it.
--
-- KEYS 1: lock
-- ARGV 1: holder
-- Returns 'released' or 'held'.

local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 'held' end
redis.call('DEL', KEYS[1])
return 'released'
