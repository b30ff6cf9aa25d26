-- graph: the one rule. When a node ends, its edges are taken or closed; a node whose edges let it run is ready,
-- and one that can no longer run ends too.
--
-- Taking an edge is one write for a run of any length. Closing one reaches every node behind it, so it stands on
-- the call's agenda, and what the call's budget does not allow goes to the partition's work list, in order.

local graph = {}

local function finish(call, canvas, node, state, cause)
  node.state = state
  node.cause = cause
  node.finish = call.now - canvas.created
  nodes.touch(call, canvas.id, node)
  canvases.count(call, canvas, node.index)
  local agenda = call.agenda
  agenda[#agenda + 1] = {canvas = canvas, node = node}
end

local function cause_of(node)
  if OWN_FAILURE[node.state] and (node.cause == '-' or not node.cause) then return tostring(node.index) end
  return node.cause or '-'
end

-- A join has what it needs, or can no longer get it. `state` and `cause` are those of the input that came.
local function weigh(call, canvas, join, state, cause)
  if join.need < 0 then return end
  local arrived = join.policy == 'e' and join.ended or join.ok
  if arrived >= join.need then
    finish(call, canvas, join, 'S', '-')
  elseif state == 'I' and join.policy == 'a' then
    finish(call, canvas, join, 'I', '-')
  elseif arrived + join.total - join.ended < join.need then
    finish(call, canvas, join, 'F', join.cause == '-' and cause or join.cause)
  end
end

local function arrive(call, canvas, index, from)
  local join = nodes.get(call, canvas.id, index)
  if not join then return end
  join.ended = join.ended + 1
  local cause = string.gsub(cause_of(from), '^c', '')
  if from.state == 'S' then
    join.ok = join.ok + 1
  elseif from.state ~= 'I' and join.cause == '-' then
    join.cause = cause
  end
  if not FINAL[join.state] then
    join.last = from.join and from.last or tostring(from.index)
    weigh(call, canvas, join, from.state, cause)
  end
  nodes.touch(call, canvas.id, join)
end

-- When a task may start, in ms, by its timing; nil for at once. Timing: d<ms> delay, a<ms> instant.
local function due_time(call, node)
  local due
  local delay = string.match(node.timing, 'd(%d+)')
  if delay then due = call.now + tonumber(delay) end
  local at = string.match(node.timing, 'a(%d+)')
  if at and tonumber(at) > call.now then due = math.max(due or 0, tonumber(at)) end
  return due
end

-- The last instant at which a task may start, in Unix ms, nil for none: x<ms after acceptance>, z<instant>.
function graph.last_start(canvas, node)
  local expires = string.match(node.timing, 'x(%d+)')
  if expires then return canvas.created + tonumber(expires) end
  expires = string.match(node.timing, 'z(%d+)')
  return expires and tonumber(expires)
end

local function start_timed(call, canvas, lane_id, index)
  local node = nodes.get(call, canvas.id, index)
  local expires = graph.last_start(canvas, node)
  if expires then redis.call('ZADD', keys.expiry(call.K), expires, canvas.id .. ':' .. index) end
  local due = due_time(call, node)
  if due and due > call.now then
    node.state = 'T'
    nodes.touch(call, canvas.id, node)
    redis.call('ZADD', keys.due(call.K), due, canvas.id .. ':' .. index)
    call.due = math.min(call.due or due, due)
  else
    ready.push(call, canvas, lane_id, index, 1, 1)
  end
end

-- Start a run of tasks; a run of timed ones is looked at one by one, in slices.
local function take_run(call, canvas, first, count, stride, lane_id)
  if not canvases.lane(call, canvas, lane_id).timed then
    ready.push(call, canvas, lane_id, first, count, stride)
    return 0
  end
  local slice = nodes.run(first, count, stride, math.max(call.budget, 1))
  nodes.prefetch(call, canvas.id, slice)
  for _, index in ipairs(slice) do start_timed(call, canvas, lane_id, index) end
  call.budget = call.budget - #slice
  return #slice < count and #slice or 0
end

local function open_joins(call, canvas, first, count, stride)
  local slice = nodes.run(first, count, stride, math.max(call.budget, 1))
  nodes.prefetch(call, canvas.id, slice)
  for _, index in ipairs(slice) do
    local join = nodes.get(call, canvas.id, index)
    if not FINAL[join.state] then weigh(call, canvas, join, 'S', '-') end
  end
  call.budget = call.budget - #slice
  return #slice < count and #slice or 0
end

-- What a node behind a closed edge ends as: its state and cause.
local function fate(from, on_failure, is_join)
  if on_failure then return 'N', '-' end
  if from.state == 'I' or from.state == 'N' or from.state == 'C' then return from.state, '-' end
  local cause = cause_of(from)
  if from.join and from.state == 'F' and not is_join then return 'F', 'c' .. cause end
  return 'U', cause
end

-- End a slice of what stands behind a closed edge. Returns how many, or 0 when that was all.
local function close_run(call, canvas, first, count, stride, state, cause)
  local slice = nodes.run(first, count, stride, math.max(call.budget, 1))
  nodes.prefetch(call, canvas.id, slice)
  for _, index in ipairs(slice) do
    local node = nodes.get(call, canvas.id, index)
    if node and not FINAL[node.state] then finish(call, canvas, node, state, cause) end
  end
  call.budget = call.budget - #slice
  return #slice < count and #slice or 0
end

local function defer(item) return item.op .. ' ' .. item.canvas.id .. ' ' .. table.concat(item.args, ' ') end

-- Work one item of the agenda. Returns what is left of it, as an item, or nil.
local function work(call, item)
  local canvas, a = item.canvas, item.args
  local done
  if item.op == 'take' then
    done = take_run(call, canvas, tonumber(a[1]), tonumber(a[2]), tonumber(a[3]), a[4])
  elseif item.op == 'open' then
    done = open_joins(call, canvas, tonumber(a[1]), tonumber(a[2]), tonumber(a[3]))
  elseif item.op == 'close' then
    done = close_run(call, canvas, tonumber(a[1]), tonumber(a[2]), tonumber(a[3]), a[4], a[5])
  end
  if done and done > 0 then
    local rest = {}
    for i, value in ipairs(a) do rest[i] = value end
    rest[1] = tonumber(a[1]) + done * tonumber(a[3])
    rest[2] = tonumber(a[2]) - done
    return {op = item.op, canvas = canvas, args = rest}
  end
end

-- Turn the edges of an ended node into items of the agenda; arrivals happen at once.
local function follow(call, canvas, node)
  local agenda = call.agenda
  for edge in string.gmatch(node.edges, '[^;]+') do
    local join = string.match(edge, '^%+(%d+)$')
    if join then
      arrive(call, canvas, tonumber(join), node)
    else
      local mark, kind, first, count, stride, lane = string.match(edge, '^(!?)([>)])(%d+),(%d+),(%d+),?(%d*)$')
      local on_failure = mark == '!'
      local taken = (on_failure and OWN_FAILURE[node.state]) or (not on_failure and node.state == 'S')
      if taken then
        agenda[#agenda + 1] = {op = kind == '>' and 'take' or 'open', canvas = canvas, args = {first, count, stride, lane}}
      else
        local state, cause = fate(node, on_failure, kind == ')')
        agenda[#agenda + 1] = {op = 'close', canvas = canvas, args = {first, count, stride, state, cause}}
      end
    end
  end
end

-- End a node that was reported on, revoked or given up.
function graph.finish(call, canvas, node, state, cause)
  finish(call, canvas, node, state, cause or '-')
end

-- Take edges as if a node that succeeded had them: the start of a canvas.
function graph.start(call, canvas, edges)
  follow(call, canvas, {index = -1, state = 'S', edges = edges})
end

-- Work the agenda down within the budget; what is left goes to the work list, in order.
function graph.settle(call)
  local agenda, at = call.agenda, 1
  while agenda[at] do
    local item = agenda[at]
    if item.node then
      follow(call, item.canvas, item.node)
    elseif call.budget <= 0 then
      call.left[#call.left + 1] = defer(item)
    else
      local rest = work(call, item)
      if rest then call.left[#call.left + 1] = defer(rest) end
    end
    at = at + 1
  end
  call.agenda = {}
  for from = 1, #call.left, 1000 do
    redis.call('RPUSH', keys.work(call.K), unpack(call.left, from, math.min(from + 999, #call.left)))
  end
  call.left = {}
end

-- Go on with the work list. Returns how many items are left.
function graph.proceed(call)
  local list = keys.work(call.K)
  while call.budget > 0 do
    local text = redis.call('LPOP', list)
    if not text then return 0 end
    local op, cid, rest = string.match(text, '^(%a+) (%x+) (.*)$')
    local canvas = canvases.get(call, cid)
    if canvas then
      local args = {}
      for arg in string.gmatch(rest, '[^ ]+') do args[#args + 1] = arg end
      call.agenda = {{op = op, canvas = canvas, args = args}}
      graph.settle(call)
    end
  end
  return redis.call('LLEN', list)
end
