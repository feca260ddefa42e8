#!lua flags=no-writes
-- Looks through a part of the audit trail for the events of a type, of a user, or both. They alone are returned: to read the others, only
-- to leave them out, would cost their reader several times what it costs here.
--
-- KEYS 1: events (stream)
-- ARGV 1: after | before   2: the id after or before which the part begins, or ''   3: how many to look at   4: most that are wanted
--      5: type, or ''   6: user, or ''
-- Returns the id and the time of the last one that was looked at ('' for none), 'more' or 'last', then the wanted ones as XRANGE returns them.

local is_after = ARGV[1] == 'after'
local from = ARGV[2] ~= '' and '(' .. ARGV[2] or (is_after and '-' or '+')
local most, wanted_type, wanted_user = tonumber(ARGV[4]), ARGV[5], ARGV[6]
local conditions = (wanted_type ~= '' and 1 or 0) + (wanted_user ~= '' and 1 or 0)
-- One more says whether there is more.
local function read()
  if is_after then return redis.call('XRANGE', KEYS[1], from, '+', 'COUNT', ARGV[3] + 1) end
  return redis.call('XREVRANGE', KEYS[1], from, '-', 'COUNT', ARGV[3] + 1)
end
local found = read()

local function is_wanted(fields)
  local met = 0
  for i = 1, #fields, 2 do
    local name, value = fields[i], fields[i + 1]
    if name == 'type' and value == wanted_type or name == 'user' and value == wanted_user then
      if value ~= '' then met = met + 1 end
    end
  end
  return met == conditions
end

local looked, wanted = 0, {}
while looked < math.min(#found, ARGV[3]) and #wanted < most do
  looked = looked + 1
  if is_wanted(found[looked][2]) then wanted[#wanted + 1] = found[looked] end
end

local last, last_at = '', ''
if looked > 0 then
  last = found[looked][1]
  for i = 1, #found[looked][2], 2 do
    if found[looked][2][i] == 'at' then last_at = found[looked][2][i + 1] end
  end
end
return {last, last_at, looked < #found and 'more' or 'last', unpack(wanted)}
