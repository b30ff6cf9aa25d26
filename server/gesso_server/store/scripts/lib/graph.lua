-- graph: the one rule. When a node ends, its edges are taken or closed; a node whose edges let it run is ready,
-- and one that can no longer run ends too.
--
-- Taking an edge is one write for a run of any length. Closing one reaches every node behind it, so it stands on
-- the call's agenda, and what the call's budget does not allow goes to the partition's work list, in order.

local graph = {}

local SPREAD = 100 -- ranges of added nodes that are looked at together

local function finish(call, canvas, node, state, cause)
  node.state = state
  node.cause = cause
  node.finish = canvases.age(call, canvas)
  nodes.touch(call, canvas.id, node)
  canvases.count(call, canvas, node.index)
  if not node.join then call.tally[state] = (call.tally[state] or 0) + 1 end
  if canvas.told then canvases.tell_span(call, canvas, node) end
  local agenda = call.agenda
  agenda[#agenda + 1] = {canvas = canvas, node = node}
end

local function cause_of(node)
  if OWN_FAILURE[node.state] and (node.cause == '-' or not node.cause) then return tostring(node.index) end
  return node.cause or '-'
end

-- End a join; members that it no longer needs are cancelled if it says so.
local function finish_join(call, canvas, join, state, cause)
  finish(call, canvas, join, state, cause)
  members.dismiss(call, canvas, join)
end

-- A join has what it needs, or can no longer get it. `state` and `cause` are those of the input that came.
local function weigh(call, canvas, join, state, cause)
  if state == 'I' and join.policy == 'a' then return finish_join(call, canvas, join, 'I', '-') end
  local growing = string.find(join.timing, 'o', 1, true)
  if join.need < 0 then
    if join.policy == 'a' and join.ended > join.ok then finish_join(call, canvas, join, 'F', join.cause) end
    return
  end
  local arrived = join.policy == 'e' and join.ended or join.ok
  if arrived >= join.need and not (join.policy == 'q' and join.need == 0) then
    finish_join(call, canvas, join, 'S', '-')
  elseif not growing and arrived + join.total - join.ended < math.max(join.need, 1) then
    finish_join(call, canvas, join, 'F', join.cause == '-' and cause or join.cause)
  end
end

local function arrive(call, canvas, index, from)
  local join = nodes.get(call, canvas.id, index)
  if not join then return end
  join.ended = join.ended + 1
  local cause = from.state == 'S' and '-' or string.gsub(cause_of(from), '^c', '')
  if from.state == 'S' then
    join.ok = join.ok + 1
  elseif from.state ~= 'I' and join.cause == '-' and not FINAL[join.state] then
    join.cause = cause
  end
  if not FINAL[join.state] then
    join.last = from.join and from.last or nodes.label(call, from.index)
    if join.policy == 'q' and from.state == 'S' then
      redis.call('RPUSH', keys.arrivals(call.K, canvas.id, index), from.index)
      redis.call('SADD', keys.extra(call.K, canvas.id), index)
    end
    weigh(call, canvas, join, from.state, cause)
  end
  nodes.touch(call, canvas.id, join)
  turns.ended(call, canvas, join, from)
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
  if node.timing == '' then return nil end
  local expires = string.match(node.timing, 'x(%d+)')
  if expires then return canvas.created + tonumber(expires) end
  expires = string.match(node.timing, 'z(%d+)')
  return expires and tonumber(expires)
end

-- Let a sweep end a task that waits past its last start.
function graph.watch_expiry(call, canvas, node)
  local expires = graph.last_start(canvas, node)
  if expires then redis.call('ZADD', keys.expiry(call.K), expires, canvas.id .. ':' .. node.index) end
end

local function start_timed(call, canvas, lane_id, index)
  local node = nodes.get(call, canvas.id, index)
  if not node or node.state ~= 'W' then return end
  graph.watch_expiry(call, canvas, node)
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
    call.budget = call.budget - 1
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
    if join and join.join and not FINAL[join.state] then
      weigh(call, canvas, join, 'S', '-')
      local limit = string.match(join.timing, 't(%d+)')
      if limit and not FINAL[join.state] then
        redis.call('ZADD', keys.due(call.K), call.now + tonumber(limit), canvas.id .. ':' .. index)
      end
    end
    if join and join.join then turns.open(call, canvas, join) end
  end
  call.budget = call.budget - #slice
  return #slice < count and #slice or 0
end

-- What a node behind a closed edge ends as: its state and cause.
local function fate(from, on_failure, is_join)
  if on_failure then return 'N', '-' end
  if from.state == 'I' or from.state == 'N' or from.state == 'C' then return from.state, '-' end
  local cause = cause_of(from)
  if from.join and from.state == 'F' then return is_join and 'U' or 'F', 'c' .. cause end
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

-- Tell whoever holds an attempt that it is cancelled. That is kept until it has ended: a signal may be lost. Returns the
-- session that holds it, '' for none.
function graph.tell_holder(call, canvas, node, terminate)
  local sid = redis.call('HGET', keys.numbers(call.K), node.session) or ''
  local token = node.deliveries .. ' ' .. node.nonce .. ' ' .. (terminate and 1 or 0)
  redis.call('HSET', keys.told(call.K, sid), canvas.id .. ':' .. node.index, token)
  local coordinator = redis.call('HGET', keys.session(call.K, sid), 'coordinator')
  if coordinator then
    redis.call('SPUBLISH', keys.channel(call.K, coordinator), 'cancel ' .. sid .. ' ' .. canvas.id .. ' ' .. node.index .. ' ' .. token)
  end
  return sid
end

-- Tell whoever holds an attempt that it is cancelled, and wait for its answer. One that was told may still be killed.
local function cancel_held(call, canvas, node, state, terminate)
  if node.state ~= 'G' and node.state ~= 'R' then
    if terminate then graph.tell_holder(call, canvas, node, true) end
    return
  end
  node.state = state
  nodes.touch(call, canvas.id, node)
  graph.tell_holder(call, canvas, node, terminate)
end

-- Take note that an attempt that was told has ended.
function graph.answered(call, canvas, node)
  local sid = redis.call('HGET', keys.numbers(call.K), node.session) or ''
  redis.call('HDEL', keys.told(call.K, sid), canvas.id .. ':' .. node.index)
end

-- Cancel a slice of a run: what waits ends, what runs is told. Edges are not taken: the run has all that is behind.
-- `letter` is K to kill what runs; N when it is not needed any more, and says so (k in its timing); else C.
local function cancel_run(call, canvas, first, count, stride, letter)
  local slice = nodes.run(first, count, stride, math.max(call.budget, 1))
  nodes.prefetch(call, canvas.id, slice)
  for _, index in ipairs(slice) do
    local node = nodes.get(call, canvas.id, index)
    if node and letter == 'N' and not FINAL[node.state] and not string.find(node.timing, 'k', 1, true) then
      node.timing = string.gsub(node.timing, '^p?', '%0k', 1)
    end
    if node and HELD[node.state] then
      cancel_held(call, canvas, node, 'Q', letter == 'K')
    elseif node and not FINAL[node.state] then
      if node.state == 'P' then members.reach(call, canvas, node, 'cancel', letter) end
      finish(call, canvas, node, 'C', '-')
    end
  end
  call.budget = call.budget - #slice
  return #slice < count and #slice or 0
end

-- Cancel what came to a canvas after its submission: ranges `from` to `from + SPREAD`. What was staged and never took
-- effect is left out, since it does not count either. Returns how many ranges, or 0 when those were all.
local function cancel_grown(call, canvas, from, mark)
  local ranges = redis.call('LRANGE', keys.grown(call.K, canvas.id), from, from + SPREAD - 1)
  for _, range in ipairs(ranges) do
    local first, count = string.match(range, '^(%d+),(%d+)$')
    call.agenda[#call.agenda + 1] = {op = 'cancel', canvas = canvas, args = {first, count, 1, mark, '-'}}
  end
  call.budget = call.budget - #ranges
  return #ranges == SPREAD and SPREAD or 0
end

-- Revoke one task, which is then a failure of its own; what it was replaced with is cancelled.
local function revoke_task(call, canvas, node, letter)
  if HELD[node.state] then return cancel_held(call, canvas, node, 'K', letter == 'K') end
  if node.state == 'P' then members.reach(call, canvas, node, 'cancel', letter) end
  finish(call, canvas, node, 'V', '-')
end

-- Whether an empty join would be left as it is: it was to begin with the members it is among, and ends as it begins.
local function never_begins(join)
  return join.total == 0 and join.source == '' and not string.find(join.timing, 'o', 1, true)
end

-- Revoke a slice of a join's members, which begin at `start`. What stands behind one that ends by this is left to the rule.
local function revoke_run(call, canvas, first, count, stride, letter, start)
  local slice = nodes.run(first, count, stride, math.max(call.budget, 1))
  nodes.prefetch(call, canvas.id, slice)
  local closing = {}
  for _, index in ipairs(slice) do
    local node = nodes.get(call, canvas.id, index)
    local source = node and tonumber(string.match(node.source, '%d+'))
    local before = source and source >= start and nodes.get(call, canvas.id, source)
    if before and (closing[source] or (before.state ~= 'S' and FINAL[before.state]) or before.state == 'W') then
      closing[index] = true
    elseif node and not node.join and not FINAL[node.state] then
      revoke_task(call, canvas, node, letter)
    elseif node and node.join and not FINAL[node.state] and never_begins(node) then
      finish(call, canvas, node, 'V', '-')
    end
  end
  call.budget = call.budget - #slice
  return #slice < count and #slice or 0
end

local function defer(item) return item.op .. ' ' .. item.canvas.id .. ' ' .. table.concat(item.args, ' ') end

-- Turn one control edge into an item of the agenda.
local function control(call, canvas, node, edge)
  local mark, waits, kind, first, count, stride, lane =
    string.match(edge, '^(!?)(~?)([>)])(%d+),(%d+),(%d+),?(%d*)$')
  local on_failure = mark == '!'
  local taken = (on_failure and OWN_FAILURE[node.state]) or (not on_failure and node.state == 'S')
  local op, args
  if taken and waits == '~' then
    return
  elseif taken then
    op, args = kind == '>' and 'take' or 'open', {first, count, stride, lane}
  else
    local state, cause = fate(node, on_failure, kind == ')')
    op, args = 'close', {first, count, stride, state, cause}
  end
  call.agenda[#call.agenda + 1] = {op = op, canvas = canvas, args = args}
end

-- Take a slice of the edges that a canvas that is run again begins with.
local function restart(call, canvas, count)
  local edges = redis.call('LPOP', keys.starts(call.K, canvas.id), math.max(call.budget, 1)) or {}
  for _, edge in ipairs(edges) do control(call, canvas, {state = 'S'}, edge) end
  call.budget = call.budget - #edges
  return #edges < count and #edges or 0
end

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
  elseif item.op == 'forget' then
    canvases.forget(call, canvas.id)
  elseif item.op == 'cancel' then
    done = cancel_run(call, canvas, tonumber(a[1]), tonumber(a[2]), tonumber(a[3]), a[4])
  elseif item.op == 'grown' then
    done = cancel_grown(call, canvas, tonumber(a[1]), a[4])
  elseif item.op == 'scattered' then
    done = members.reach_scattered(call, canvas, tonumber(a[1]), tonumber(a[2]), a[4], tonumber(a[5]), a[6])
  elseif item.op == 'revoke' then
    done = revoke_run(call, canvas, tonumber(a[1]), tonumber(a[2]), tonumber(a[3]), a[4], tonumber(a[5]))
  elseif item.op == 'restart' then
    done = restart(call, canvas, tonumber(a[2]))
  elseif item.op == 'turn' then
    turns.go_on(call, canvas, nodes.get(call, canvas.id, tonumber(a[1])))
  end
  if done and done > 0 then
    local rest = {}
    for i, value in ipairs(a) do rest[i] = value end
    rest[1] = tonumber(a[1]) + done * tonumber(a[3])
    rest[2] = tonumber(a[2]) - done
    return {op = item.op, canvas = canvas, args = rest}
  end
end

-- Keep the outcome of a task that is about to end well. One whose value is to be ignored is not kept if nothing reads
-- it, and else goes with what is forgotten.
function graph.keep_value(call, canvas, node, blob)
  if string.find(node.timing, 'i', 1, true) then
    if not nodes.is_read(call, canvas, node) then return end
    redis.call('SADD', keys.forgotten(call.K, canvas.id), node.index)
  end
  nodes.put_result(call, canvas.id, node.index, blob)
end

-- End a replaced node as the last node of its replacement has ended.
local function stand_in(call, canvas, index, from)
  local node = nodes.get(call, canvas.id, index)
  if not node or node.state ~= 'P' then return end
  if from.state == 'S' then
    local value = from.join and '\0' .. from.index or nodes.result(call, canvas.id, from.index)
    graph.keep_value(call, canvas, node, value)
    finish(call, canvas, node, 'S', '-')
  elseif from.state == 'I' or from.state == 'C' then
    finish(call, canvas, node, from.state, '-')
  else
    finish(call, canvas, node, 'F', (string.gsub(cause_of(from), '^c', '')))
  end
end

-- Turn the edges of an ended node into items of the agenda; arrivals and replacements happen at once.
local function follow(call, canvas, node)
  -- All that most members of groups have.
  local shape = node.shape
  if shape and node.edges == shape.edges then
    if shape.only == nil then shape.only = tonumber(string.match(node.edges, '^%+(%d+)$') or nil) or false end
    if shape.only then return arrive(call, canvas, shape.only, node) end
  end
  for edge in string.gmatch(node.edges, '[^;]+') do
    local kind, target = string.match(edge, '^([+=])(%d+)$')
    local template = string.match(edge, '^!%*(%d+)$')
    if kind == '+' then
      arrive(call, canvas, tonumber(target), node)
    elseif kind == '=' then
      stand_in(call, canvas, tonumber(target), node)
    elseif not template then
      control(call, canvas, node, edge)
    elseif OWN_FAILURE[node.state] and canvas.state ~= 'C' then
      for started in string.gmatch(templates.add(call, canvas, template, node.index), '[^;]+') do
        control(call, canvas, {state = 'S'}, started)
      end
    end
  end
end

-- End a node that was reported on, revoked or given up.
function graph.finish(call, canvas, node, state, cause)
  finish(call, canvas, node, state, cause or '-')
end

-- End a join whose deadline has passed.
function graph.overdue(call, canvas, join)
  if FINAL[join.state] then return end
  join.timing = 'l' .. join.timing
  if join.policy == 'e' then
    finish_join(call, canvas, join, 'S', '-')
  else
    finish_join(call, canvas, join, 'F', '-')
  end
end

-- Revoke one node: a failure of its own. A join stands for its members. Returns whether there was anything to revoke.
function graph.revoke(call, canvas, node, terminate)
  local letter = terminate and 'K' or 'C'
  if not node.join then
    if FINAL[node.state] then return false end
    revoke_task(call, canvas, node, letter)
    return true
  end
  if FINAL[node.state] and node.ended >= node.total then return false end
  members.disown(call, canvas, node, terminate)
  members.reach(call, canvas, node, 'revoke', letter)
  if not FINAL[node.state] and node.total == 0 then finish(call, canvas, node, 'V', '-') end
  return true
end

-- Cancel a canvas: all of its nodes, and whatever would come to it. No edge in it is taken.
function graph.cancel_canvas(call, canvas, terminate)
  local meta = keys.meta(call.K, canvas.id)
  if canvas.state ~= 'C' then
    canvas.state = 'C'
    redis.call('HSET', meta, 'state', 'C')
    canvas.ended = canvas.ended + tonumber(redis.call('HGET', meta, 'growing') or '0')
    redis.call('HDEL', meta, 'growing')
    redis.call('ZREM', keys.growing(call.K), canvas.id)
    log.note_canvas(call, canvas.ns, canvas.id)
  end
  local mark, agenda = terminate and 'K' or 'C', call.agenda
  agenda[#agenda + 1] = {op = 'cancel', canvas = canvas, args = {0, redis.call('HGET', meta, 'own'), 1, mark, '-'}}
  local ranges = redis.call('LLEN', keys.grown(call.K, canvas.id))
  if ranges > 0 then agenda[#agenda + 1] = {op = 'grown', canvas = canvas, args = {0, ranges, 1, mark, '-'}} end
end

-- Weigh a join whose inputs or needs were changed.
function graph.weigh(call, canvas, join) weigh(call, canvas, join, 'S', join.cause) end

-- Let nodes begin behind a node that may have ended already: take, close or keep the edges.
function graph.behind(call, canvas, source, edges)
  for edge in string.gmatch(edges, '[^;]+') do
    if source and not FINAL[source.state] then
      source.edges = nodes.with_edge(source.edges, edge)
      nodes.touch(call, canvas.id, source)
    else
      control(call, canvas, source or {state = 'S'}, edge)
    end
  end
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
    call.left_work = true
  end
  call.left = {}
end

-- Go on with the work list. Returns how many items are left. What is left of an item goes back to the front: joins are
-- closed before anything behind them, also in slices.
function graph.proceed(call)
  local list = keys.work(call.K)
  graph.settle(call)
  while call.budget > 0 do
    local text = redis.call('LPOP', list)
    if not text then return 0 end
    local op, cid, rest = string.match(text, '^(%a+) (%x+) (.*)$')
    if not op then rows.park(call, 'work', '', text) end
    local canvas = op and canvases.get(call, cid)
    if canvas then
      local args = {}
      for arg in string.gmatch(rest, '[^ ]+') do args[#args + 1] = arg end
      local left = work(call, {op = op, canvas = canvas, args = args})
      if left then redis.call('LPUSH', list, defer(left)) end
      graph.settle(call)
    end
  end
  return redis.call('LLEN', list)
end
