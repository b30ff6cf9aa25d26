-- rerun: run what failed of a final canvas again, as a new one of the same partition.
--
-- The new canvas has a record for each node of the old one: of what succeeded as it was, of the rest as before it ran.
-- Bodies and outcomes stay where they are and are read from there, so the old canvas is pinned until the new one is
-- removed. The records are staged as for `submit`; the caller has decided what they say (store/rerun.py).

-- The answer for a request id that is known, or nil. Written anew, it is as safe as the first time.
local function known_rerun(K, ns, request, digest)
  local known = request ~= '' and redis.call('GET', keys.rerun(K, ns, request))
  if not known then return nil end
  local first, content = string.match(known, '^(%x+) (%x+)$')
  if content ~= digest then return {'R'} end
  redis.call('SET', keys.rerun(K, ns, request), known, 'KEEPTTL')
  return canvases.accepted(K, first) or nil
end

-- G when there is no such canvas (any more), A when it has not ended, nil when it can be run again.
local function unfit(K, cid, ns)
  local m = redis.call('HMGET', keys.meta(K, cid), 'ns', 'removed', 'left')
  if m[1] ~= ns or m[2] then return {'G'} end
  if tonumber(m[3]) ~= 0 then return {'A'} end
end

-- rerun_begin: KEYS[1] partition  ARGV[1] old canvas  [2] namespace  [3] request id, '' for none  [4] digest
-- Returns {'K', ...} and {'R'} for a known request as `submit` does, {'G'} or {'A'} for a canvas that cannot be run again (see
-- unfit), else {'O', number of indexes, when it was accepted, now, its trace}, both Unix ms.
redis.register_function{function_name = '@LIBRARY@_rerun_begin', callback = function(KEYS, ARGV)
  local K = KEYS[1]
  local answer = known_rerun(K, ARGV[2], ARGV[3], ARGV[4]) or unfit(K, ARGV[1], ARGV[2])
  if answer then return answer end
  local m = redis.call('HMGET', keys.meta(K, ARGV[1]), 'n', 'created', 'trace')
  return {'O', tonumber(m[1]), tonumber(m[2]), call_state.begin(K, '').now, m[3]}
end}

local MOST_RECORDS = 1000

