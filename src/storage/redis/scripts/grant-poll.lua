#!lua flags=allow-oom
-- Judges one poll of a grant and remembers it. The layout of a grant is described in grant-create.lua, the rules are
-- those of src/core/grants/rules.ts. The hottest script there is: a pending grant costs one GETRANGE, TIME and SETRANGE.
--
-- KEYS 1: grant
-- ARGV 1: id of this poll, 12 characters: a repetition of the same poll gets the same answer
--      2: p, then how the tag of the client begins that may ask; to any other the grant is unknown   3: (tests) now in ms
-- Returns 'pending', 'denied', 'expired', 'spent' or 'unknown', or {'slow_down', interval in ms}, or {'approved', record}.

local call, sub = redis.call, string.sub

local head = call('GETRANGE', KEYS[1], '0', '80')
local asked = ARGV[2]
-- Phase and client in one comparison: so begins a grant that is pending, and the client's.
local is_pending = sub(head, 1, #asked) == asked
if not is_pending and (head == '' or sub(head, 2, #asked) ~= sub(asked, 2)) then return 'unknown' end

local now = tonumber(ARGV[3])
if not now then
  local time = call('TIME')
  now = time[1] * 1000 + (time[2] - time[2] % 1000) / 1000
end

local expires_at = tonumber(sub(head, 9, 21))

if is_pending and now < expires_at then
  local interval = tonumber(sub(head, 23, 27))
  if sub(head, 43, 54) == ARGV[1] then return 'pending' end
  if sub(head, 56, 67) == ARGV[1] then return {'slow_down', interval} end

  local grace = interval / 10
  if grace < 500 then grace = 500 end
  if now < sub(head, 29, 41) + interval - grace then
    interval = interval + 5000
    if interval > 60000 then interval = 60000 end
    call('SETRANGE', KEYS[1], '22', string.format('%05d %013d %s %s', interval, now, sub(head, 43, 54), ARGV[1]))
    return {'slow_down', interval}
  end
  -- Not written to disk nor to replicas: it would be most of what they do, and after a crash all that is forgotten is
  -- that this client has just asked. A refused poll, whose longer interval is for good, is kept everywhere.
  redis.set_repl(redis.REPL_NONE)
  call('SETRANGE', KEYS[1], '28', now .. ' ' .. ARGV[1])
  return 'pending'
end

local phase = sub(head, 1, 1)
if phase == 'c' then
  if now > sub(head, 69, 81) + 30000 then return 'spent' end
  return {'approved', call('GET', KEYS[1])}
end
if now >= expires_at + 300000 then return 'unknown' end
if phase == 'a' then return {'approved', call('GET', KEYS[1])} end
if phase == 'd' then return 'denied' end
return 'expired'
