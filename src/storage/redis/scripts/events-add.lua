#!lua flags=allow-oom
-- Adds events at the end of the audit trail, and drops the oldest beyond a bound, about: whole nodes of the stream go. Those that not
-- anybody can cause are added once more to a stream of their own, under the same id. It may run when memory is full, because what is told
-- (a decision, a revocation) may happen then.
--
-- KEYS 1: events (stream: ids of Redis's own time)   2: events that not anybody can cause (stream)
-- ARGV 1: how many each keeps   2: how many fields and values an event has   then of every event 1 if it goes into both, else 0, and those
-- Returns their ids.

local size = tonumber(ARGV[2])
-- Fails before anything is written if the second key is no stream.
redis.call('XLEN', KEYS[2])
local ids = {}
for i = 3, #ARGV, size + 1 do
  local last = i + size
  local id = redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', unpack(ARGV, i + 1, last))
  -- If the first stream was deleted and the clock has gone back, the second one has greater ids, and goes on from those.
  if ARGV[i] == '1' and type(redis.pcall('XADD', KEYS[2], 'MAXLEN', '~', ARGV[1], id, unpack(ARGV, i + 1, last))) == 'table' then
    redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[1], '*', unpack(ARGV, i + 1, last))
  end
  ids[#ids + 1] = id
end
return ids
