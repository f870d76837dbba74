-- wrk's script: sends the requests of a file, each with an id that no other request of the run has (see events.rs).
-- Arguments: the file, the bytes of an id, a number of this run.

local next_thread = 0

function setup(thread)
  thread:set("thread_number", next_thread)
  thread:set("threads", tonumber(os.getenv("WRK_THREADS")))
  next_thread = next_thread + 1
end

function init(arguments)
  local file = assert(io.open(arguments[1], "rb"))
  digits = tonumber(arguments[2]) - 6
  prefix = string.format("%04d%02d", tonumber(arguments[3]), thread_number)
  pieces, count, index = {}, 0, 0
  while true do
    local line = file:read("*l")
    if line == nil then break end
    local length, id_at = string.match(line, "(%d+) (%d+)")
    local bytes = file:read(tonumber(length))
    if index % threads == thread_number then
      id_at = tonumber(id_at)
      count = count + 1
      if id_at == 0 then
        pieces[count] = bytes
      else
        local tail = string.sub(bytes, id_at + tonumber(arguments[2]) + 1)
        pieces[count] = { string.sub(bytes, 1, id_at), tail }
      end
    end
    index = index + 1
  end
  file:close()
  format = "%0" .. digits .. "d"
  sent = 0
end

function request()
  local piece = pieces[sent % count + 1]
  sent = sent + 1
  if type(piece) == "string" then return piece end
  return piece[1] .. prefix .. string.format(format, sent) .. piece[2]
end

function done(summary, latency, requests)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  print(string.format("RESULT %d %d %d %d %d", summary.requests, summary.duration, failed,
    latency:percentile(50), latency:percentile(99)))
end
