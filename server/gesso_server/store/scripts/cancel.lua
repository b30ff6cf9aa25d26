-- cancel: stop what has not ended.

-- cancel_canvas: KEYS[1] partition  ARGV[1] canvas  [2] namespace  [3] coordinator  [4] 1 to kill what runs
--     [5] 1 to remove it as soon as it has ended
-- Returns {-1 no such canvas, 0 it was final already, 1 cancelled; what the caller must see to}.
redis.register_function{function_name = '@LIBRARY@_cancel_canvas', flags = {'allow-oom'}, callback = function(KEYS, ARGV)
  local call = call_state.begin(KEYS[1], ARGV[3])
  local canvas = canvases.get(call, ARGV[1])
  if not canvas or canvas.ns ~= ARGV[2] then return {-1, call_state.finish(call)} end
  if tonumber(redis.call('HGET', keys.meta(call.K, canvas.id), 'left')) == 0 then return {0, call_state.finish(call)} end
  if ARGV[5] == '1' then redis.call('HSET', keys.meta(call.K, canvas.id), 'ttl', 0) end
  graph.cancel_canvas(call, canvas, ARGV[4] == '1')
  return {1, call_state.finish(call)}
end}

-- forget_node: remove a node's outcome, now if its canvas has ended, else as soon as it has: until then a join or a step
-- may need it.
-- KEYS[1] partition  ARGV[1] canvas  [2] index  [3] namespace  Returns -1 no such node, 0 it has not ended, 1 done.
redis.register_function{function_name = '@LIBRARY@_forget_node', flags = {'allow-oom'}, callback = function(KEYS, ARGV)
  local call = call_state.begin(KEYS[1], '')
  local canvas = canvases.get(call, ARGV[1])
  local node = canvas and canvas.ns == ARGV[3] and nodes.get(call, ARGV[1], tonumber(ARGV[2]))
  if not node then return -1 end
  if not FINAL[node.state] then return 0 end
  redis.call('SADD', keys.forgotten(call.K, canvas.id), ARGV[2])
  local m = redis.call('HMGET', keys.meta(call.K, canvas.id), 'left', 'pins')
  if m[1] == '0' and (m[2] or '0') == '0' then canvases.forget(call, canvas.id) end
  return 1
end}

-- cancel_node: revoke one node, a failure of its own; of a join, its members.
-- KEYS[1] partition  ARGV[1] canvas  [2] index  [3] namespace  [4] coordinator  [5] 1 to kill it if it runs
--     [6] how many of the ranges that were added to the canvas were looked at before
-- Returns {-2 not among the ranges looked at, how many that were; -1 no such node; 0 it was final already; 1 revoked or
-- told, what the caller must see to}.
redis.register_function{function_name = '@LIBRARY@_cancel_node', flags = {'allow-oom'}, callback = function(KEYS, ARGV)
  local call = call_state.begin(KEYS[1], ARGV[4])
  local index = tonumber(ARGV[2])
  local canvas = canvases.get(call, ARGV[1])
  local node = canvas and canvas.ns == ARGV[3] and nodes.get(call, ARGV[1], index)
  if not node then return {-1, call_state.finish(call)} end
  local counts, more = canvases.took_effect(call, canvas, index, tonumber(ARGV[6]))
  if more then return {-2, more} end
  if not counts then return {-1, call_state.finish(call)} end
  local done = graph.revoke(call, canvas, node, ARGV[5] == '1')
  return {done and 1 or 0, call_state.finish(call)}
end}
