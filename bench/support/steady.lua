-- Posts the codes of a file at a steady pace until the time is up, and prints the median and the 99th percentile of the
-- delay, in milliseconds. Arguments: the file, the media type of a body, the text before and after the code in it, and
-- the rest of a connection before each request in milliseconds. Codes begin again when all were sent.

local codes, count, before, after = {}, 0, nil, nil

function init(args)
  local rest, begun = tonumber(args[5]), 0
  -- The first rests differ, so that the connections do not all send at the same moment. wrk looks for this function once, after
  -- init, whether it is there.
  delay = function()
    begun = begun + 1
    return begun <= tonumber(args[6]) and math.floor(rest * begun / tonumber(args[6])) or rest
  end
  for line in io.lines(args[1]) do codes[#codes + 1] = line end
  wrk.method = 'POST'
  wrk.headers['content-type'] = args[2]
  local whole = wrk.format(nil, nil, nil, args[3] .. codes[1] .. (args[4] or ''))
  local from, to = string.find(whole, codes[1], 1, true)
  before, after = string.sub(whole, 1, from - 1), string.sub(whole, to + 1)
end

function request()
  count = count + 1
  return before .. codes[(count - 1) % #codes + 1] .. after
end

function done(summary, latency)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  print(string.format('%d %d %f %f', summary.requests, failed, latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
