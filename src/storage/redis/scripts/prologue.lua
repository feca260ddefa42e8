-- What the scripts share: the layout of their keys, and the time. ../scripts.ts inserts into each script the statements of
-- this file that it names, and the limits it names, which the rules in TypeScript define. A statement is one line, or a
-- function up to an `end` at the start of a line. No statement touches a key.

-- A grant is one string of up to three lines. The first line is its head, whose columns have a fixed width, so that a poll
-- reads and writes a few bytes of it and nothing else. The second line is the request and the third, once the grant is
-- decided, the decision, both as JSON. These are the columns of the head as string.sub counts them, from 1:
local PHASE = 1                             -- phase: p pending, a approved, d denied, c collected, w withdrawn
local CLIENT_FROM, CLIENT_TO = 2, 7         -- tag of the client that asks
local EXPIRES_FROM, EXPIRES_TO = 9, 21      -- expires at, Unix milliseconds
local INTERVAL_FROM, INTERVAL_TO = 23, 27   -- interval, milliseconds
local POLLED_FROM, POLLED_TO = 29, 41       -- polled at, Unix milliseconds; 0 before the first poll
local ACCEPTED_FROM, ACCEPTED_TO = 43, 54   -- id of the last accepted poll
local REPEATABLE = 55                       -- +: the last poll was accepted and has not been repeated; otherwise a space
local REFUSED_FROM, REFUSED_TO = 56, 67     -- id of the last refused poll
local COLLECTED_FROM, COLLECTED_TO = 69, 81 -- collected at, Unix milliseconds; 0 before the first collection. While it is
--                                             pending: id of the last poll that repeated an accepted one, once there is one
-- What a head looks like. Whatever does not look so was not written by grantd: a script answers UNREADABLE, and changes nothing.
local GRANT = '^[padcw]...... %d%d%d%d%d%d%d%d%d%d%d%d%d %d%d%d%d%d '
-- GETRANGE and SETRANGE count from 0. The offsets are text, because Redis would convert a number to text in every call.
local HEAD_START, HEAD_END = '0', '80'
local PHASE_AT = '0'
local INTERVAL_AT = '22'
local POLLED_AT = '28'
local REPEATABLE_AT = '54'
local COLLECTED_AT = '68'
-- These are the formats in which columns are written; NO_POLL is the id of a poll before there is one.
local NEW_HEAD, NO_POLL = 'p%s %013d %05d %013d %s %s %013d', '------------'
local REFUSAL = '%05d %013d %s %s' -- from the interval to the id of the last refused poll
local TIMESTAMP = '%013d'

-- A family of refresh tokens is a hash. Its fields are `user`, `current` (the digest of the valid token) and `rotated`: the
-- REMEMBERED tokens that were rotated last, newest first, as entries of a fixed width. These are the columns of an entry:
local ENTRY_WIDTH = 56
local DIGEST_FROM, DIGEST_TO = 1, 43        -- digest of the token
local ROTATED_FROM, ROTATED_TO = 44, 56     -- rotated at, Unix milliseconds

-- Returns the time in Unix milliseconds: the one that a test passes in, otherwise that of Redis, so that instances whose
-- clocks differ agree on a grant, and as a second value the fraction of a millisecond that has passed since. The remainder
-- operator is cheaper than a call of math.floor.
local function now_ms(given)
  if given then return tonumber(given) end
  local time = redis.call('TIME')
  local fraction = time[2] % 1000
  return time[1] * 1000 + (time[2] - fraction) / 1000, fraction / 1000
end
