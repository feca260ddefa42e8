#!lua flags=allow-oom
-- Adds events at the end of the audit trail, and drops the oldest beyond a bound, about: whole nodes of the stream go. It may run when
-- memory is full, because what is told (a decision, a revocation) may happen then.
--
-- KEYS 1: events (stream: ids of Redis's own time)
-- ARGV 1: how many are kept   2: how many fields and values an event has   then those of every event
-- Returns the id of the last one.

local size = tonumber(ARGV[2])
local id
for i = 3, #ARGV, size do
  id = redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', unpack(ARGV, i, i + size - 1))
end
return id
