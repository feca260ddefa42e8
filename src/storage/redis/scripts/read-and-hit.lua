#!lua flags=allow-oom
-- Reads records, and counts one hit in a window of time, which the first hit opens. Either may be left out.
--
-- KEYS 1: record (hash)   2: another one, and so on; the last one is the window (counter) if a hit is counted
-- ARGV 1: length of the window in ms, or '' to count no hit   then for each record what it is: api-key | json-record
-- Returns {count, ms until the window closes}, or {}; then for each record the values of its fields, or nil if there is none.

local result = {{}}
for i = 1, #KEYS do
  local what, values = ARGV[i + 1], nil
  -- The fields are named here, because to unpack their names would cost more than to read them.
  if what == 'json-record' then
    values = redis.call('HMGET', KEYS[i], 'content', 'createdAtMs', 'updatedAtMs')
  elseif what == 'api-key' then
    values = redis.call(
      'HMGET', KEYS[i], 'digest', 'label', 'rights', 'createdAtMs', 'expiresAtMs', 'lastUsedAtMs', 'revokedAtMs'
    )
  end
  if values then
    result[i + 1] = (values[1] or redis.call('HLEN', KEYS[i]) > 0) and values
  else
    -- The window comes last: a record of a foreign type has ended the script by now, before anything is written.
    local count = redis.call('INCR', KEYS[i])
    if count == 1 then redis.call('PEXPIRE', KEYS[i], ARGV[1]) end
    result[1] = {count, redis.call('PTTL', KEYS[i])}
  end
end
return result
