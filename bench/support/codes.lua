-- Posts the codes of a file, each once and in their order, and ends when it is through. Arguments: the file, the media
-- type of a body, what stands before and after the code in it, and for how many milliseconds a connection rests before each
-- request if at all, with how many connections there are.
-- All lines are equally long, so that requests differ in the code alone and are put together from three pieces.

local codes, count, before, after = {}, 0, nil, nil

function init(args)
  -- wrk looks for this name after init, and without it never asks.
  local rest = tonumber(args[5] or '0')
  if rest > 0 then
    local begun, connections = 0, tonumber(args[6])
    -- Evenly, and from the start not all at the same moment.
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
  local code = codes[count]
  -- wrk itself only knows durations: it would sit out the rest of its time.
  if not code then os.exit(0) end
  return before .. code .. after
end
