-- leases: sessions, what they hold, and handing them work.
--
-- keys.session has: epoch, seq, num (a short number for the session), ns, queues (space-separated), coordinator,
-- worker, slots, done (outcomes that it reported and that counted), lease (ms), gone (ms, when its connection broke, until it says hello again), grants (of the last seq,
-- `canvas:index` space-separated), alone (`canvas:index` of a task that it holds and that is to run alone; '?' while it is to hold
-- nothing any more, for a task that is set aside; '' for neither).
-- keys.held has, for each task the session holds, `canvas:index` -> attempt,nonce,started (0 or 1).
-- keys.lapsed has, of a session that was ended because nothing was heard of it, what it held and was not said to have
-- begun, `canvas:index` -> attempt,nonce: each counts as delivered, until the parent of its process says what was running.

local leases = {}

local MAX_CRASHES = @CRASHES@ -- a task that was running in so many processes that died is dead
local MAX_DELIVERIES = @DELIVERIES@
local ALONE_AFTER = MAX_CRASHES > 1 and MAX_CRASHES - 1 or 1 -- crashes after which a task is delivered alone
local FENCE_MS = 5000 -- an attempt that outlives its limit is ended so much later, if nobody has done it before
local LAPSED_MS = 3600000 -- for so long a parent may take to say what became of a session that was ended
local MOST_SCANNED = 1000 -- nodes that one lease looks at, those that were cancelled meanwhile included
local MOST_BYTES = 1048576 -- of bodies and inputs that one lease hands out, unless it hands out one task alone

