-- canvases: what is known of a canvas as a whole, read once a call and written once a call.
--
-- The hash keys.meta has: ns, state (E expanding, A active, S succeeded, F failed, C cancelled), n (the next free
-- index; what was staged for a report that never counted has one, too), own (nodes that it was submitted with), total (nodes), left (nodes not final, and growing joins once more), last (index of the node whose value is the canvas's, or ''), kind (t task, j join),
-- members (of that join), created (ms), finished (ms), trace (its id, and after a space what
-- ids.Trace says; it ends in t when coordinators tell its spans), tracestate (with what
-- else goes along with it, as carried.Carried says), root ('' where there is no single first
-- task, else its index and, after a space, the id chosen for it), named ('1' when keys.ids exists), watched ('1' when
-- keys.watchers exists), deadline (how long it may take, ms; '' for no limit), overdue (that number again, once it has
-- passed), from (the canvas that it runs again), pins (canvases that run it again, and read what succeeded from it),
-- lapsed (1 when it is to be removed as soon as it has none), log (while it is watched: lib/log.lua).

local canvases = {}

local RANGES_LOOKED_AT = 1000 -- of keys.grown that one call looks at

-- Take up a canvas that is known to this call.
function canvases.new(call, canvas)
  canvas.lanes, canvas.ended, canvas.added, canvas.finals = {}, 0, 0, {}
  canvas.told = string.byte(canvas.trace, -1) == 116 -- t
  call.canvases[canvas.id] = canvas
  return canvas
end

-- The canvas, or nil if there is none (any more).
function canvases.get(call, cid)
  local canvas = call.canvases[cid]
  if canvas == nil then
    local m = redis.call('HMGET', keys.meta(call.K, cid), 'ns', 'state', 'created', 'watched', 'trace', 'tracestate', 'root',
      'named', 'log')
    if not (m[1] and m[3]) then
      call.canvases[cid] = false
      return nil
    end
    canvas = canvases.new(call, {id = cid, ns = m[1], state = m[2], created = tonumber(m[3]), watched = m[4] == '1',
      trace = m[5], tracestate = m[6] or '', root = m[7] or '', named = m[8] == '1', log = m[9]})
  end
  return canvas or nil
end

-- How old it is, in ms, as text.
function canvases.age(call, canvas)
  canvas.age = canvas.age or string.format('%d', call.now - canvas.created)
  return canvas.age
end

-- A lane: {text, prio, queue, timed, key, task}; an empty key means the task's name.
function canvases.lane(call, canvas, id)
  local lane = canvas.lanes[id]
  if not lane then
    local text = canvas.lane_texts and canvas.lane_texts[id] or redis.call('HGET', keys.lanes(call.K, canvas.id), id)
    local prio, queue, timed, key, task = string.match(text, '^(%d)|([^|]*)|([^|]*)|([^|]*)|(.*)$')
    lane = {text = text, prio = prio, queue = queue, timed = timed == 't', key = key, task = task}
    canvas.lanes[id] = lane
  end
  return lane
end

-- Note that it has more nodes now.
function canvases.add(call, canvas, first, count)
  if count == 0 then return end
  canvas.added = canvas.added + count
  if canvas.log then
    canvas.fresh = canvas.fresh or {}
    canvas.fresh[#canvas.fresh + 1] = first .. '+' .. string.format('%d', count)
  end
  local grown = keys.grown(call.K, canvas.id)
  local start, known = string.match(redis.call('LINDEX', grown, -1) or '', '^(%d+),(%d+)$')
  if start and start + known == first then
    redis.call('LSET', grown, -1, start .. ',' .. string.format('%d', known + count))
  else
    redis.call('RPUSH', grown, first .. ',' .. count)
  end
end

-- What `submit` answers for a canvas that was accepted before, nil if there is none.
function canvases.accepted(K, cid)
  local m = redis.call('HMGET', keys.meta(K, cid), 'last', 'kind', 'members', 'total', 'trace')
  return m[4] and {'K', cid, m[1], m[2], m[3], m[4], m[5]}
end

-- Whether a node is one that took effect; what a task is to be replaced with is staged before that, and does not count. Of
-- what was added, looks at RANGES_LOOKED_AT ranges from `from` on. Returns false and from where to go on when there are more.
function canvases.took_effect(call, canvas, index, from)
  if index < tonumber(redis.call('HGET', keys.meta(call.K, canvas.id), 'own')) then return true end
  local ranges = redis.call('LRANGE', keys.grown(call.K, canvas.id), from, from + RANGES_LOOKED_AT - 1)
  for _, range in ipairs(ranges) do
    local first, count = string.match(range, '^(%d+),(%d+)$')
    if index >= tonumber(first) and index < first + count then return true end
  end
  return false, #ranges == RANGES_LOOKED_AT and from + RANGES_LOOKED_AT
end

-- Note that a node of it is final now.
function canvases.count(call, canvas, index)
  canvas.ended = canvas.ended + 1
  if canvas.watched then canvas.finals[#canvas.finals + 1] = index end
end

-- Note that the span of a node that has ended is to be told: not of one that was never needed, nor of one that the span
-- of a join around it tells of.
function canvases.tell_span(call, canvas, node)
  if node.state == 'N' or string.find(node.timing, 's', 1, true) then return end
  local spans = call.spans[canvas.id]
  if spans then
    spans[#spans + 1] = node.index
  else
    call.spans[canvas.id] = {node.index}
  end
end

-- Remove outcomes that nobody needs any more: the canvas has ended. What one call leaves goes to the work list.
function canvases.forget(call, cid)
  local key = keys.forgotten(call.K, cid)
  local indexes = redis.call('SPOP', key, 500)
  if #indexes == 0 then return end
  local from = redis.call('HGET', keys.meta(call.K, cid), 'from')
  for _, index in ipairs(indexes) do
    local results = keys.results(call.K, cid, math.floor(tonumber(index) / CHUNK))
    if from then redis.call('HSET', results, index, '') else redis.call('HDEL', results, index) end
    call.budget = call.budget - 1
  end
  if redis.call('EXISTS', key) == 1 then
    redis.call('RPUSH', keys.work(call.K), 'forget ' .. cid .. ' ')
    call.left_work = true
  end
end

-- Whether any canvas of this call waits to be told of.
local function tell(call, canvas)
  local finals = canvas.finals
  if #finals == 0 then return end
  local watchers = keys.watchers(call.K, canvas.id)
  for from = 1, #finals, 1000 do
    local part, labels = {unpack(finals, from, math.min(from + 999, #finals))}, {}
    for i, index in ipairs(part) do labels[i] = nodes.label(call, index) end
    local found = redis.call('HMGET', watchers, unpack(labels))
    for i, coordinators in ipairs(found) do
      if coordinators then
        for coordinator in string.gmatch(coordinators, '[^,]+') do
          if coordinator == call.coordinator then
            call.ends[#call.ends + 1] = {canvas.id, part[i], nodes.described(call.K, canvas, part[i], call)}
          else
            redis.call('SPUBLISH', keys.channel(call.K, coordinator), 'end ' .. canvas.id .. ' ' .. part[i])
          end
        end
        redis.call('HDEL', watchers, part[i])
      end
    end
  end
end

-- Write the counts of every canvas of this call, end those that have nothing left, and tell who waits.
function canvases.flush(call)
  local loads = {}
  for cid, canvas in pairs(call.canvases) do
    local ended = false
    if canvas and (canvas.ended > 0 or canvas.added > 0) then
      local meta = keys.meta(call.K, cid)
      loads[canvas.ns] = (loads[canvas.ns] or 0) + canvas.added - canvas.ended
      if canvas.added > 0 then redis.call('HINCRBY', meta, 'total', canvas.added) end
      local left = redis.call('HINCRBY', meta, 'left', canvas.added - canvas.ended)
      if left == 0 then
        local m = redis.call('HMGET', meta, 'last', 'ttl', 'deadline')
        local state = 'S'
        if canvas.state == 'C' then
          state = 'C'
        elseif m[1] and m[1] ~= '' then
          local last = nodes.get(call, cid, tonumber(m[1]))
          if not last or (last.state ~= 'S' and last.state ~= 'I') then state = 'F' end
        end
        redis.call('HSET', meta, 'state', state, 'finished', call.now)
        local ended = 'canvas ' .. state
        call.tally[ended] = (call.tally[ended] or 0) + 1
        call.took[#call.took + 1] = call.now - canvas.created
        redis.call('ZADD', keys.ended(call.K), call.now + tonumber(m[2]), cid)
        if m[3] and m[3] ~= '' then redis.call('ZREM', keys.deadlines(call.K), cid) end
        canvases.forget(call, cid)
        log.note_canvas(call, canvas.ns, cid)
        ended = true
      end
      tell(call, canvas)
    end
    if canvas and canvas.log then log.note(call, canvas, ended) end
  end
  for ns, change in pairs(loads) do
    if redis.call('HINCRBY', keys.load(call.K), ns, change) == 0 then redis.call('HDEL', keys.load(call.K), ns) end
  end
end

local SHOWN_LANES = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}

-- A canvas as `look` and `list` return it: {state, total, left, last, kind, members, created, finished, trace, ttl, the canvas
-- that it runs again, when its deadline passes in Unix ms, its first lanes}, with false for what is not set.
function canvases.described(K, cid)
  local found = redis.call('HMGET', keys.meta(K, cid), 'state', 'total', 'left', 'last', 'kind', 'members', 'created',
    'finished', 'trace', 'ttl', 'from')
  found[12] = redis.call('ZSCORE', keys.deadlines(K), cid)
  found[13] = redis.call('HMGET', keys.lanes(K, cid), unpack(SHOWN_LANES))
  return found
end
