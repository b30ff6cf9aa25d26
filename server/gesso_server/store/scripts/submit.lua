-- submit: accept a canvas and start what can run.
-- KEYS[1] partition
-- ARGV[1] canvas id           [2] namespace            [3] request id, '' for none  [4] digest of the request
--     [5] coordinator         [6] 1 to watch the last node  [7] nodes              [8] index of the last node, '' for none
--     [9] its kind, t or j    [10] its members         [11] trace id                [12] tracestate
--     [13] the single first task as `stage` has it, '' [14] edges of the start      [15] result TTL, ms
--     [16] request TTL, ms    [17] number of growing joins
--     [18] number of lanes L  [19] number of fields T of keys.templates  [20] number of templates
--     [21] session that may be granted what can run at once, '' for none  [22] its epoch  [23] seq  [24] nonce
--     [25] how many tasks it takes  [26] 1 if the coordinator has other idle sessions for its queues
--     [27] nodes that the namespace may have open  [28] how long the canvas may take, ms, '' for no limit
--     [29] number of stamps S, as keys.stamps has them
--     then L lanes, T pairs field, value, S stamps; then triples as for `stage`
-- Returns {'N', what the caller must see to} when new, and with a session also the status, assignments, canvases and
--         more, as `exchange` returns them,
--         {'K', canvas id, last, kind, members, nodes, trace} when the request is known with the same digest, or the canvas is,
--         {'R'} when it is known with another one,
--         {'F'} when the namespace has too much open already,
--         {'L'} when parts that were staged are there no more.

redis.register_function{function_name = '@LIBRARY@_submit', callback = function(KEYS, ARGV)
  local K, cid, ns = KEYS[1], ARGV[1], ARGV[2]
  local call = call_state.begin(K, ARGV[5])
  local request = keys.request(K, ns, ARGV[3])
  if ARGV[3] ~= '' then
    local known = redis.call('GET', request)
    if known then
      local first, digest = string.match(known, '^(%x+) (%x+)$')
      if digest ~= ARGV[4] then return {'R'} end
      redis.call('SET', request, known, 'KEEPTTL')
      local again = canvases.accepted(K, first)
      if again then return again end
    end
  end
  local again = canvases.accepted(K, cid)
  if again then return again end
  local open = ARGV[7] + ARGV[17]
  if tonumber(redis.call('HGET', keys.load(K), ns) or '0') + open > tonumber(ARGV[27]) then return {'F'} end
  local lanes, pairs_of_templates = tonumber(ARGV[18]), tonumber(ARGV[19])
  local at, stamps = 30 + lanes, tonumber(ARGV[29])
  local staged = (#ARGV - at - 2 * pairs_of_templates - stamps + 1) / 3 < tonumber(ARGV[7])
  -- Parts are staged and removed from the first node on.
  if staged and redis.call('HEXISTS', keys.nodes(K, cid, 0), 0) == 0 then return {'L'} end
  local lane_texts = {}
  for i = 1, lanes do
    redis.call('HSET', keys.lanes(K, cid), i - 1, ARGV[29 + i])
    lane_texts[tostring(i - 1)] = ARGV[29 + i]
  end
  for i = at, at + 2 * pairs_of_templates - 1, 2 do redis.call('HSET', keys.templates(K, cid), ARGV[i], ARGV[i + 1]) end
  at = at + 2 * pairs_of_templates
  if stamps > 0 then redis.call('SADD', keys.stamps(K, cid), unpack(ARGV, at, at + stamps - 1)) end
  at = at + stamps
  local named = nodes.write(K, cid, ARGV, at) or (staged and redis.call('EXISTS', keys.ids(K, cid)) == 1)
  local meta = keys.meta(K, cid)
  if not staged then nodes.know(call, cid, ARGV, at) end
  local watched = ARGV[6] == '1' and ARGV[8] ~= ''
  local fields = {'ns', ns, 'state', 'A', 'n', ARGV[7], 'own', ARGV[7], 'total', ARGV[7], 'left', open, 'last', ARGV[8],
    'kind', ARGV[9], 'members', ARGV[10], 'created', string.format('%d', call.now), 'trace', ARGV[11], 'ttl', ARGV[15],
    'root', ARGV[13], 'tracestate', ARGV[12], 'watched', watched and '1' or ''}
  if named then
    fields[#fields + 1] = 'named'
    fields[#fields + 1] = '1'
  end
  if ARGV[20] ~= '0' then
    fields[#fields + 1] = 'templates'
    fields[#fields + 1] = ARGV[20]
  end
  if ARGV[17] ~= '0' then
    fields[#fields + 1] = 'growing'
    fields[#fields + 1] = ARGV[17]
    redis.call('ZADD', keys.growing(K), call.now + GROWTH_MS, cid)
  end
  if ARGV[28] ~= '' and ARGV[7] ~= '0' then
    fields[#fields + 1] = 'deadline'
    fields[#fields + 1] = ARGV[28]
    redis.call('ZADD', keys.deadlines(K), call.now + tonumber(ARGV[28]), cid)
  end
  redis.call('HSET', meta, unpack(fields))
  redis.call('HINCRBY', keys.load(K), ns, open)
  if watched then redis.call('HSET', keys.watchers(K, cid), ARGV[8], call.coordinator) end
  redis.call('ZADD', keys.live(K, ns), call.now, cid)
  log.note_canvas(call, ns, cid)
  if staged then redis.call('ZREM', keys.staging(K), cid) end
  if ARGV[3] ~= '' then redis.call('SET', request, cid .. ' ' .. ARGV[4], 'PX', ARGV[16]) end
  local canvas = canvases.new(call, {id = cid, ns = ns, state = 'A', created = call.now, watched = watched,
    trace = ARGV[11], tracestate = ARGV[12], root = ARGV[13], named = named,
    lane_texts = lane_texts})
  if ARGV[7] == '0' then
    redis.call('HSET', meta, 'state', 'S', 'finished', call.now)
    redis.call('ZADD', keys.ended(K), call.now + tonumber(ARGV[15]), cid)
  else
    graph.start(call, canvas, ARGV[14])
  end
  if ARGV[21] == '' then return {'N', call_state.finish(call)} end
  call.nonce = ARGV[24]
  graph.settle(call)
  local status, items, more =
    leases.serve(call, ARGV[21], tonumber(ARGV[22]), tonumber(ARGV[23]), tonumber(ARGV[25]), ARGV[26] == '1', 0)
  return {'N', call_state.finish(call), status, items, leases.contexts(call, items), more}
end}
