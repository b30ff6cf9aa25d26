-- reports: what workers say of their attempts. A token that is not the node's current one changes nothing.

local reports = {}

-- The node if the token is its current one; else nil and the answer: D applied before, S stale, U unknown.
local function current(call, cid, index, attempt, nonce)
  local canvas = canvases.get(call, cid)
  local node = canvas and nodes.get(call, cid, index)
  if not node or node.join then return nil, 'U' end
  if HELD[node.state] and node.nonce == nonce and node.deliveries == attempt then return canvas, node end
  if (FINAL[node.state] or node.state == 'Y') and node.deliveries == attempt then return nil, 'D' end
  return nil, 'S'
end

-- An attempt may run no longer than its limit, whatever its worker says: a sweep ends it `FENCE_MS` later, so that the
-- word of a worker that keeps the limit comes first. `keys.due` has one entry for a node, of whatever it waits for.
local function fence(call, canvas, node)
  local limit = string.match(node.timing, 'h(%d+)')
  if limit then
    redis.call('ZADD', keys.due(call.K), 'NX', call.now + tonumber(limit) + FENCE_MS, canvas.id .. ':' .. node.index)
  end
end

local function requeue(call, canvas, node, delay)
  graph.watch_expiry(call, canvas, node)
  if delay > 0 then
    node.state = 'Y'
    nodes.touch(call, canvas.id, node)
    redis.call('ZADD', keys.due(call.K), call.now + delay, canvas.id .. ':' .. node.index)
    call.due = math.min(call.due or call.now + delay, call.now + delay)
  else
    node.state = 'W'
    nodes.touch(call, canvas.id, node)
    ready.push(call, canvas, node.lane, node.index, 1, 1)
  end
end

local ENDS = {v = 'S', e = 'F', i = 'I', r = 'I'}

-- Take in what was staged with an attempt: lines `replace first,count last edges` and `add first,count join/lasts edges`, where
-- `last` and `lasts` (runs, separated by ';') are the nodes whose value the replacement is, or that arrive at the join.
local function extend(call, canvas, node, text)
  if text == '' then return false end
  local replaced = false
  for line in string.gmatch(text, '[^\n]+') do
    local op, first, count, last, edges = string.match(line, '^(%a+) (%d+),(%d+) (%S+) (%S*)$')
    canvases.add(call, canvas, tonumber(first), tonumber(count))
    if op == 'replace' then
      replaced = true
      node.state = 'P'
      members.annex(call, canvas, node, tonumber(first), tonumber(count))
      nodes.touch(call, canvas.id, node)
    else
      local join, lasts = string.match(last, '^(%d+)/(.+)$')
      local group = nodes.get(call, canvas.id, tonumber(join))
      if group then members.annex(call, canvas, group, tonumber(first), tonumber(count)) end
      joins.add_inputs(call, canvas, join, lasts)
      if group and members.turn_away(call, canvas, group, tonumber(first), tonumber(count)) then
        edges = ''
      elseif group and turns.limited(group) then
        local last, begin = string.match(lasts, '^%d+'), string.gsub(edges, ';', '&')
        turns.add(call, canvas, group, table.concat({1, count, last, begin}, ','))
        edges = ''
      end
    end
    graph.start(call, canvas, edges)
  end
  return replaced
end

local function failed_again(call, canvas, node, delay, most)
  node.failures = node.failures + 1
  if most >= 0 and node.failures > most then return graph.finish(call, canvas, node, 'F') end
  call_state.tell(call, 'retry', 1)
  requeue(call, canvas, node, delay)
end

-- Apply how an attempt ended. Kinds: v value, e error, i ignored, r rejected for good, q rejected to be delivered again
-- after `delay` ms, y failed and to be retried after `delay` ms unless it failed more than `extra` times (-1 for any number),
-- p replaced. `extra` of v and p: see `extend`. s is no end: a running attempt has set a state for itself. Returns A
-- applied, or D, S, U as above. The caller takes it off what the session holds.
function reports.outcome(call, cid, index, attempt, nonce, kind, blob, delay, extra)
  local canvas, node = current(call, cid, index, attempt, nonce)
  if not canvas then return node end
  if kind == 's' then
    nodes.put_result(call, cid, index, blob)
    return 'A'
  end
  leases.unfence(call, canvas, node)
  if node.state == 'K' or node.state == 'Q' or canvas.state == 'C' then -- or the cancelling has not come to it yet
    leases.acknowledge(call, canvas, node)
  elseif kind == 'q' then
    if leases.worn_out(node) then
      dead.finish(call, canvas, node)
    else
      requeue(call, canvas, node, delay)
    end
  elseif kind == 'y' then
    nodes.put_result(call, cid, index, blob)
    failed_again(call, canvas, node, delay, tonumber(extra))
  elseif not extend(call, canvas, node, extra) then
    if kind == 'e' then node.failures = node.failures + 1 end
    if kind == 'v' then
      graph.keep_value(call, canvas, node, blob)
    else
      nodes.put_result(call, cid, index, blob)
    end
    graph.finish(call, canvas, node, ENDS[kind])
  end
  return 'A'
end

-- Apply that an attempt has begun to run.
function reports.started(call, sid, cid, index, attempt, nonce)
  local canvas, node = current(call, cid, index, attempt, nonce)
  if not canvas then return node end
  if node.state == 'G' then
    node.state = 'R'
    nodes.touch(call, cid, node)
    redis.call('HSET', keys.held(call.K, sid), cid .. ':' .. index, attempt .. ',' .. nonce .. ',1')
  end
  fence(call, canvas, node)
  return 'A'
end

-- End an attempt that has outlived its limit; `blob` is the outcome it has then. Its worker is told to kill it.
function reports.overrun(call, canvas, node, blob)
  local sid = graph.tell_holder(call, canvas, node, true)
  redis.call('HDEL', keys.held(call.K, sid), canvas.id .. ':' .. node.index)
  call_state.tell(call, 'overrun', 1)
  graph.answered(call, canvas, node) -- or it would be told for as long as its session lives
  reports.outcome(call, canvas.id, node.index, node.deliveries, node.nonce, 'e', blob, 0, '')
end

-- Apply that an attempt was given back unstarted.
function reports.returned(call, sid, cid, index, attempt, nonce)
  local canvas, node = current(call, cid, index, attempt, nonce)
  if not canvas then return node end
  redis.call('HDEL', keys.held(call.K, sid), cid .. ':' .. index)
  leases.release(call, canvas, node, false, true)
  return 'A'
end
