#!lua flags=allow-oom
-- Deletes a record and takes it from its parent's list. With a condition, it does so only if one field has a certain value.
--
-- KEYS 1: record (hash)   2: index of its parent, in the same slot
-- ARGV 1: id   2: field that must have a value, or ''   3: that value
-- Returns 'deleted' or, where the condition is not met, 'kept'.

-- A key of a foreign type ends the script here, before anything is written.
redis.call('ZCARD', KEYS[2])
redis.call('HLEN', KEYS[1])
if ARGV[2] ~= '' and redis.call('HGET', KEYS[1], ARGV[2]) ~= ARGV[3] then return 'kept' end
redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[2], ARGV[1])
return 'deleted'
