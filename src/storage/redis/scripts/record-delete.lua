#!lua flags=allow-oom
-- Deletes a record and takes it from its parent's list.
--
-- KEYS 1: record (hash)   2: index of its parent, in the same slot
-- ARGV 1: id
-- Returns 'deleted'.

-- A key of a foreign type ends the script here, before anything is written.
redis.call('ZCARD', KEYS[2])
redis.call('HLEN', KEYS[1])
redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[2], ARGV[1])
return 'deleted'
