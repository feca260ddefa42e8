#!lua flags=allow-oom
-- Writes something, for WAIT to wait for: it looks no further back than the last write of its own connection, and a write
-- that is repeated may have nothing left to write.
--
-- KEYS 1: fence
-- ARGV 1: how long to keep it, in ms
-- Returns 'written'.

-- It is of its type, or this ends before anything is written.
redis.call('STRLEN', KEYS[1])
redis.call('SET', KEYS[1], '', 'PX', ARGV[1])
return 'written'
