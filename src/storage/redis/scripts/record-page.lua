#!lua flags=no-writes
-- Returns a page of the ids under a parent, by the end of their records' lives. Ids of the same end are in the order of their
-- bytes, as in the index.
--
-- KEYS 1: index of the parent
-- ARGV 1: 'up', those that end first come first, or 'down'   2: most ids
--      3: time in ms: records that end within it are fading   4: how many fading ones count, or ''
--      5, 6: score and id after which the page begins, or '', ''
-- Returns the number of records that are not fading, 'more' or 'last', then id, score, … Of the fading ones that do not count,
-- 'down' returns none, and 'up' returns nothing else.

local now = now_ms()
local function count(from, to) return redis.call('ZCOUNT', KEYS[1], from, to) end
local down = ARGV[1] == 'down'
local size = redis.call('ZCARD', KEYS[1])
local alive = count('(' .. now, '+inf')
local lasting = count('(' .. now + ARGV[3], '+inf')
local counted = ARGV[4] == '' and alive or math.min(alive, lasting + ARGV[4])

-- Ranks as the direction counts them, the last one not included.
local from, to = 0, counted
if not down then
  from = size - alive
  to = ARGV[4] == '' and size or size - counted
end

local function ids(first, last, ...)
  if down then return redis.call('ZRANGE', KEYS[1], first, last, 'REV', ...) end
  return redis.call('ZRANGE', KEYS[1], first, last, ...)
end

-- Lua itself compares by the language that the server is set to.
local function is_less(a, b)
  for i = 1, math.min(#a, #b) do
    local x, y = string.byte(a, i), string.byte(b, i)
    if x ~= y then return x < y end
  end
  return #a < #b
end

if ARGV[5] ~= '' then
  -- Among the ids of that score, the first one after ARGV[6] is looked for by halving: that id itself may be gone.
  local low = down and count('(' .. ARGV[5], '+inf') or count('-inf', '(' .. ARGV[5])
  local high = low + count(ARGV[5], ARGV[5])
  while low < high do
    local middle = (low + high - (low + high) % 2) / 2
    local id = ids(middle, middle)[1]
    if id == ARGV[6] or is_less(id, ARGV[6]) ~= down then low = middle + 1 else high = middle end
  end
  from = math.max(from, low)
end

local after = math.min(to, from + ARGV[2])
local page = after > from and ids(from, after - 1, 'WITHSCORES') or {}
return {lasting, after < to and 'more' or 'last', unpack(page)}
