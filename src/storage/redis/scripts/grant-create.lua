#!lua
-- Keeps a new pending grant.
--
-- KEYS 1: grant
-- ARGV 1: life in ms   2: interval in ms   3: ttl in ms   4: tag of the client   5: request as JSON   6: (tests) now in ms
-- Returns 'created'. If the grant is there, it changes nothing: this is a repetition of the call that created it.

if redis.call('STRLEN', KEYS[1]) > 0 then return 'created' end

local now = now_ms(ARGV[6])
local head = string.format(NEW_HEAD, ARGV[4], now + ARGV[1], ARGV[2], 0, NO_POLL, NO_POLL, 0)
redis.call('SET', KEYS[1], head .. '\n' .. ARGV[5], 'PX', ARGV[3])
return 'created'
