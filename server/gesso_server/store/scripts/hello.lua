-- hello: register a session's connection, and agree on what it holds.
-- KEYS[1] partition
-- ARGV[1] session  [2] epoch  [3] coordinator  [4] namespace  [5] worker  [6] slots  [7] lease, ms
--     [8] queues, space-separated  [9] number of task names N  [10] number of held tasks H
--     then N names; H quadruples canvas, index, attempt, nonce; then dead sessions, each: session, number of crashed
--     tasks C, C triples canvas, index, nonce
-- Returns {status, drops, assignments, canvases, own}: status O, or E for an epoch that is not newer; drops: numbers,
-- from 1, of held tasks that the session may not hold; assignments: what the store says it holds and it did not.

redis.register_function{function_name = '@LIBRARY@_hello', flags = {'allow-oom'}, callback = function(KEYS, ARGV)
  local call = call_state.begin(KEYS[1], ARGV[3])
  local K, sid, epoch = KEYS[1], ARGV[1], tonumber(ARGV[2])
  local key = keys.session(K, sid)
  local known = redis.call('HMGET', key, 'epoch', 'num', 'ns', 'queues')
  if known[1] and tonumber(known[1]) >= epoch then return {'E', {}, {}, {}, call_state.finish(call)} end
  local names, held = tonumber(ARGV[9]), tonumber(ARGV[10])
  local num = known[2] or redis.call('INCR', K .. ':num')
  redis.call('HSET', key, 'epoch', epoch, 'seq', 0, 'grants', '', 'num', num, 'coordinator', call.coordinator, 'ns', ARGV[4],
    'worker', ARGV[5], 'slots', ARGV[6], 'queues', ARGV[8], 'lease', ARGV[7])
  redis.call('HDEL', key, 'gone')
  leases.count_session(call, sid, known[3], known[4], -1)
  leases.count_session(call, sid, ARGV[4], ARGV[8], 1)
  redis.call('HSET', keys.numbers(K), num, sid)
  redis.call('DEL', keys.names(K, sid))
  for from = 11, 10 + names, 1000 do
    redis.call('SADD', keys.names(K, sid), unpack(ARGV, from, math.min(from + 999, 10 + names)))
  end
  redis.call('ZADD', keys.sessions(K), call.now + tonumber(ARGV[7]), sid)

  local at = 11 + names
  local mine, drops = {}, {}
  for n = 1, held do
    local field = ARGV[at] .. ':' .. ARGV[at + 1]
    local record = redis.call('HGET', keys.held(K, sid), field)
    if record and string.match(record, '^%d+,(%x+)') == ARGV[at + 3] then
      mine[field] = true
    else
      drops[#drops + 1] = n
    end
    at = at + 4
  end
  local items = {}
  for _, field in ipairs(redis.call('HKEYS', keys.held(K, sid))) do
    if not mine[field] then
      local canvas, node = leases.node_of(call, field)
      if node and HELD[node.state] then
        items[#items + 1] = leases.assignment(call, canvas, node)
      else
        redis.call('HDEL', keys.held(K, sid), field)
      end
    end
  end
  while ARGV[at] do
    local dead, count, crashed = ARGV[at], tonumber(ARGV[at + 1]), {}
    at = at + 2
    for _ = 1, count do
      crashed[ARGV[at] .. ':' .. ARGV[at + 1]] = ARGV[at + 2]
      at = at + 3
    end
    leases.drop_session(call, dead, crashed)
    leases.settle_lapsed(call, dead, crashed)
  end
  local flat = leases.contexts(call, items)
  return {'O', drops, items, flat, call_state.finish(call)}
end}
