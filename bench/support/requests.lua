-- Sends one and the same request so many times, and ends when all are answered. Arguments: how many, the status every answer
-- must have, the method, the body (or nothing), and headers, each as its name and its value.
-- There is one thread, so these are all the requests there are.

local left, missing, status, whole = 0, 0, 200, nil

function init(args)
  left, missing, status = tonumber(args[1]), tonumber(args[1]), tonumber(args[2])
  wrk.method = args[3]
  if args[4] ~= '' then wrk.body = args[4] end
  for i = 5, #args, 2 do wrk.headers[args[i]] = args[i + 1] end
  whole = wrk.format()
  -- wrk asks for one request before the first and throws it away.
  left = left + 1
end

-- Who has nothing left to send, waits for the others.
function delay()
  if left > 0 then return 0 end
  return 3600000
end

function request()
  left = left - 1
  return whole
end

function response(given)
  if given ~= status then
    io.stderr:write('answered ', given, '\n')
    os.exit(1)
  end
  missing = missing - 1
  -- wrk itself only knows durations: it would sit out the rest of its time.
  if missing == 0 then os.exit(0) end
end

-- Called when the time is up, and never when all were answered.
function done()
  io.stderr:write(missing, ' were not answered in time\n')
  os.exit(1)
end
