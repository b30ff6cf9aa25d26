-- ready: the queues. A queue (per namespace and priority) is a ring of canvases; each canvas in it has a list of
-- entries `lane:first:count:stride:since` (ms). A canvas stands in a ring exactly while its list there has an entry, and a
-- priority stands in the queue's levels exactly while its ring has a canvas. Above them stand, as long as there is need, `a` for
-- tasks that are set aside and `p` for a queue that is paused (lib/queues.lua).

local ready = {}

local ALONE, ALONE_RANK = 'a', 10
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

-- The entry of one task that is ready now.
function ready.entry(call, node) return string.format('%s:%d:1:1:%d', node.lane, node.index, call.now) end

-- Put an entry that was in the queue before at an end of a canvas's list.
function ready.insert(call, canvas, lane, entry, count, push)
  local list = keys.ready(call.K, canvas.id, lane.queue, lane.prio)
  if redis.call(push, list, entry) == 1 then
    if redis.call('RPUSH', keys.ring(call.K, canvas.ns, lane.queue, lane.prio), canvas.id) == 1 then
      redis.call('ZADD', keys.levels(call.K, canvas.ns, lane.queue), lane.prio, lane.prio)
    end
  end
  queues.count(call, canvas.ns, lane.queue, 'w', count)
  note_pushed(call, canvas.ns, lane.queue, count)
end

-- Put an entry `lane:first:count:stride` at an end of a canvas's list ('RPUSH' or, for what comes back, 'LPUSH').
function ready.put(call, canvas, lane, entry, count, push)
  queues.count(call, canvas.ns, lane.queue, 'i', count)
  ready.insert(call, canvas, lane, string.format('%s:%d', entry, call.now), count, push)
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

-- Move what is parked under names that the session knows back into the queue, unless it is paused.
function ready.unpark(call, session, queue)
  local parked = keys.parked(call.K, session.ns, queue)
  local names = redis.call('SMEMBERS', parked)
  if #names > 0 and queues.paused(call.K, session.ns, queue) then return end
  for _, task in ipairs(names) do
    if redis.call('SISMEMBER', keys.names(call.K, session.id), task) == 1 then
      local park = keys.park(call.K, session.ns, queue, task)
      local items = redis.call('LRANGE', park, 0, 999)
      for i = #items, 1, -1 do
        local cid, entry = string.match(items[i], '^(%x+) (.*)$')
        local canvas = canvases.get(call, cid)
        local lane_id, _, count = string.match(entry, '^(%d+):(%d+):(%d+)')
        queues.count(call, session.ns, queue, 'w', -tonumber(count))
        queues.count(call, session.ns, queue, 'u', -tonumber(count))
        if canvas then ready.insert(call, canvas, canvases.lane(call, canvas, lane_id), entry, tonumber(count), 'LPUSH') end
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
  queues.count(call, canvas.ns, lane.queue, 'u', tonumber(string.match(entry, '^%d+:%d+:(%d+)')))
  note_pushed(call, canvas.ns, lane.queue, EVERYONE)
end

-- Set a task aside that only a session that holds nothing may take: others are served on with what stands behind it.
function ready.leave_alone(call, canvas, queue, index)
  redis.call('RPUSH', keys.alone(call.K, canvas.ns, queue), canvas.id .. ':' .. index)
  redis.call('ZADD', keys.levels(call.K, canvas.ns, queue), ALONE_RANK, ALONE)
  queues.count(call, canvas.ns, queue, 'w', 1)
  note_pushed(call, canvas.ns, queue, EVERYONE)
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

-- Drop entries of a canvas that needs no worker any more, a bounded number. Returns whether none is left.
function ready.drop(call, cid, ns, queue, prio)
  local list = keys.ready(call.K, cid, queue, prio)
  for _, entry in ipairs(redis.call('LPOP', list, 1000) or {}) do
    queues.count(call, ns, queue, 'w', -tonumber(string.match(entry, '^%d+:%d+:(%d+)')))
  end
  return redis.call('EXISTS', list) == 0
end

-- Wake every session that waits for work of a queue, if it has any.
function ready.wake_all(call, ns, queue) note_pushed(call, ns, queue, EVERYONE) end

-- The levels of a queue, the highest first: priorities with tasks, ALONE in front of them. None of one that is paused.
function ready.levels(call, ns, queue)
  local found = redis.call('ZREVRANGE', keys.levels(call.K, ns, queue), 0, -1)
  return found[1] == PAUSED and {} or found
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
