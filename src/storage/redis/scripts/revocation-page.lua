#!lua flags=no-writes
-- Returns a page of the revocation feed: the entries after a position, in their order.
--
-- KEYS 1: entries   2: order   3: positions (as in revocation-announce.lua)
-- ARGV 1: number after which the page begins   2: its position, '<number>.<tag>'   3: most entries   4: how many are remembered
-- Returns {'more' or 'last', newest position, ids, entries}; or 'gone' if nobody remembers an entry of that position.

-- A key of a foreign type ends the script here.
redis.call('HLEN', KEYS[1])
local last = redis.call('HGET', KEYS[3], 'last') or '0'

if ARGV[1] ~= '0' and redis.call('HGET', KEYS[3], ARGV[1] % ARGV[4]) ~= ARGV[2] then
  local id = redis.call('ZRANGE', KEYS[2], ARGV[1], ARGV[1], 'BYSCORE')[1]
  local entry = id and redis.call('HGET', KEYS[1], id) or ''
  if string.match(entry, '^%S*') ~= ARGV[2] then return 'gone' end
end

local ids = redis.call('ZRANGE', KEYS[2], '(' .. ARGV[1], '+inf', 'BYSCORE', 'LIMIT', '0', ARGV[3] + 1)
local is_more = #ids > tonumber(ARGV[3])
if is_more then ids[#ids] = nil end
local entries = #ids > 0 and redis.call('HMGET', KEYS[1], unpack(ids)) or {}
return {is_more and 'more' or 'last', last, ids, entries}