-- The session, or nil if it is unknown (never said hello here, or its lease ended).
function leases.session(call, sid)
  local s = redis.call('HMGET', keys.session(call.K, sid), 'epoch', 'seq', 'num', 'ns', 'queues', 'grants', 'alone', 'done')
  if not s[1] then return nil end
  local names = {}
  for queue in string.gmatch(s[5], '[^ ]+') do names[#names + 1] = queue end
  return {id = sid, epoch = tonumber(s[1]), seq = tonumber(s[2]), num = s[3], ns = s[4], queues = names, grants = s[6] or '',
    alone = s[7] or '', done = tonumber(s[8] or 0)}
end

-- Count a session for its queues (n = 1), or not any more (-1). Without `ns` there is none.
function leases.count_session(call, sid, ns, names, n)
  if not ns then return end
  if n > 0 then
    redis.call('ZADD', keys.workers(call.K, ns), 0, sid)
  else
    redis.call('ZREM', keys.workers(call.K, ns), sid)
  end
  for queue in string.gmatch(names, '[^ ]+') do queues.count(call, ns, queue, 's', n) end
end

-- The canvas and node of a `canvas:index`.
function leases.node_of(call, field)
  local cid, index = string.match(field, '^(%x+):(%d+)$')
  if not cid then return nil end
  local canvas = canvases.get(call, cid)
  return canvas, canvas and nodes.get(call, cid, tonumber(index))
end

-- One assignment, as the caller gets it: canvas, index, attempt, nonce, failures, timing, body, source letter, source
-- index, source (a task's outcome, a join's body, a failed node as nodes.described has it), the task before (for a
-- join: whose input came last), a join's timing, ids of that task and of the joins around it as nodes.names has them.
function leases.assignment(call, canvas, node)
  local letter, source
  if node.source ~= '' then letter, source = string.match(node.source, '^(%a)(%d+)$') end
  local value, parent, timing = '', source or '', ''
  if letter == 'F' then
    nodes.flush(call)
    value = nodes.described(call.K, canvas, source)
  elseif letter == 'T' then
    value = nodes.result(call, canvas.id, tonumber(source))
    if string.sub(value, 1, 1) == '\0' then letter, source = 'J', string.sub(value, 2) end
  end
  if letter == 'J' or letter == 'j' then
    local join = nodes.get(call, canvas.id, tonumber(source))
    timing = join.timing
    if node.source == letter .. source then parent = join.last ~= '-' and join.last or string.match(join.source, '^[tT](%d+)$') or '-' end
    if letter == 'J' then value = nodes.body(call, canvas.id, tonumber(source)) end
  end
  local body = nodes.body(call, canvas.id, node.index)
  local names = ''
  if canvas.named then
    names = nodes.names(call.K, canvas.id, body, node.timing, string.match(parent, '%d+'))
  end
  return {canvas.id, node.index, node.deliveries, node.nonce, node.failures, node.timing, body, letter or '', source or '',
    value, parent, timing, names}
end

-- How many bytes an assignment's body and value have.
local function weight(item)
  local body, value = item[7], item[10]
  if type(value) == 'string' then return #body + #value end
  local sum = #body
  for _, part in ipairs(value) do sum = sum + #part end
  return sum
end

-- Keep in a task's record when it could first run, ms.
local function note_ready(canvas, node, since)
  if node.timing ~= '' and string.find(node.timing, 'q', 1, true) then return end
  if canvas.since ~= since then canvas.since, canvas.ready = since, string.format('q%d', since - canvas.created) end
  local ready = canvas.ready
  node.timing = node.permit and 'p' .. ready .. string.sub(node.timing, 2) or ready .. node.timing
end

local function grant(call, session, canvas, node, granted, since)
  note_ready(canvas, node, since)
  node.state = 'G'
  node.deliveries = node.deliveries + 1
  node.nonce, node.session, node.start = call.nonce, session.num, canvases.age(call, canvas)
  nodes.touch(call, canvas.id, node)
  local field = canvas.id .. ':' .. nodes.label(call, node.index)
  granted.held[#granted.held + 1] = field
  granted.held[#granted.held + 1] = node.deliveries .. ',' .. node.nonce .. ',0'
  granted.fields[#granted.fields + 1] = field
  local item = leases.assignment(call, canvas, node)
  granted.items[#granted.items + 1] = item
  granted.bytes = granted.bytes + weight(item)
  if granted.bytes >= MOST_BYTES then granted.more = true end
end

local function expired(call, canvas, node)
  local expires = graph.last_start(canvas, node)
  if not expires then return false end
  redis.call('ZREM', keys.expiry(call.K), canvas.id .. ':' .. node.index)
  return call.now > expires
end

-- Whether the session holds anything, before this call or by it.
local function busy(call, session, granted)
  if granted.busy == nil then granted.busy = redis.call('EXISTS', keys.held(call.K, session.id)) == 1 end
  return granted.busy or #granted.items > 0
end

-- Grant up to `most` tasks of one canvas. Returns how many; stops the whole lease for a task that must be alone, and ends it
-- with `granted.more` where it has looked at enough, or hands out enough.
local function serve_canvas(call, session, ring, list, most, granted)
  local canvas, queue, served = list.canvas, ring.queue, 0
  if canvas.state == 'C' then
    granted.more = not rings.drop(call, list, canvas.ns, queue)
    return 0
  end
  while served < most and not granted.stop and not granted.more do
    if granted.scanned > MOST_SCANNED then
      granted.more = true
      break
    end
    local entry = rings.pop(list)
    if not entry then break end
    local lane = canvases.lane(call, canvas, entry.lane)
    local limit = granted.limited and limits.of(call, canvas, lane)
    if not granted.known[lane.task] then
      granted.known[lane.task] = redis.call('SISMEMBER', keys.names(call.K, session.id), lane.task)
    end
    if granted.known[lane.task] == 0 then
      ready.park(call, canvas, lane, entry)
      granted.scanned = granted.scanned + 1
    elseif limit and limits.room(call, limit, 1) == 0 then
      limits.set_aside(call, limit, canvas, lane, entry)
      queues.count(call, canvas.ns, queue, 'w', -entry.count)
      granted.scanned = granted.scanned + 1
    else
      local room = limit and limits.room(call, limit, most - served) or most - served
      local slice = nodes.run(entry.first, entry.count, entry.stride, room)
      nodes.prefetch(call, canvas.id, slice)
      local taken, begun = 0, 0
      granted.scanned = granted.scanned + #slice
      for _, index in ipairs(slice) do
        local node = nodes.get(call, canvas.id, index)
        if node and node.state == 'W' then
          local alone = node.crashes >= ALONE_AFTER
          if alone then granted.stop, granted.alone = true, canvas.id .. ':' .. index end
          if alone and busy(call, session, granted) then
            granted.alone = '?'
            ready.leave_alone(call, canvas, queue, index)
          elseif expired(call, canvas, node) then
            note_ready(canvas, node, entry.since)
            graph.finish(call, canvas, node, 'X')
          else
            if limit then limits.take(call, limit, canvas, node) end
            grant(call, session, canvas, node, granted, entry.since)
            served, begun = served + 1, begun + 1
          end
        end
        taken = taken + 1
        if granted.stop or granted.more then break end
      end
      queues.count(call, canvas.ns, queue, 'w', -taken)
      if begun > 0 then
        local waited = math.max(0, call.now - entry.since)
        call.waits[waited] = (call.waits[waited] or 0) + begun
      end
      local _, rest = rings.split(entry, taken)
      if rest then rings.put_back(list, rest) end
    end
  end
  return served
end

-- Grant a task that is to run alone to a session that holds nothing. Returns how many tasks were granted.
local function serve_alone(call, session, level, _, granted)
  local queue = level.queue
  for _, field in ipairs(busy(call, session, granted) and {} or ready.left_alone(call, session.ns, queue)) do
    local canvas, node = leases.node_of(call, field)
    local lane = node and node.state == 'W' and canvases.lane(call, canvas, node.lane)
    if not lane or redis.call('SISMEMBER', keys.names(call.K, session.id), lane.task) == 1 then
      ready.take_alone(call, session.ns, queue, field)
      local limit = lane and granted.limited and limits.of(call, canvas, lane)
      if lane and expired(call, canvas, node) then
        graph.finish(call, canvas, node, 'X')
      elseif limit and limits.room(call, limit, 1) == 0 then
        limits.set_aside(call, limit, canvas, lane, ready.entry(call, node))
      elseif lane then
        if limit then limits.take(call, limit, canvas, node) end
        granted.stop, granted.alone = true, field
        grant(call, session, canvas, node, granted, call.now)
        return 1
      end
    end
  end
  return 0
end

-- Serve the canvases of one ring in turn. Returns how many tasks were granted.
local function serve_ring(call, session, level, want, granted)
  local ring = rings.open(call, session.ns, level.queue, level.prio, level.stored)
  local got, length = 0, rings.length(ring)
  while got < want and length > 0 and not granted.stop and not granted.more do
    local list = rings.next(call, ring)
    if list.canvas then
      got = got + serve_canvas(call, session, ring, list, math.ceil((want - got) / length), granted)
      rings.again(ring, list)
    end
    length = rings.length(ring)
  end
  rings.close(call, ring)
  return got
end

-- The session's queues with work, by priority, the highest first; equal ones in an order that turns with each call.
local function levels(call, session)
  local found, n = {}, #session.queues
  for i = 0, n - 1 do
    local queue = session.queues[(session.seq + i) % n + 1]
    local stored = ready.levels(call, session.ns, queue)
    if stored then
      ready.unpark(call, session, queue)
      for at, prio in ipairs(rings.levels(call, session.ns, queue, stored)) do
        found[#found + 1] = {queue = queue, prio = prio, stored = at <= #stored,
          rank = (tonumber(prio) or ALONE_RANK) * n + (n - i)}
      end
    end
  end
  if #found > 1 then table.sort(found, function(a, b) return a.rank > b.rank end) end
  return found
end

-- Grant up to `want` tasks. Returns their assignments; `session.seq` is the call's already.
function leases.lease(call, session, want)
  local granted = {items = {}, fields = {}, held = {}, known = {}, stop = false,
    scanned = 0, bytes = 0, more = false, alone = '', limited = limits.exist(call)}
  local held = keys.held(call.K, session.id)
  if session.alone == '?' and busy(call, session, granted)
    or (session.alone ~= '?' and session.alone ~= '' and redis.call('HEXISTS', held, session.alone) == 1) then
    granted.stop, granted.alone = true, session.alone
  end
  local got = 0
  for _, level in ipairs(levels(call, session)) do
    if got >= want or granted.stop or granted.more then break end
    local serve = level.prio == ALONE and serve_alone or serve_ring
    local served = serve(call, session, level, want - got, granted)
    queues.count(call, session.ns, level.queue, 'o', served)
    got = got + served
  end
  if #granted.items > 0 then call_state.tell(call, 'grant', #granted.items) end
  call.short = got < want and not granted.stop and not granted.more
  if #granted.held > 0 then redis.call('HSET', held, unpack(granted.held)) end
  local fields = {'seq', session.seq, 'grants', table.concat(granted.fields, ' '), 'done', session.done}
  if granted.alone ~= session.alone then fields[7], fields[8] = 'alone', granted.alone end
  redis.call('HSET', keys.session(call.K, session.id), unpack(fields))
  return granted.items, granted.more
end

-- Whether any of the session's queues still has work.
function leases.more(call, session)
  rings.write(call)
  for _, queue in ipairs(session.queues) do
    if next(ready.levels(call, session.ns, queue) or {}) then return 1 end
  end
  return 0
end

-- Note that the coordinator has idle sessions for the session's queues.
function leases.mark_idle(call, session)
  for _, queue in ipairs(session.queues) do
    redis.call('SADD', keys.idle(call.K, session.ns, queue), call.coordinator)
  end
end

-- The grants of the session's last seq that it has not ended yet, once more.
function leases.again(call, session)
  local items = {}
  for field in string.gmatch(session.grants, '[^ ]+') do
    local held = redis.call('HGET', keys.held(call.K, session.id), field)
    local canvas, node = leases.node_of(call, field)
    if held and node and HELD[node.state] then items[#items + 1] = leases.assignment(call, canvas, node) end
  end
  return items
end

-- What the assignments' canvases have in common with them.
function leases.contexts(call, items)
  local flat, seen = {}, {}
  for _, item in ipairs(items) do
    local cid = item[1]
    if not seen[cid] then
      seen[cid] = true
      local canvas = canvases.get(call, cid)
      flat[#flat + 1] = cid
      flat[#flat + 1] = canvas.trace
      flat[#flat + 1] = canvas.tracestate
      flat[#flat + 1] = canvas.root
    end
  end
  return flat
end

-- Serve a session's call: grant it up to `want` tasks, for a repeated seq what it was granted, and for one before the
-- last, a copy that was under way for long, nothing: nobody would learn of it. Returns the status (O, E for an older
-- epoch, U for an unknown session), the assignments, and 1 if the session's queues still have work. `done` is how many outcomes
-- that counted the call has reported for it.
function leases.serve(call, sid, epoch, seq, want, others_idle, done)
  local session = leases.session(call, sid)
  if not session then return 'U', {}, 0 end
  if done > 0 and (session.epoch ~= epoch or seq <= session.seq) then
    redis.call('HINCRBY', keys.session(call.K, sid), 'done', done)
  end
  if session.epoch ~= epoch then return 'E', {}, 0 end
  if seq < session.seq then return 'O', {}, 0 end
  if session.seq == seq then return 'O', leases.again(call, session), leases.more(call, session) end
  session.seq, session.done = seq, session.done + done
  local items, scanning = leases.lease(call, session, want)
  if scanning then return 'O', items, 1 end
  if #items < want then
    leases.mark_idle(call, session)
    return 'O', items, 0
  end
  if others_idle then leases.mark_idle(call, session) end
  return 'O', items, leases.more(call, session)
end

-- Watch the limit of an attempt no more: it has ended.
function leases.unfence(call, canvas, node)
  if node.state ~= 'G' and string.find(node.timing, 'h', 1, true) then
    redis.call('ZREM', keys.due(call.K), canvas.id .. ':' .. node.index)
  end
end

-- End a task that was revoked or cancelled while an attempt of it was held.
function leases.acknowledge(call, canvas, node)
  graph.answered(call, canvas, node)
  graph.finish(call, canvas, node, node.state == 'K' and 'V' or 'C')
end

-- Whether a task crashed or was delivered too often. A delivery that ended with the task's own failure is counted there alone.
function leases.worn_out(node)
  return node.crashes >= MAX_CRASHES or node.deliveries - node.failures >= MAX_DELIVERIES
end

-- Take a task from a session that no longer has it. A crash counts one; three make the task dead, and the first one
-- that is delivered at most once. `known` says that what was not begun is known not to have run: it was not delivered then.
function leases.release(call, canvas, node, crashed, known)
  if not HELD[node.state] then return end
  call_state.tell(call, crashed and 'crash' or 'return', 1)
  leases.unfence(call, canvas, node)
  if node.state == 'K' or node.state == 'Q' then return leases.acknowledge(call, canvas, node) end
  if crashed then
    node.crashes = node.crashes + 1
  elseif known and node.state == 'G' then
    node.deliveries = node.deliveries - 1
  end
  local once = crashed and string.find(node.timing, 'm', 1, true)
  if once or leases.worn_out(node) then return dead.finish(call, canvas, node) end
  node.state = 'W'
  nodes.touch(call, canvas.id, node)
  graph.watch_expiry(call, canvas, node)
  ready.put_back(call, canvas, node)
end

local function past_limit(call, canvas, node)
  if not string.find(node.timing, 'h', 1, true) then return false end
  local fenced = redis.call('ZSCORE', keys.due(call.K), canvas.id .. ':' .. node.index)
  return fenced and tonumber(fenced) - FENCE_MS <= call.now
end

-- Keep what an ended session held, as pairs for keys.lapsed, until its process's parent says more.
local function note_lapsed(call, sid, lapsed)
  if #lapsed == 0 then return end
  local key = keys.lapsed(call.K, sid)
  for from = 1, #lapsed, 1000 do redis.call('HSET', key, unpack(lapsed, from, math.min(from + 999, #lapsed))) end
  redis.call('PEXPIRE', key, LAPSED_MS)
end

-- Take note, once, of what was running in a process whose session had been ended before anybody knew: `crashed` as for
-- `drop_session`. What had not begun was not delivered, unless somebody has it already as its next delivery.
function leases.settle_lapsed(call, sid, crashed)
  local key = keys.lapsed(call.K, sid)
  local lapsed = redis.call('HGETALL', key)
  for i = 1, #lapsed, 2 do
    local field = lapsed[i]
    local attempt, nonce = string.match(lapsed[i + 1], '^(%d+),(%x+)$')
    local canvas, node = leases.node_of(call, field)
    if node and not FINAL[node.state] and node.state ~= 'P' then
      local once = string.find(node.timing, 'm', 1, true) -- which begins when its start is known, and that was not
      if crashed[field] == nonce and not once then
        call_state.tell(call, 'crash', 1)
        node.crashes = node.crashes + 1
        nodes.touch(call, canvas.id, node)
        if leases.worn_out(node) and not HELD[node.state] then dead.finish(call, canvas, node) end
      elseif node.state == 'W' and node.deliveries == tonumber(attempt) then
        node.deliveries = node.deliveries - 1
        nodes.touch(call, canvas.id, node)
      end
    end
  end
  redis.call('DEL', key)
end

-- End a session: everything it holds goes back. `crashed` has the `canvas:index` fields that were running when its
-- process died; nil means nobody knows, and what was reported as started counts as crashed, the rest as delivered. `overran`
-- is then called with canvas and node of what was past its limit: its process was killed for that, perhaps.
function leases.drop_session(call, sid, crashed, overran)
  local held = redis.call('HGETALL', keys.held(call.K, sid))
  local lapsed = {}
  for i = #held - 1, 1, -2 do
    local field = held[i]
    local attempt, nonce, started = string.match(held[i + 1], '^(%d+),(%x+),(%d)$')
    local canvas, node = leases.node_of(call, field)
    if node and HELD[node.state] and node.nonce == nonce then
      local blame = started == '1'
      -- What is delivered at most once and was started has perhaps ended, with a report that did not arrive.
      if crashed and not string.find(node.timing, 'm', 1, true) then blame = crashed[field] == nonce end
      if overran and blame and past_limit(call, canvas, node) then
        overran(canvas, node)
      else
        if not crashed and node.state == 'G' then
          lapsed[#lapsed + 1] = field
          lapsed[#lapsed + 1] = attempt .. ',' .. nonce
        end
        leases.release(call, canvas, node, blame, crashed ~= nil)
      end
    end
  end
  note_lapsed(call, sid, lapsed)
  local s = redis.call('HMGET', keys.session(call.K, sid), 'num', 'alone', 'ns', 'queues')
  if s[1] then redis.call('HDEL', keys.numbers(call.K), s[1]) end
  for queue in string.gmatch(s[2] == '?' and s[4] or '', '[^ ]+') do
    for _, field in ipairs(ready.left_alone(call, s[3], queue)) do
      ready.take_alone(call, s[3], queue, field)
      local canvas, node = leases.node_of(call, field)
      if node and node.state == 'W' then ready.put_back(call, canvas, node) end
    end
  end
  leases.count_session(call, sid, s[3], s[4], -1)
  redis.call('DEL', keys.held(call.K, sid), keys.session(call.K, sid), keys.names(call.K, sid), keys.told(call.K, sid))
  redis.call('ZREM', keys.sessions(call.K), sid)
end
