-- naming: ids that clients chose, and where their nodes are. An id sent again names the newest node.

-- naming_set: KEYS[1] partition that the ids live in  ARGV[1] namespace  [2] how long they are known, ms, then pairs id,
-- node id. Returns 1.
redis.register_function{function_name = '@LIBRARY@_naming_set', callback = function(KEYS, ARGV)
  for i = 3, #ARGV, 2 do redis.call('SET', keys.task_id(KEYS[1], ARGV[1], ARGV[i]), ARGV[i + 1], 'PX', ARGV[2]) end
  return 1
end}

-- naming_get: KEYS[1] partition  ARGV[1] namespace  [2] id. Returns the node's id, or nothing.
redis.register_function{function_name = '@LIBRARY@_naming_get', flags = {'no-writes', 'allow-oom'}, callback = function(KEYS, ARGV)
  return redis.call('GET', keys.task_id(KEYS[1], ARGV[1], ARGV[2]))
end}
