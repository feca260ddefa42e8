#!lua flags=allow-oom
-- Changes fields of a record only if it exists, so that an expired record is never recreated. With a condition, it changes
-- them only if one field has a certain value (compare-and-set).
--
-- KEYS 1: record (hash)   2: index of its parent, in the same slot
-- ARGV 1: id   2: new time to keep it, in ms, or ''   3: set, or shorten: only if it would be kept for longer
--      4: field that must have a value, or ''   5: that value   then set | once | clear, field, value, …
-- Returns the fields afterwards, as field, value, …; none if there is no such record.

-- A key of a foreign type ends the script here, before anything is written.
redis.call('ZCARD', KEYS[2])
if redis.call('HLEN', KEYS[1]) == 0 then return {} end
if ARGV[4] ~= '' and redis.call('HGET', KEYS[1], ARGV[4]) ~= ARGV[5] then return redis.call('HGETALL', KEYS[1]) end

for i = 6, #ARGV, 3 do
  local change, field, value = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  if change == 'set' then
    redis.call('HSET', KEYS[1], field, value)
  elseif change == 'once' then
    redis.call('HSETNX', KEYS[1], field, value)
  else
    redis.call('HDEL', KEYS[1], field)
  end
end

if ARGV[2] ~= '' and (ARGV[3] == 'set' or redis.call('PTTL', KEYS[1]) > tonumber(ARGV[2])) then
  local now = now_ms()
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  redis.call('ZADD', KEYS[2], 'XX', now + ARGV[2], ARGV[1])
  if redis.call('PTTL', KEYS[2]) < tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[2], ARGV[2]) end
end
return redis.call('HGETALL', KEYS[1])
