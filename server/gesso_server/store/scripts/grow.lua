-- grow: add nodes to a canvas that lives.
--
-- What a report brings with it (a replacement, members of a chord) is staged at indexes that were reserved before, and
-- takes effect with the report: lib/reports.lua. What a stream brings takes effect at once.

-- grow_reserve: reserve indexes, and numbers of templates and lanes.
-- KEYS[1] partition  ARGV[1] canvas  [2] nodes  [3] templates  then lanes as text
-- Returns {first index, first template, number of each lane ...}, or {} when there is no such canvas or it is not active.
redis.register_function{function_name = '@LIBRARY@_grow_reserve', callback = function(KEYS, ARGV)
  local K, cid = KEYS[1], ARGV[1]
  local meta, key = keys.meta(K, cid), keys.lanes(K, cid)
  if redis.call('HGET', meta, 'state') ~= 'A' then return {} end
  local flat, known, count = redis.call('HGETALL', key), {}, 0
  for i = 1, #flat, 2 do
    known[flat[i + 1]] = tonumber(flat[i])
    count = count + 1
  end
  local reply = {
    redis.call('HINCRBY', meta, 'n', ARGV[2]) - tonumber(ARGV[2]),
    redis.call('HINCRBY', meta, 'templates', ARGV[3]) - tonumber(ARGV[3]),
  }
  for i = 4, #ARGV do
    if not known[ARGV[i]] then
      redis.call('HSET', key, count, ARGV[i])
      known[ARGV[i]] = count
      count = count + 1
    end
    reply[i - 1] = known[ARGV[i]]
  end
  return reply
end}

-- grow_stage: keep nodes at reserved indexes, and fields of keys.templates.
-- KEYS[1] partition  ARGV[1] canvas  [2] number of fields T, then T pairs field, value, then triples as for `stage`
-- Returns 1, or 0 when there is no such canvas or it is not active: what it has is being removed then.
redis.register_function{function_name = '@LIBRARY@_grow_stage', callback = function(KEYS, ARGV)
  local K, cid, fields = KEYS[1], ARGV[1], tonumber(ARGV[2])
  if redis.call('HGET', keys.meta(K, cid), 'state') ~= 'A' then return 0 end
  for i = 3, 2 + 2 * fields, 2 do redis.call('HSET', keys.templates(K, cid), ARGV[i], ARGV[i + 1]) end
  if nodes.write(K, cid, ARGV, 3 + 2 * fields) then redis.call('HSET', keys.meta(K, cid), 'named', '1') end
  return 1
end}

-- grow_join: give a growing join the members that were staged.
-- KEYS[1] partition
-- ARGV[1] canvas  [2] coordinator  [3] number of this step, from 1, growing  [4] index of the join  [5] nodes
--     [6] their lasts as runs separated by ';', '-' for none  [7] edges that the join's control source gains
--     [8] 1 when these were its last members  [9] index of the first of the nodes
--     [10] those that wait for their turn, see lib/turns.lua
-- A step that was applied before changes nothing. Returns {0 when there is no such canvas or it is final, what the caller
-- must see to}.
redis.register_function{function_name = '@LIBRARY@_grow_join', callback = function(KEYS, ARGV)
  local call = call_state.begin(KEYS[1], ARGV[2])
  local canvas = canvases.get(call, ARGV[1])
  if not canvas or canvas.state ~= 'A' then return {0, call_state.finish(call)} end
  local meta = keys.meta(call.K, canvas.id)
  if tonumber(redis.call('HGET', meta, 'step') or '0') >= tonumber(ARGV[3]) then return {1, call_state.finish(call)} end
  redis.call('HSET', meta, 'step', ARGV[3])
  local join = nodes.get(call, canvas.id, tonumber(ARGV[4]))
  canvases.add(call, canvas, tonumber(ARGV[9]), tonumber(ARGV[5]))
  members.annex(call, canvas, join, tonumber(ARGV[9]), tonumber(ARGV[5]))
  joins.add_inputs(call, canvas, ARGV[4], ARGV[6])
  local source = string.match(join.source, '%d+')
  if not members.turn_away(call, canvas, join, tonumber(ARGV[9]), tonumber(ARGV[5])) then
    graph.behind(call, canvas, source and nodes.get(call, canvas.id, tonumber(source)), ARGV[7])
    if turns.limited(join) then turns.add(call, canvas, join, ARGV[10]) end
  end
  graph.settle(call)
  if ARGV[8] == '1' then
    joins.seal(call, canvas, join, not source or nodes.get(call, canvas.id, tonumber(source)).state == 'S')
  end
  return {1, call_state.finish(call)}
end}

-- grow_touch: KEYS[1] partition  ARGV[1] canvas. Says that the stream of a growing canvas is alive. Returns 1, or 0 when
-- it is not growing any more.
redis.register_function{function_name = '@LIBRARY@_grow_touch', flags = {'allow-oom'}, callback = function(KEYS, ARGV)
  local call = call_state.begin(KEYS[1], '')
  if not redis.call('ZSCORE', keys.growing(KEYS[1]), ARGV[1]) then return 0 end
  redis.call('ZADD', keys.growing(KEYS[1]), call.now + GROWTH_MS, ARGV[1])
  return 1
end}
