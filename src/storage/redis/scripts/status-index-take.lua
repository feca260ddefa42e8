#!lua flags=allow-oom
-- Takes a free place of the current status list, and goes on to the next list once enough places of this one are taken.
--
-- KEYS 1: counts (hash: `list`, the number of the current list; `taken`, how many of its places are)   2: taken (bitmap of them)
-- ARGV 1: places per list   2: how many of them are taken at most   then random places, to be tried one after the other
-- Returns list * places + place; 'taken' if none of the given places is free; UNREADABLE if the counts are none.

-- A key of a foreign type ends the script here, before anything is written.
redis.call('STRLEN', KEYS[2])
local counts = redis.call('HMGET', KEYS[1], 'list', 'taken')
local list, taken = tonumber(counts[1] or '0'), tonumber(counts[2] or '0')
if not list or not taken then return redis.error_reply('UNREADABLE counts') end

for i = 3, #ARGV do
  local place = tonumber(ARGV[i])
  local at = math.floor(place / 8)
  local byte = string.byte(redis.call('GETRANGE', KEYS[2], at, at)) or 0
  local mask = bit.lshift(1, place % 8)
  if bit.band(byte, mask) == 0 then
    taken = taken + 1
    if taken < tonumber(ARGV[2]) then
      redis.call('SETRANGE', KEYS[2], at, string.char(bit.bor(byte, mask)))
      redis.call('HSET', KEYS[1], 'list', list, 'taken', taken)
    else
      redis.call('DEL', KEYS[2])
      redis.call('HSET', KEYS[1], 'list', list + 1, 'taken', 0)
    end
    return list * ARGV[1] + place
  end
end
return 'taken'
