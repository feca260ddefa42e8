#!lua flags=allow-oom
-- Begins an epoch: notes before which moments everything has ended. A moment that stands does not move back.
--
-- KEYS 1: epoch (hash: before, api_keys_before, began; Unix milliseconds)
-- ARGV 1: before   2: API keys before, 0 for none   3: began
-- Returns {before, api_keys_before, began} as they are now; UNREADABLE if the hash holds something else.

local before, keys_before, began = unpack(redis.call('HMGET', KEYS[1], 'before', 'api_keys_before', 'began'))
local known, known_keys = tonumber(before or '0'), tonumber(keys_before or '0')
if not known or not known_keys then return redis.error_reply('UNREADABLE epoch') end

if tonumber(ARGV[1]) > known or tonumber(ARGV[2]) > known_keys then
  if tonumber(ARGV[1]) > known then before = ARGV[1] end
  if tonumber(ARGV[2]) > known_keys then keys_before = ARGV[2] end
  began = ARGV[3]
  redis.call('HSET', KEYS[1], 'before', before or '0', 'api_keys_before', keys_before or '0', 'began', began)
end
return {before or '0', keys_before or '0', began or '0'}
