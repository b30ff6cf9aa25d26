-- dead: tasks that were given up, listed for a person to look at, by namespace.

local dead = {}

local MOST_DEAD = @DEAD_LETTERS@ -- tasks listed in one namespace of a partition

-- List a task. Of too many the oldest are let go, and counted.
local function enter(call, canvas, index)
  local list = keys.dead(call.K, canvas.ns)
  redis.call('ZADD', list, call.now, canvas.id .. ':' .. index)
  redis.call('SADD', keys.deaths(call.K, canvas.id), index)
  local over = redis.call('ZCARD', list) - MOST_DEAD
  if over <= 0 then return end
  local gone = redis.call('ZPOPMIN', list, over)
  for i = 1, #gone, 2 do
    local cid, old = string.match(gone[i], '^(%x+):(%d+)$')
    if cid then redis.call('SREM', keys.deaths(call.K, cid), old) end
  end
  redis.call('INCRBY', keys.dead_trimmed(call.K, canvas.ns), over)
end

-- Give a task up: it ends as dead, and is listed.
function dead.finish(call, canvas, node)
  enter(call, canvas, node.index)
  return graph.finish(call, canvas, node, 'D')
end

-- Cancel the canvases of which this call met a record that cannot be read.
function dead.cancel_broken(call)
  while next(call.broken) do
    local broken = call.broken
    call.broken = {}
    for cid, indexes in pairs(broken) do
      local canvas = canvases.get(call, cid)
      if canvas and tonumber(redis.call('HGET', keys.meta(call.K, cid), 'left')) > 0 then
        for _, index in ipairs(indexes) do
          enter(call, canvas, index)
          canvases.count(call, canvas, index)
        end
        graph.cancel_canvas(call, canvas, false)
      end
    end
    graph.settle(call)
  end
end

-- Take a canvas's tasks off the list, 500 at the most. Returns how many were on it.
function dead.forget(K, ns, cid)
  local indexes = redis.call('SPOP', keys.deaths(K, cid), 500)
  for _, index in ipairs(indexes) do redis.call('ZREM', keys.dead(K, ns), cid .. ':' .. index) end
  return #indexes
end
