#!lua flags=allow-oom
-- Announces revocations in the feed, before the records of their authorizations change: each gets an entry unless it has one that
-- lasts as long, and is noted as unfinished. Tells every instance of new entries.
--
-- KEYS 1: entries (hash: id of an authorization → '<number>.<tag> <revoked at> <until>', and ' <status index>' if it has one)
--      2: order (sorted set: ids by number)   3: ends (sorted set: ids by until)
--      4: unfinished (sorted set: '<id> <user id>' by the time of the announcement)
--      5: positions (hash: 'last' holds the newest '<number>.<tag>', and the number's remainder by ARGV 5 holds it as well)
-- ARGV 1: now in ms   2: tag of this call   3: channel, in the slot of the keys   4: message for it   5: how many are remembered
--      then id, revoked at, until, user id, status index or '', …
-- Returns the number of new entries; UNREADABLE if the newest position is none.

-- A key of a foreign type ends the script here, before anything is written.
redis.call('HLEN', KEYS[1])
redis.call('ZCARD', KEYS[2])
redis.call('ZCARD', KEYS[3])
redis.call('ZCARD', KEYS[4])
local last = redis.call('HGET', KEYS[5], 'last') or '0'
local number = tonumber(string.match(last, '^%d+'))
if not number then return redis.error_reply('UNREADABLE position') end

local made = 0
for i = 6, #ARGV, 5 do
  local id, revoked_at, until_ms, user, index = unpack(ARGV, i, i + 4)
  local known = redis.call('HGET', KEYS[1], id)
  local lasts_until = known and (tonumber(string.match(known, '^%S+ %S+ (%d+)')) or math.huge)
  if not known or lasts_until + LASTS_LONGER_MS < tonumber(until_ms) then
    made = made + 1
    number = number + 1
    -- A call that is sent again after a failover may give an entry another number, so the tag says which one of the call it is.
    local position = string.format('%d.%s%d', number, ARGV[2], i)
    redis.call('HSET', KEYS[1], id, position .. ' ' .. revoked_at .. ' ' .. until_ms .. (index ~= '' and ' ' .. index or ''))
    redis.call('ZADD', KEYS[2], number, id)
    redis.call('ZADD', KEYS[3], until_ms, id)
    redis.call('HSET', KEYS[5], number % ARGV[5], position, 'last', position)
  end
  redis.call('ZADD', KEYS[4], ARGV[1], id .. ' ' .. user)
end

-- The entries stand even if this user of Redis may not publish them: an instance that is not told looks by itself.
if made > 0 then redis.pcall('SPUBLISH', ARGV[3], ARGV[4]) end
return made
