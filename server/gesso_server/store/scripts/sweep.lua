-- sweep: do what time has made due, a bounded part of it: end sessions whose lease is over, start delayed tasks, end
-- tasks that were not started in time and attempts that run too long, look at limits whose permits are due, cancel canvases
-- whose deadline passed or whose stream broke with their coordinator, remove canvases whose results are no longer kept, go
-- on with the work list.
-- KEYS[1] partition
-- ARGV[1] coordinator  [2] how long a canvas may take to be staged, ms
--     [3] outcome of an attempt that outlived its limit
--     then pairs namespace, queue: what idle sessions of the coordinator wait for, in case a wake-up was lost
-- Returns {1 if there is more to do now, ms until the next due time or -1, what the caller must see to, version of the
-- table of limits}.

local SLICE = 200

-- Let go of a canvas that another one ran again.
local function unpin(call, cid)
  local meta = keys.meta(call.K, cid)
  if redis.call('HINCRBY', meta, 'pins', -1) == 0 and redis.call('HGET', meta, 'lapsed') then
    redis.call('ZADD', keys.ended(call.K), call.now, cid)
  end
end

-- Remove part of a canvas. Returns whether all of it is gone.
local function remove(call, cid)
  local meta = keys.meta(call.K, cid)
  local m = redis.call('HMGET', meta, 'n', 'removed', 'ns', 'from')
  local chunks = math.ceil(tonumber(m[1] or 0) / CHUNK)
  local from = tonumber(m[2] or 0)
  local to = math.min(chunks, from + 100) - 1
  for chunk = from, to do
    redis.call('UNLINK', keys.nodes(call.K, cid, chunk), keys.bodies(call.K, cid, chunk), keys.results(call.K, cid, chunk))
  end
  if to + 1 < chunks then
    redis.call('HSET', meta, 'removed', to + 1)
    return false
  end
  if m[3] and dead.forget(call.K, m[3], cid) > 0 then
    redis.call('HSET', meta, 'removed', to + 1)
    return false
  end
  for _, lane in ipairs(redis.call('HVALS', keys.lanes(call.K, cid))) do
    local prio, queue = string.match(lane, '^(%d)|([^|]*)')
    if m[3] and not rings.drop(call, {key = keys.ready(call.K, cid, queue, prio)}, m[3], queue) then return false end -- what ended in its queue
  end
  for _, index in ipairs(redis.call('SMEMBERS', keys.extra(call.K, cid))) do
    redis.call('UNLINK', keys.arrivals(call.K, cid, index), keys.turns(call.K, cid, index))
  end
  redis.call('UNLINK', meta, keys.lanes(call.K, cid), keys.watchers(call.K, cid), keys.templates(call.K, cid), keys.forgotten(call.K, cid),
    keys.grown(call.K, cid), keys.scattered(call.K, cid), keys.extra(call.K, cid), keys.ids(call.K, cid), keys.starts(call.K, cid),
    keys.stamps(call.K, cid), keys.log(call.K, cid))
  if m[3] then redis.call('ZREM', keys.live(call.K, m[3]), cid) end
  if m[4] then unpin(call, m[4]) end
  return true
end

-- Remove a canvas that was never submitted: its number of nodes is not known, so go on to the first missing chunk.
local function remove_staged(call, cid)
  redis.call('UNLINK', keys.ids(call.K, cid))
  for chunk = 0, 8000 do
    if redis.call('UNLINK', keys.nodes(call.K, cid, chunk), keys.bodies(call.K, cid, chunk)) == 0 then break end
  end
  for _, index in ipairs(redis.call('SMEMBERS', keys.extra(call.K, cid))) do
    redis.call('UNLINK', keys.arrivals(call.K, cid, index), keys.turns(call.K, cid, index))
  end
  redis.call('UNLINK', keys.starts(call.K, cid), keys.extra(call.K, cid), keys.ids(call.K, cid), keys.stamps(call.K, cid))
end

-- The canvas and node of a timer; nil for one that cannot be read, which is set aside.
local function timer(call, field)
  if not string.find(field, '^%x+:%d+$') then rows.park(call, 'timer', '', field) end
  return leases.node_of(call, field)
end

-- Cancel canvases whose deadline has passed.
local function end_overdue(call)
  local late = redis.call('ZRANGEBYSCORE', keys.deadlines(call.K), '-inf', call.now, 'LIMIT', 0, SLICE)
  for _, cid in ipairs(late) do
    local canvas = canvases.get(call, cid)
    if canvas and canvas.state == 'A' then
      local meta = keys.meta(call.K, cid)
      redis.call('HSET', meta, 'overdue', redis.call('HGET', meta, 'deadline'))
      graph.cancel_canvas(call, canvas, false)
    end
  end
  if #late > 0 then redis.call('ZREM', keys.deadlines(call.K), unpack(late)) end
  return #late
