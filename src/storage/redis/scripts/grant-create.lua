#!lua
-- Keeps a new pending grant.
--
-- A grant is one string of up to three lines. The first is its head, in columns of fixed width, so that a poll reads and
-- writes a few bytes of it and nothing else; the second is the request, the third (once decided) the decision, both JSON.
--
--   column  1      phase: p pending, a approved, d denied, c collected
--           2-7    tag of the client that asks
--           9-21   expires at, Unix milliseconds
--          23-27   interval, milliseconds
--          29-41   polled at, Unix milliseconds; 0 before the first poll
--          43-54   id of the last accepted poll
--          56-67   id of the last refused poll
--          69-81   collected at, Unix milliseconds
--
-- KEYS 1: grant
-- ARGV 1: life in ms   2: interval in ms   3: ttl in ms   4: tag of the client   5: request as JSON   6: (tests) now in ms
-- Returns 'created', and changes nothing if the grant is there: then this is a repetition of the same call.

if redis.call('STRLEN', KEYS[1]) > 0 then return 'created' end

local now = tonumber(ARGV[6])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end

local none = '------------'
local head = string.format('p%s %013d %05d %013d %s %s %013d', ARGV[4], now + ARGV[1], ARGV[2], 0, none, none, 0)
redis.call('SET', KEYS[1], head .. '\n' .. ARGV[5], 'PX', ARGV[3])
return 'created'
