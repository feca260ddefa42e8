#!lua
-- Keeps a new pending grant.
--
-- KEYS 1: grant
-- ARGV 1: life in ms   2: interval in ms   3: ttl in ms   4: tag of the client   5: request as JSON
--      6: + if a grant that is there and pending begins its life anew   7: (tests) now in ms
-- Returns 'created'. A grant that is there otherwise stays as it is: this is a repetition of the call that created it. UNREADABLE if
-- what would begin anew is no grant.

local head = redis.call('GETRANGE', KEYS[1], HEAD_START, HEAD_END)
if head ~= '' then
  if ARGV[6] ~= '+' then return 'created' end
  if not string.find(head, GRANT) then return redis.error_reply('UNREADABLE grant') end
  if string.sub(head, PHASE, PHASE) ~= 'p' then return 'created' end
end

local now = now_ms(ARGV[7])
local new_head = string.format(NEW_HEAD, ARGV[4], now + ARGV[1], ARGV[2], 0, NO_POLL, NO_POLL, 0)
redis.call('SET', KEYS[1], new_head .. '\n' .. ARGV[5], 'PX', ARGV[3])
return 'created'
