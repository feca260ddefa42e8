#!lua flags=allow-oom
-- Judges a refresh token that is known to be of this family, by the rules of src/core/tokens/refresh-family.ts, and rotates
-- it if it is the current one.
--
-- KEYS 1: family
-- ARGV 1: digest of the token   2: digest of the one that follows it   3: (tests) now in ms
-- Returns {'rotated', current digest}, {'repeated', current digest}, 'replayed', 'refused' or 'unknown'; UNREADABLE if it is no
-- family, for what somebody else has written must not count as a replay.

local current, rotated = unpack(redis.call('HMGET', KEYS[1], 'current', 'rotated'))
if not current then return 'unknown' end
if not rotated or #current ~= DIGEST_TO or #rotated % ENTRY_WIDTH ~= 0 then return redis.error_reply('UNREADABLE family') end

local now = now_ms(ARGV[3])

if current == ARGV[1] then
  rotated = string.sub(ARGV[1] .. string.format(TIMESTAMP, now) .. rotated, 1, REMEMBERED * ENTRY_WIDTH)
  redis.call('HSET', KEYS[1], 'current', ARGV[2], 'rotated', rotated)
  return {'rotated', ARGV[2]}
end

for i = 1, #rotated / ENTRY_WIDTH do
  local entry = string.sub(rotated, (i - 1) * ENTRY_WIDTH + 1, i * ENTRY_WIDTH)
  local is_recent = now <= string.sub(entry, ROTATED_FROM, ROTATED_TO) + REPLAY_GRACE_MS
  if string.sub(entry, DIGEST_FROM, DIGEST_TO) == ARGV[1] then
    if is_recent then return {'repeated', current} end
    return 'replayed'
  end
  -- The presented token is older than all remembered ones. If even the oldest of these is recent, the token may be too.
  if i == REMEMBERED and is_recent then return 'refused' end
end
return 'replayed'
