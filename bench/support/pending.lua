-- Posts the codes of a file, each once and in their order, waits for every answer, and ends when all are there. Every one must
-- say that the authorization is pending: any other is reported and ends it. Arguments: the file, the media type of a body, and
-- what stands before and after the code in it. Prints how many answers there were.
-- There is one thread, so these are all the requests there are; all lines are equally long, as in codes.lua.

local codes, promised, sent, pending, before, after = {}, 0, 0, 0, nil, nil

function init(args)
  for line in io.lines(args[1]) do codes[#codes + 1] = line end
  wrk.method = 'POST'
  wrk.headers['content-type'] = args[2]
  local whole = wrk.format(nil, nil, nil, args[3] .. codes[1] .. (args[4] or ''))
  local from, to = string.find(whole, codes[1], 1, true)
  before, after = string.sub(whole, 1, from - 1), string.sub(whole, to + 1)
  -- wrk asks for one request before the first and throws it away.
  sent = -1
end

-- Asked once before every request. Who has nothing left to send, waits for the others.
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
  -- wrk itself only knows durations: it would sit out the rest of its time.
  if pending == #codes then
    io.stdout:write(pending, '\n')
    io.stdout:flush()
    os.exit(0)
  end
end

-- Called when the time is up, and never when all were answered.
function done()
  io.stderr:write(#codes - pending, ' polls were not answered in time\n')
  os.exit(1)
end
