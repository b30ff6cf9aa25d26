-- ready: the queues. A queue (per namespace and priority) is a ring of canvases; each canvas in it has a list of
-- entries `lane:first:count:stride`. A canvas stands in a ring exactly while its list there has an entry, and a
-- priority stands in the queue's levels exactly while its ring has a canvas.

local ready = {}

local EVERYONE = 1000000 -- more tasks than sessions could take

local function note_pushed(call, ns, queue, count)
  local id = ns .. ':' .. queue
  local pushed = call.pushed[id]
  if pushed then
    pushed.count = pushed.count + count
  else
    call.pushed[id] = {ns = ns, queue = queue, count = count}
  end
end

-- Put an entry at an end of a canvas's list ('RPUSH' or, for what comes back, 'LPUSH').
function ready.put(call, canvas, lane, entry, count, push)
  local list = keys.ready(call.K, canvas.id, lane.queue, lane.prio)
  if redis.call(push, list, entry) == 1 then
    if redis.call('RPUSH', keys.ring(call.K, canvas.ns, lane.queue, lane.prio), canvas.id) == 1 then
      redis.call('ZADD', keys.levels(call.K, canvas.ns, lane.queue), lane.prio, lane.prio)
    end
  end
  note_pushed(call, canvas.ns, lane.queue, count)
end

-- Make a run of tasks of one lane ready: one write, however many they are.
function ready.push(call, canvas, lane_id, first, count, stride)
  local lane = canvases.lane(call, canvas, lane_id)
  ready.put(call, canvas, lane, lane_id .. ':' .. first .. ':' .. count .. ':' .. stride, count, 'RPUSH')
end

-- Put one task back in front of its canvas's list.
function ready.put_back(call, canvas, node)
  local lane = canvases.lane(call, canvas, node.lane)
  ready.put(call, canvas, lane, node.lane .. ':' .. node.index .. ':1:1', 1, 'LPUSH')
end

-- Move what is parked under names that the session knows back into the queue.
function ready.unpark(call, session, queue)
  local parked = keys.parked(call.K, session.ns, queue)
  for _, task in ipairs(redis.call('SMEMBERS', parked)) do
    if redis.call('SISMEMBER', keys.names(call.K, session.id), task) == 1 then
      local park = keys.park(call.K, session.ns, queue, task)
      local items = redis.call('LRANGE', park, 0, 999)
      for i = #items, 1, -1 do
        local cid, entry = string.match(items[i], '^(%x+) (.*)$')
        local canvas = canvases.get(call, cid)
        if canvas then
          local lane_id, _, count = string.match(entry, '^(%d+):(%d+):(%d+)')
          ready.put(call, canvas, canvases.lane(call, canvas, lane_id), entry, tonumber(count), 'LPUSH')
        end
      end
      redis.call('LTRIM', park, 1000, -1)
      if redis.call('EXISTS', park) == 0 then redis.call('SREM', parked, task) end
    end
  end
end

-- Set an entry aside until a session comes that knows its task. All idle sessions are woken: one of them may.
function ready.park(call, canvas, lane, entry)
  redis.call('SADD', keys.parked(call.K, canvas.ns, lane.queue), lane.task)
  redis.call('RPUSH', keys.park(call.K, canvas.ns, lane.queue, lane.task), canvas.id .. ' ' .. entry)
  note_pushed(call, canvas.ns, lane.queue, EVERYONE)
end

-- Wake the coordinators that have idle sessions for queues that got work in this call. Returns the caller's own
-- share as a flat list: namespace, queue, count.
function ready.wake(call)
  local own = {}
  for _, pushed in pairs(call.pushed) do
    local idle = keys.idle(call.K, pushed.ns, pushed.queue)
    local coordinators = {}
    -- What this call made ready it may have leased, too.
    if redis.call('EXISTS', keys.levels(call.K, pushed.ns, pushed.queue),
      keys.parked(call.K, pushed.ns, pushed.queue)) > 0 then
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
