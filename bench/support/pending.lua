-- Posts each code of a file once, in the order of the file, waits for every answer, and exits after the last. Every
-- answer must say that the authorization is pending; any other is reported and ends the run. Arguments: the file, the
-- media type of a body, and the text before and after the code in it. Prints the number of answers.
-- wrk runs one thread, so this script sees all requests. All lines have the same length, as in codes.lua.

local codes, promised, sent, pending, before, after = {}, 0, 0, 0, nil, nil

function init(args)
  for line in io.lines(args[1]) do codes[#codes + 1] = line end
  wrk.method = 'POST'
  wrk.headers['content-type'] = args[2]
  local whole = wrk.format(nil, nil, nil, args[3] .. codes[1] .. (args[4] or ''))
  local from, to = string.find(whole, codes[1], 1, true)
  before, after = string.sub(whole, 1, from - 1), string.sub(whole, to + 1)
  -- wrk calls request() once at the start and discards the result.
  sent = -1
end

-- wrk calls this before every request. After the last code, connections rest for an hour, so that they send nothing
-- more.
function delay()
  if promised == #codes then return 3600000 end
  promised = promised + 1
  return 0
end

function request()
  sent = sent + 1
  return before .. codes[math.max(sent, 1)] .. after
end

function response(status, _, body)
  if not string.find(body, 'authorization_pending', 1, true) then
    io.stderr:write('a poll was answered ', status, ': ', string.sub(body, 1, 200), '\n')
    os.exit(1)
  end
  pending = pending + 1
  -- wrk ends by time only and would go on until then.
  if pending == #codes then
    io.stdout:write(pending, '\n')
    io.stdout:flush()
    os.exit(0)
  end
end

-- wrk calls this when the time is up, so only if answers are missing.
function done()
  io.stderr:write(#codes - pending, ' polls were not answered in time\n')
  os.exit(1)
end
