#!lua flags=allow-oom
-- Judges one poll of a grant, by the rules of src/core/grants/rules.ts, and remembers it. This is the script that Redis runs
-- most often: a poll of a pending grant costs one GETRANGE, one TIME and one SETRANGE.
--
-- KEYS 1: grant
-- ARGV 1: id of this poll, 12 characters: a repetition of the same poll gets the same answer
--      2: p and a prefix of client tags; to a client with another tag the grant is unknown   3: (tests) now in ms
-- Returns 'pending', 'denied', 'expired', 'spent' or 'unknown', or {'slow_down', interval in ms}, or {'approved', record};
-- UNREADABLE if it is no grant.

local call, sub, find = redis.call, string.sub, string.find

local head = call('GETRANGE', KEYS[1], HEAD_START, HEAD_END)
local asked = ARGV[2]
-- The head begins with phase and tag, so one comparison shows that the grant is pending and belongs to the client.
local is_pending = sub(head, PHASE, #asked) == asked
if not is_pending then
  if head == '' then return 'unknown' end
  if not find(head, GRANT) then return redis.error_reply('UNREADABLE grant') end
  if sub(head, CLIENT_FROM, #asked) ~= sub(asked, CLIENT_FROM) then return 'unknown' end
end

local now = now_ms(ARGV[3])
-- Adding 0 converts text to a number without the cost of calling tonumber.
local expires_at = sub(head, EXPIRES_FROM, EXPIRES_TO) + 0

if is_pending and now < expires_at then
  local interval = sub(head, INTERVAL_FROM, INTERVAL_TO) + 0
  -- The column that has the id of this poll, if its command was sent before, says which answer it got then.
  local column = find(head, ARGV[1], ACCEPTED_FROM, true)
  if column == REFUSED_FROM then return {'slow_down', interval} end
  if column then return 'pending' end

  local grace = interval / GRACE_DIVISOR
  if grace < SHORTEST_GRACE_MS then grace = SHORTEST_GRACE_MS end
  if now < sub(head, POLLED_FROM, POLLED_TO) + interval - grace then
    if sub(head, REPEATABLE, REPEATABLE) == '+' and now <= sub(head, POLLED_FROM, POLLED_TO) + REPEAT_WITHIN_MS then
      -- This is the first repetition of an accepted poll, and like that one it is written neither to disk nor to replicas.
      redis.set_repl(redis.REPL_NONE)
      call('SETRANGE', KEYS[1], REPEATABLE_AT, ' ' .. sub(head, REFUSED_FROM, REFUSED_TO) .. ' ' .. ARGV[1])
      return 'pending'
    end
    interval = interval + SLOW_DOWN_STEP_MS
    if interval > LONGEST_INTERVAL_MS then interval = LONGEST_INTERVAL_MS end
    local refusal = string.format(REFUSAL, interval, now, sub(head, ACCEPTED_FROM, ACCEPTED_TO), ARGV[1])
    call('SETRANGE', KEYS[1], INTERVAL_AT, refusal)
    return {'slow_down', interval}
  end
  -- An accepted poll is written neither to disk nor to replicas, because such polls would be most of their load. After a
  -- crash only the time of this client's last poll is lost. A refused poll lengthens the interval for good, so that is
  -- written everywhere.
  redis.set_repl(redis.REPL_NONE)
  call('SETRANGE', KEYS[1], POLLED_AT, now .. ' ' .. ARGV[1] .. '+')
  return 'pending'
end

local phase = sub(head, PHASE, PHASE)
if phase == 'c' then
  if now > sub(head, COLLECTED_FROM, COLLECTED_TO) + COLLECT_AGAIN_MS then return 'spent' end
  return {'approved', call('GET', KEYS[1])}
end
if now >= expires_at + RETENTION_MS then return 'unknown' end
if phase == 'a' then return {'approved', call('GET', KEYS[1])} end
if phase == 'd' then return 'denied' end
return 'expired'
