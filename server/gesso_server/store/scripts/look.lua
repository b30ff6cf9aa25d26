-- look: read nodes of a canvas.
-- KEYS[1] partition
-- ARGV[1] canvas  [2] namespace  then indexes, at most 1000
-- Returns {canvas, nodes}: canvas as canvases.described has it, or {} when there is no such canvas (or it is of another
-- namespace); nodes as nodes.described returns them, {} for one that does not exist.

redis.register_function{function_name = '@LIBRARY@_look', flags = {'no-writes', 'allow-oom'}, callback = function(KEYS, ARGV)
  local K, cid = KEYS[1], ARGV[1]
  local meta = redis.call('HMGET', keys.meta(K, cid), 'ns', 'named')
  if meta[1] ~= ARGV[2] then return {{}, {}} end
  local canvas = {id = cid, named = meta[2] == '1'}
  local list = {}
  for i = 3, #ARGV do list[i - 2] = nodes.described(K, canvas, ARGV[i]) end
  return {canvases.described(K, cid), list}
end}
