-- wrk's arguments: a file of whole HTTP requests, and the size of each. Each is sent once; past the end the last one
-- is sent again, and `asked` says so. Prints one line of JSON.
local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

function init(args)
  local file = assert(io.open(args[1], "rb"))
  ready, asked = {}, 0
  while true do
    local one = file:read(tonumber(args[2]))
    if not one then break end
    table.insert(ready, one)
  end
  file:close()
end

function request()
  asked = asked + 1
  return ready[asked] or ready[#ready]
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '{"completed": %d, "seconds": %f, "p50": %f, "p99": %f, "asked": %d, "refused": %d, "broken": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e6, latency:percentile(99) / 1e6,
    threads[1]:get("asked"), errors.status, errors.connect + errors.read + errors.write + errors.timeout
  ))
end
