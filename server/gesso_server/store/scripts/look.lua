-- look: read nodes of a canvas.
-- KEYS[1] partition
-- ARGV[1] canvas  [2] namespace  then indexes, at most 1000
-- Returns {canvas, nodes}: canvas as canvases.described has it, or {} when there is no such canvas (or it is of another
-- namespace); nodes as nodes.described returns them, {} for one that does not exist: from the first one on as many as come
-- to LOOKED_BYTES, at least one.

local LOOKED_BYTES = 1048576

redis.register_function{function_name = '@LIBRARY@_look', flags = {'no-writes', 'allow-oom'}, callback = function(KEYS, ARGV)
  local K, cid = KEYS[1], ARGV[1]
  local meta = redis.call('HMGET', keys.meta(K, cid), 'ns', 'named')
  if meta[1] ~= ARGV[2] then return {{}, {}} end
  local canvas = {id = cid, named = meta[2] == '1'}
  local list, size = {}, 0
  for i = 3, #ARGV do
    local node = nodes.described(K, canvas, ARGV[i])
    for _, part in ipairs(node) do size = size + #part end
    if i > 3 and size > LOOKED_BYTES then break end
    list[i - 2] = node
  end
  return {canvases.described(K, cid), list}
end}
