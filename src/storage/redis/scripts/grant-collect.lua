#!lua flags=allow-oom
-- Claims an approved grant.
--
-- KEYS 1: grant
-- ARGV 1: (tests) now in ms
-- Returns 'collected' (again, within COLLECT_AGAIN_MS of the first time), 'spent' or 'unknown'; UNREADABLE if it is no grant.

local head = redis.call('GETRANGE', KEYS[1], HEAD_START, HEAD_END)
if head == '' then return 'unknown' end
if not string.find(head, GRANT) then return redis.error_reply('UNREADABLE grant') end

local now = now_ms(ARGV[1])
local phase = string.sub(head, PHASE, PHASE)
if phase == 'c' then
  if now > string.sub(head, COLLECTED_FROM, COLLECTED_TO) + COLLECT_AGAIN_MS then return 'spent' end
  return 'collected'
end
if phase ~= 'a' or now >= string.sub(head, EXPIRES_FROM, EXPIRES_TO) + RETENTION_MS then return 'unknown' end

redis.call('SETRANGE', KEYS[1], COLLECTED_AT, string.format(TIMESTAMP, now))
redis.call('SETRANGE', KEYS[1], PHASE_AT, 'c')
-- A grant that is collected in the last moment of its life must be kept for as long as it can be collected again.
local keep_ms = COLLECT_AGAIN_MS + TTL_SLACK_MS
if redis.call('PTTL', KEYS[1]) < keep_ms then redis.call('PEXPIRE', KEYS[1], keep_ms) end
return 'collected'
