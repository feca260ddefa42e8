#!lua flags=allow-oom
-- Counts the marker on by one, and makes it if there is none. Looks whether it has the last beat of whoever asks.
--
-- KEYS 1: marker (hash: id, number of the last beat, at, newest event of the trail, and the tags of the last beats by their number's remainder by ARGV 3)
-- ARGV 1: id of a new marker   2: tag of this beat   3: how many tags are remembered   4: number of the last beat of the caller, or ''
--      5: its tag   6: newest event of the trail, or ''   7: now in ms, in tests
-- Returns {id, number, when it was counted on before or '', now, event noted before or '', 'kept' or 'lost'}; UNREADABLE if it holds something else.

local now = math.floor(now_ms(ARGV[7]))
local id, number, at, event = unpack(redis.call('HMGET', KEYS[1], 'id', 'number', 'at', 'event'))
number = tonumber(number or '0')
if not number then return redis.error_reply('UNREADABLE marker') end

local verdict = 'kept'
local last = tonumber(ARGV[4])
if last then
  local is_remembered = number - last < tonumber(ARGV[3])
  if last > number or (is_remembered and redis.call('HGET', KEYS[1], last % ARGV[3]) ~= ARGV[5]) then verdict = 'lost' end
end

id = id or ARGV[1]
number = number + 1
redis.call('HSET', KEYS[1], 'id', id, 'number', number, 'at', now, 'event', ARGV[6], number % ARGV[3], ARGV[2])
return {id, number, at or '', now, event or '', verdict}
