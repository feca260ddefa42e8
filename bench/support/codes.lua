-- Posts each code of a file once, in the order of the file, and exits after the last; or begins again after it until the time
-- is up, and then prints the number of polls, how many failed, and the median and the 99th percentile of the delay in milliseconds.
-- Arguments: the file, the media type of a body, the text before and after the code in it, the rest of a connection before
-- each request in milliseconds (or none), the number of connections, and `again` or nothing.
-- All lines have the same length, so a request is built from three pieces, of which only the code differs.

local codes, count, begins_again, before, after = {}, 0, false, nil, nil

function init(args)
  begins_again = args[7] == 'again'
  -- wrk checks only once, after init, whether a function of this name exists.
  local rest = tonumber(args[5] or '0')
  if rest > 0 then
    local begun, connections = 0, tonumber(args[6])
    -- The first rests differ, so that the connections do not all send at the same moment.
    delay = function()
      begun = begun + 1
      return begun <= connections and math.floor(rest * begun / connections) or rest
    end
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
  local code = codes[begins_again and (count - 1) % #codes + 1 or count]
  -- wrk ends by time only and would go on until then.
  if not code then os.exit(0) end
  return before .. code .. after
end

-- wrk calls this when the time is up.
function done(summary, latency)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  print(string.format('%d %d %f %f', summary.requests, failed, latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
