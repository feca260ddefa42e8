#!lua flags=allow-oom
-- Judges a refresh token that is known to be of this family, and rotates it if it is the current one. The layout of a family
-- is described in refresh-begin.lua, the rules are those of src/core/tokens/refresh-family.ts.
--
-- KEYS 1: family
-- ARGV 1: digest of the token   2: digest of the one that follows it   3: (tests) now in ms
-- Returns {'rotated', current digest}, {'repeated', current digest}, 'replayed', 'refused' or 'unknown'.

local current, rotated = unpack(redis.call('HMGET', KEYS[1], 'current', 'rotated'))
if not current then return 'unknown' end

local now = tonumber(ARGV[3])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end

if current == ARGV[1] then
  rotated = string.sub(ARGV[1] .. string.format('%013d', now) .. rotated, 1, 4 * 56)
  redis.call('HSET', KEYS[1], 'current', ARGV[2], 'rotated', rotated)
  return {'rotated', ARGV[2]}
end

for at = 1, #rotated, 56 do
  local is_recent = now <= string.sub(rotated, at + 43, at + 55) + 30000
  if string.sub(rotated, at, at + 42) == ARGV[1] then
    if is_recent then return {'repeated', current} end
    return 'replayed'
  end
  -- The oldest that is remembered: what came before it may have been as recent.
  if at == 1 + 3 * 56 and is_recent then return 'refused' end
end
return 'replayed'