end

local function wake_due(call, overran)
  local due = redis.call('ZRANGEBYSCORE', keys.due(call.K), '-inf', call.now, 'LIMIT', 0, SLICE)
  local late = {}
  for _, field in ipairs(due) do
    local canvas, node = timer(call, field)
    if node and node.join then
      graph.overdue(call, canvas, node)
    elseif node and (node.state == 'T' or node.state == 'Y') then
      node.state = 'W'
      nodes.touch(call, canvas.id, node)
      ready.push(call, canvas, node.lane, node.index, 1, 1)
    elseif node and HELD[node.state] and node.state ~= 'G' then
      late[#late + 1] = {canvas, node}
    end
  end
  if #due > 0 then redis.call('ZREM', keys.due(call.K), unpack(due)) end
  for _, each in ipairs(late) do reports.overrun(call, each[1], each[2], overran) end -- which may set a new due time
  return #due
end

local function expire(call)
  local late = redis.call('ZRANGEBYSCORE', keys.expiry(call.K), '-inf', call.now, 'LIMIT', 0, SLICE)
  for _, field in ipairs(late) do
    local canvas, node = timer(call, field)
    if node and (node.state == 'T' or node.state == 'W' or node.state == 'Y') then graph.finish(call, canvas, node, 'X') end
  end
  if #late > 0 then redis.call('ZREM', keys.expiry(call.K), unpack(late)) end
  return #late
end

redis.register_function{function_name = '@LIBRARY@_sweep', flags = {'allow-oom'}, callback = function(KEYS, ARGV)
  local K = KEYS[1]
  local call = call_state.begin(K, ARGV[1])
  local done = 0
  for _, sid in ipairs(redis.call('ZRANGEBYSCORE', keys.sessions(K), '-inf', call.now, 'LIMIT', 0, 1)) do
    leases.drop_session(call, sid, nil, function(canvas, node) reports.overrun(call, canvas, node, ARGV[3]) end)
    call_state.tell(call, 'lapse', 1)
    done = SLICE
  end
  done = math.max(done, wake_due(call, ARGV[3]), expire(call), end_overdue(call))
  if limits.sweep(call) then done = SLICE end
  for _, cid in ipairs(redis.call('ZRANGEBYSCORE', keys.growing(K), '-inf', call.now, 'LIMIT', 0, 1)) do
    redis.call('ZREM', keys.growing(K), cid)
    local canvas = canvases.get(call, cid)
    if canvas then
      redis.call('HSET', keys.meta(K, cid), 'ttl', 0) -- nobody was told that it was accepted
      graph.cancel_canvas(call, canvas, false)
    end
  end
  graph.settle(call)
  local left = graph.proceed(call)
  for _, cid in ipairs(redis.call('ZRANGEBYSCORE', keys.ended(K), '-inf', call.now, 'LIMIT', 0, 1)) do
    if tonumber(redis.call('HGET', keys.meta(K, cid), 'pins') or '0') > 0 then
      redis.call('HSET', keys.meta(K, cid), 'lapsed', 1)
      redis.call('ZREM', keys.ended(K), cid)
    elseif remove(call, cid) then
      redis.call('ZREM', keys.ended(K), cid)
    end
    done = SLICE
  end
  local stale = call.now - tonumber(ARGV[2])
  for _, cid in ipairs(redis.call('ZRANGEBYSCORE', keys.staging(K), '-inf', stale, 'LIMIT', 0, 1)) do
    remove_staged(call, cid)
    redis.call('ZREM', keys.staging(K), cid)
  end
  queues.prune(K)
  local own = call_state.finish(call)
  call_state.keep_count(call)
  for i = 4, #ARGV, 2 do
    redis.call('SADD', keys.idle(K, ARGV[i], ARGV[i + 1]), call.coordinator)
    if ready.any(call, ARGV[i], ARGV[i + 1]) then
      own[#own + 1], own[#own + 2] = 'w', {ARGV[i], ARGV[i + 1], 1000}
    end
  end
  local wait = -1
  for _, key in ipairs({keys.due(K), keys.unsettled(K), keys.deadlines(K)}) do
    local first = redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')
    local ms = first[2] and math.max(0, tonumber(first[2]) - call.now)
    if ms and (wait < 0 or ms < wait) then wait = ms end
  end
  return {(done >= SLICE or left > 0) and 1 or 0, wait, own, tonumber(redis.call('HGET', keys.limits(K), '') or '0')}
end}
