#!lua flags=allow-oom,allow-cross-slot-keys
-- Judges polls, each of another grant, by the rules of src/core/grants/state-machine.ts, and remembers them. This is the script that
-- Redis runs most often: it costs one TIME, and a GETRANGE and a SETRANGE for every grant that is pending.
--
-- KEYS 1: grant   then: the other grants, but in a Cluster, where their slots differ
-- ARGV 1: id of this run, 12 characters: a repetition of the same run gets the same answer
--      2: the last moment at which the polls may be judged, Unix milliseconds: later nobody waits for the answer   3: number of polls
--      then: for every poll p and a prefix of client tags; to a client with another tag the grant is unknown
--      then: the grants that are not among KEYS   then: (tests) now in ms
-- Returns nil if all grants are pending. Otherwise it returns a list with {number of the poll, verdict, value} for each of the
-- others. Verdicts are 'denied', 'expired', 'spent' and 'unknown', 'slow_down' with the interval in ms, and 'approved' with the
-- record. A key that is no grant is UNREADABLE if it is the only one; among others it is 'failed', and to be polled by itself, so
-- that its error reaches nobody else's poll. A run that comes too late judges nothing, and returns {{0, 'late', now in ms}}.

local call, sub, find = redis.call, string.sub, string.find
local id, count = ARGV[1], tonumber(ARGV[3])
local others = 3 + count - #KEYS
local now = now_ms(ARGV[others + count + 1])
if now > ARGV[2] + 0 then return {{0, 'late', now}} end
local accepted = now .. ' ' .. id .. '+'

-- An accepted poll is written neither to disk nor to replicas, because such polls would be most of their load. After a
-- crash only the time of this client's last poll is lost. A refused poll lengthens the interval for good, so that is
-- written everywhere.
local is_replicated = true
local function write(replicate, key, at, text)
  if replicate ~= is_replicated then
    redis.set_repl(replicate and redis.REPL_ALL or redis.REPL_NONE)
    is_replicated = replicate
  end
  call('SETRANGE', key, at, text)
end

-- Judges the poll of one grant. Returns nothing if it is pending, otherwise the verdict and its value.
local function judge(key, asked)
  local head = call('GETRANGE', key, HEAD_START, HEAD_END)
  -- The head begins with phase and tag, so one comparison shows that the grant is pending and belongs to the client.
  local is_pending = sub(head, PHASE, #asked) == asked
  if not is_pending then
    if head == '' then return 'unknown' end
    if not find(head, GRANT) then error({err = 'UNREADABLE grant'}) end
    if sub(head, CLIENT_FROM, #asked) ~= sub(asked, CLIENT_FROM) then return 'unknown' end
  end

  -- Adding 0 converts text to a number without the cost of calling tonumber.
  local expires_at = sub(head, EXPIRES_FROM, EXPIRES_TO) + 0
  if is_pending and now < expires_at then
    local interval = sub(head, INTERVAL_FROM, INTERVAL_TO) + 0
    -- The column that has the id of this run, if its command was sent before, says which answer the poll got then.
    local column = find(head, id, ACCEPTED_FROM, true)
    if column == REFUSED_FROM then return 'slow_down', interval end
    if column then return end

    local polled_at = sub(head, POLLED_FROM, POLLED_TO) + 0
    local grace = interval / GRACE_DIVISOR
    if grace < SHORTEST_GRACE_MS then grace = SHORTEST_GRACE_MS end
    if now >= polled_at + interval - grace then return write(false, key, POLLED_AT, accepted) end
    if sub(head, REPEATABLE, REPEATABLE) == '+' and now <= polled_at + REPEAT_WITHIN_MS then
      -- This is the first repetition of an accepted poll.
      return write(false, key, REPEATABLE_AT, ' ' .. sub(head, REFUSED_FROM, REFUSED_TO) .. ' ' .. id)
    end
    interval = interval + SLOW_DOWN_STEP_MS
    if interval > LONGEST_INTERVAL_MS then interval = LONGEST_INTERVAL_MS end
    local accepted_id = sub(head, ACCEPTED_FROM, ACCEPTED_TO)
    write(true, key, INTERVAL_AT, string.format(REFUSAL, interval, now, accepted_id, id))
    return 'slow_down', interval
  end

  local phase = sub(head, PHASE, PHASE)
  if phase == 'c' then
    if now > sub(head, COLLECTED_FROM, COLLECTED_TO) + COLLECT_AGAIN_MS then return 'spent' end
    return 'approved', call('GET', key)
  end
  if now >= expires_at + RETENTION_MS then return 'unknown' end
  if phase == 'a' then return 'approved', call('GET', key) end
  if phase == 'd' then return 'denied' end
  return 'expired'
end

if count == 1 then
  local verdict, value = judge(KEYS[1], ARGV[4])
  return verdict and {{1, verdict, value}}
end
local verdicts
for i = 1, count do
  local is_judged, verdict, value = pcall(judge, KEYS[i] or ARGV[others + i], ARGV[3 + i])
  if not is_judged then verdict, value = 'failed', nil end
  if verdict then
    verdicts = verdicts or {}
    verdicts[#verdicts + 1] = {i, verdict, value}
  end
end
return verdicts
