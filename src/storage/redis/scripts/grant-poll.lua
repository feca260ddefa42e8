#!lua flags=allow-oom
-- Judges one poll of a grant and remembers it. The layout of a grant is described in grant-create.lua, the rules are
-- those of src/grants/rules.ts. The hottest script there is: a pending grant costs one GETRANGE, TIME and SETRANGE.
--
-- KEYS 1: grant
-- ARGV 1: id of this poll, 12 characters: a repetition of the same poll gets the same answer
--      2: how the tag of the client begins that may ask; to any other the grant is unknown   3: (tests) now in ms
-- Returns 'pending', 'denied', 'expired', 'spent' or 'unknown', or {'slow_down', interval in ms}, or {'approved', record}.

local call, sub = redis.call, string.sub

local head = call('GETRANGE', KEYS[1], '0', '81')
local client = ARGV[2]
if sub(head, 77, 76 + #client) ~= client or head == '' then return 'unknown' end

local now = tonumber(ARGV[3])
if not now then
  local time = call('TIME')
  now = time[1] * 1000 + (time[2] - time[2] % 1000) / 1000
end

local phase = sub(head, 1, 1)
local expires_at = tonumber(sub(head, 3, 15))

if phase == 'p' and now < expires_at then
  local interval = tonumber(sub(head, 17, 21))
  if sub(head, 37, 48) == ARGV[1] then return 'pending' end
  if sub(head, 50, 61) == ARGV[1] then return {'slow_down', interval} end

  local grace = interval / 10
  if grace < 500 then grace = 500 end
  if now < sub(head, 23, 35) + interval - grace then
    interval = interval + 5000
    if interval > 60000 then interval = 60000 end
    call('SETRANGE', KEYS[1], '16', string.format('%05d %013d %s %s', interval, now, sub(head, 37, 48), ARGV[1]))
    return {'slow_down', interval}
  end
  -- Not written to disk nor to replicas: it would be most of what they do, and after a crash all that is forgotten is
  -- that this client has just asked. A refused poll, whose longer interval is for good, is kept everywhere.
  redis.set_repl(redis.REPL_NONE)
  call('SETRANGE', KEYS[1], '22', now .. ' ' .. ARGV[1])
  return 'pending'
end

if phase == 'c' then
  if now > sub(head, 63, 75) + 30000 then return 'spent' end
  return {'approved', call('GET', KEYS[1])}
end
if now >= expires_at + 300000 then return 'unknown' end
if phase == 'a' then return {'approved', call('GET', KEYS[1])} end
if phase == 'd' then return 'denied' end
return 'expired'
