-- ready: the queues. A queue (per namespace and priority) is a ring of canvases (lib/rings.lua); each canvas in it has a list of
-- entries `lane:first:count:stride:since` (ms). A canvas stands in a ring exactly while its list there has an entry, and a
-- priority stands in the queue's levels exactly while its ring has a canvas. Above them stand, as long as there is need, `a` for
-- tasks that are set aside and `p` for a queue that is paused (lib/queues.lua).

local ready = {}

local ALONE, ALONE_RANK = 'a', 10
local EVERYONE = 1000000 -- more tasks than sessions could take

-- The entry of one task that is ready now.
function ready.entry(call, node) return {lane = node.lane, first = node.index, count = 1, stride = 1, since = call.now} end

-- Put an entry that was in the queue before at an end of a canvas's.
function ready.insert(call, canvas, lane, entry, front)
  queues.count(call, canvas.ns, lane.queue, 'w', entry.count)
  rings.add(call, canvas, lane, entry, front)
end

-- Put an entry that is ready now at an end of a canvas's: behind, or what comes back in front.
local function put(call, canvas, entry, front)
  local lane = canvases.lane(call, canvas, entry.lane)
  queues.count(call, canvas.ns, lane.queue, 'i', entry.count)
  ready.insert(call, canvas, lane, entry, front)
end

-- Make a run of tasks of one lane ready: one entry, however many they are.
function ready.push(call, canvas, lane_id, first, count, stride)
  put(call, canvas, {lane = lane_id, first = first, count = count, stride = stride, since = call.now}, false)
end

-- Put one task back in front of its canvas's entries.
function ready.put_back(call, canvas, node) put(call, canvas, ready.entry(call, node), true) end

-- Move what is parked under names that the session knows back into a queue that is not paused.
function ready.unpark(call, session, queue)
  local parked = keys.parked(call.K, session.ns, queue)
  for _, task in ipairs(redis.call('SMEMBERS', parked)) do
    if redis.call('SISMEMBER', keys.names(call.K, session.id), task) == 1 then
      local park = keys.park(call.K, session.ns, queue, task)
      local items = redis.call('LRANGE', park, 0, 999)
      for i = #items, 1, -1 do
        local cid, text = string.match(items[i], '^(%x+) (.*)$')
        local canvas, entry = canvases.get(call, cid), rings.parse(text)
        queues.count(call, session.ns, queue, 'w', -entry.count)
        queues.count(call, session.ns, queue, 'u', -entry.count)
        if canvas then ready.insert(call, canvas, canvases.lane(call, canvas, entry.lane), entry, true) end
      end
      redis.call('LTRIM', park, 1000, -1)
      if redis.call('EXISTS', park) == 0 then redis.call('SREM', parked, task) end
    end
  end
end

-- Set an entry aside until a session comes that knows its task. All idle sessions are woken: one of them may.
function ready.park(call, canvas, lane, entry)
  redis.call('SADD', keys.parked(call.K, canvas.ns, lane.queue), lane.task)
  redis.call('RPUSH', keys.park(call.K, canvas.ns, lane.queue, lane.task), canvas.id .. ' ' .. rings.text(entry))
  queues.count(call, canvas.ns, lane.queue, 'u', entry.count)
  queues.wake(call, canvas.ns, lane.queue, EVERYONE)
end

-- Set a task aside that only a session that holds nothing may take: others are served on with what stands behind it.
function ready.leave_alone(call, canvas, queue, index)
  redis.call('RPUSH', keys.alone(call.K, canvas.ns, queue), canvas.id .. ':' .. index)
  redis.call('ZADD', keys.levels(call.K, canvas.ns, queue), ALONE_RANK, ALONE)
  queues.count(call, canvas.ns, queue, 'w', 1)
  queues.wake(call, canvas.ns, queue, EVERYONE)
end

-- Tasks that are set aside, as `canvas:index`; some of them if there are many.
function ready.left_alone(call, ns, queue)
  return redis.call('LRANGE', keys.alone(call.K, ns, queue), 0, 99)
end

-- Take one of them away.
function ready.take_alone(call, ns, queue, field)
  local list = keys.alone(call.K, ns, queue)
  if redis.call('LREM', list, 1, field) == 1 then queues.count(call, ns, queue, 'w', -1) end
  if redis.call('EXISTS', list) == 0 then redis.call('ZREM', keys.levels(call.K, ns, queue), ALONE) end
end

-- Wake every session that waits for work of a queue, if it has any.
function ready.wake_all(call, ns, queue) queues.wake(call, ns, queue, EVERYONE) end

-- The levels of a queue in the store, the highest first: priorities with tasks, ALONE in front of them. Nil for one that is
-- paused.
function ready.levels(call, ns, queue)
  local found = redis.call('ZREVRANGE', keys.levels(call.K, ns, queue), 0, -1)
  return found[1] ~= PAUSED and found or nil
end

-- Whether a queue has tasks that may be granted, or that are parked.
function ready.any(call, ns, queue)
  local top = redis.call('ZREVRANGE', keys.levels(call.K, ns, queue), 0, 0)[1]
  return top ~= PAUSED and (top ~= nil or redis.call('EXISTS', keys.parked(call.K, ns, queue)) == 1)
end

-- Wake the coordinators that have idle sessions for queues that got work in this call. Returns the caller's own
-- share as a flat list: namespace, queue, count.
function ready.wake(call)
  local own = {}
  for _, pushed in pairs(call.pushed) do
    local idle = keys.idle(call.K, pushed.ns, pushed.queue)
    local coordinators = {}
    -- What this call made ready it may have leased, too.
    if ready.any(call, pushed.ns, pushed.queue) then
      coordinators = redis.call('SMEMBERS', idle)
    end
    if #coordinators > 0 then
      redis.call('DEL', idle)
      for _, coordinator in ipairs(coordinators) do
        if coordinator == call.coordinator then
          own[#own + 1] = pushed.ns
          own[#own + 1] = pushed.queue
          own[#own + 1] = pushed.count
        else
          redis.call('SPUBLISH', keys.channel(call.K, coordinator),
            'wake ' .. pushed.ns .. ' ' .. pushed.queue .. ' ' .. pushed.count)
        end
      end
    end
  end
  return own
end
