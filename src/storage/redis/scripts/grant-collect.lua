#!lua flags=allow-oom
-- Claims an approved grant. The layout of a grant is described in grant-create.lua.
--
-- KEYS 1: grant
-- ARGV 1: (tests) now in ms
-- Returns 'collected' (again, within 30 s of the first time), 'spent' or 'unknown'.

local head = redis.call('GETRANGE', KEYS[1], 0, 80)
if head == '' then return 'unknown' end

local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end

local phase = string.sub(head, 1, 1)
if phase == 'c' then
  if now > string.sub(head, 69, 81) + 30000 then return 'spent' end
  return 'collected'
end
if phase ~= 'a' or now >= string.sub(head, 9, 21) + 300000 then return 'unknown' end

redis.call('SETRANGE', KEYS[1], 68, string.format('%013d', now))
redis.call('SETRANGE', KEYS[1], 0, 'c')
-- Claimed in the last moment of its life, it must live through the time in which it can be claimed again.
if redis.call('PTTL', KEYS[1]) < 90000 then redis.call('PEXPIRE', KEYS[1], 90000) end
return 'collected'
