#!lua flags=allow-oom
-- Writes a fence: a small write directly before a WAIT. WAIT only covers up to the last write of its own connection, and a
-- repeated script may have nothing left to write.
--
-- KEYS 1: fence
-- ARGV 1: how long to keep it, in ms
-- Returns 'written'.

-- A key of a foreign type ends the script here, before anything is written.
redis.call('STRLEN', KEYS[1])
redis.call('SET', KEYS[1], '', 'PX', ARGV[1])
return 'written'