-- records: KEYS[1] partition  ARGV[1] canvas  [2] first index  [3] index after the last
-- Returns a flat list for as many nodes as one call reads, at least one: record, '' for none; the id that a client chose, ''
-- for none; 1 if its outcome is missing although it is a task that succeeded.
redis.register_function{function_name = '@LIBRARY@_records', flags = {'no-writes', 'allow-oom'}, callback = function(KEYS, ARGV)
  local K, cid, list = KEYS[1], ARGV[1], {}
  for index = tonumber(ARGV[2]), math.min(tonumber(ARGV[2]) + MOST_RECORDS, tonumber(ARGV[3])) - 1 do
    local record = redis.call('HGET', keys.nodes(K, cid, math.floor(index / CHUNK)), index) or ''
    local missing = string.sub(record, 1, 1) == 'S' and not string.find(record, '^[^/]*/J')
      and nodes.outcome(K, cid, index, 'S') == ''
    list[#list + 1] = record
    list[#list + 1] = redis.call('HGET', keys.ids(K, cid), index) or ''
    list[#list + 1] = missing and 1 or 0
  end
  return list
end}

-- The list that a letter stands for: s what the canvas begins with, a<index> arrivals at a quorum, u<index> members of a join that
-- wait for their turn.
local function staged_list(K, cid, of)
  local kind, index = string.match(of, '^(.)(%d*)$')
  if kind == 's' then return keys.starts(K, cid) end
  return kind == 'a' and keys.arrivals(K, cid, index) or keys.turns(K, cid, index), index
end

-- rerun_stage: keep what the new canvas begins with, at most 500 pieces of it. Nothing runs before `rerun_submit`.
-- KEYS[1] partition  ARGV[1] new canvas, then triples list as above, how many pieces it has before this one, piece. A piece that is
-- there already is left as it is. Returns 1.
redis.register_function{function_name = '@LIBRARY@_rerun_stage', callback = function(KEYS, ARGV)
  local K, cid = KEYS[1], ARGV[1]
  for i = 2, #ARGV, 3 do
    local list, index = staged_list(K, cid, ARGV[i])
    if redis.call('LLEN', list) == tonumber(ARGV[i + 1]) then
      redis.call('RPUSH', list, ARGV[i + 2])
      if index and ARGV[i + 1] == '0' then redis.call('SADD', keys.extra(K, cid), index) end
    end
  end
  return 1
end}

-- rerun_submit: accept the new canvas and start it.
-- KEYS[1] partition
-- ARGV[1] new canvas  [2] namespace  [3] request id, '' for none  [4] digest  [5] coordinator  [6] old canvas
--     [7] when it is accepted, Unix ms, as rerun_begin said  [8] its nodes  [9] how many of them have not ended  [10] trace id  [11] request TTL, ms
--     [12] nodes that the namespace may have open
-- Returns {'N', ... as for a known request, what the caller must see to}, or what rerun_begin does for a known request, for a canvas that it accepted before or an unfit one, {'F'} when the namespace has too much open already,
-- or {'L'} when what was staged is not there any more.
redis.register_function{function_name = '@LIBRARY@_rerun_submit', callback = function(KEYS, ARGV)
  local K, cid, ns, old = KEYS[1], ARGV[1], ARGV[2], ARGV[6]
  local answer = known_rerun(K, ns, ARGV[3], ARGV[4]) or canvases.accepted(K, cid) or unfit(K, old, ns)
  if answer then return answer end
  if tonumber(redis.call('HGET', keys.load(K), ns) or '0') + tonumber(ARGV[9]) > tonumber(ARGV[12]) then return {'F'} end
  if redis.call('HEXISTS', keys.nodes(K, cid, 0), 0) == 0 then return {'L'} end
  local call = call_state.begin(K, ARGV[5])
  local m = redis.call('HMGET', keys.meta(K, old), 'n', 'last', 'kind', 'members', 'ttl', 'root', 'tracestate', 'templates', 'deadline',
    'own', 'named')
  redis.call('COPY', keys.lanes(K, old), keys.lanes(K, cid))
  redis.call('COPY', keys.templates(K, old), keys.templates(K, cid))
  redis.call('COPY', keys.grown(K, old), keys.grown(K, cid))
  redis.call('COPY', keys.scattered(K, old), keys.scattered(K, cid))
  redis.call('COPY', keys.stamps(K, old), keys.stamps(K, cid))
  local meta = keys.meta(K, cid)
  redis.call('HSET', meta, 'ns', ns, 'state', 'A', 'n', m[1], 'total', ARGV[8], 'left', ARGV[9], 'last', m[2] or '', 'kind', m[3],
    'members', m[4], 'created', ARGV[7], 'trace', ARGV[10], 'ttl', m[5], 'root', m[6] or '', 'tracestate', m[7] or '',
    'watched', '', 'templates', m[8] or 0, 'from', old, 'own', m[10],
    'named', m[11] or '')
  redis.call('HINCRBY', keys.load(K), ns, ARGV[9])
  redis.call('HINCRBY', keys.meta(K, old), 'pins', 1)
  if m[9] and m[9] ~= '' then
    redis.call('HSET', meta, 'deadline', m[9])
    redis.call('ZADD', keys.deadlines(K), call.now + tonumber(m[9]), cid)
  end
  redis.call('ZADD', keys.live(K, ns), ARGV[7], cid)
  log.note_canvas(call, ns, cid)
  redis.call('ZREM', keys.staging(K), cid)
  if ARGV[3] ~= '' then redis.call('SET', keys.rerun(K, ns, ARGV[3]), cid .. ' ' .. ARGV[4], 'PX', ARGV[11]) end
  local canvas = canvases.new(call, {id = cid, ns = ns, state = 'A', created = tonumber(ARGV[7]), watched = false,
    trace = ARGV[10], tracestate = m[7] or '', root = m[6] or '', named = m[11] == '1'})
  local count = redis.call('LLEN', keys.starts(K, cid))
  call.agenda[1] = {op = 'restart', canvas = canvas, args = {0, count, 1, '-', '-'}}
  return {'N', cid, m[2], m[3], m[4], ARGV[8], ARGV[10], call_state.finish(call)}
end}
