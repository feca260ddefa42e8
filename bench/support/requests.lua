-- Sends the same request a number of times, and exits when all are answered. Arguments: the number, the status that
-- every answer must have, the method, the body (or nothing), and headers, each as its name and its value.
-- wrk runs one thread, so this script sees all requests.

local left, missing, status, whole = 0, 0, 200, nil

function init(args)
  left, missing, status = tonumber(args[1]), tonumber(args[1]), tonumber(args[2])
  wrk.method = args[3]
  if args[4] ~= '' then wrk.body = args[4] end
  for i = 5, #args, 2 do wrk.headers[args[i]] = args[i + 1] end
  whole = wrk.format()
  -- wrk calls request() once at the start and discards the result.
  left = left + 1
end

-- After the last request, connections rest for an hour, so that they send nothing more.
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
  -- wrk ends by time only and would go on until then.
  if missing == 0 then os.exit(0) end
end

-- wrk calls this when the time is up, so only if answers are missing.
function done()
  io.stderr:write(missing, ' were not answered in time\n')
  os.exit(1)
end
