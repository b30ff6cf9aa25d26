-- dead: the list of tasks that were given up.

-- dead_list: KEYS[1] partition  ARGV[1] namespace  [2] died no later than, Unix ms, '+inf' for any  [3] how many at the most, to 1000
-- Returns {how many were let go, pairs `canvas:index`, when, the latest first, flat}.
redis.register_function{function_name = '@LIBRARY@_dead_list', flags = {'no-writes', 'allow-oom'}, callback = function(KEYS, ARGV)
  local list = redis.call('ZREVRANGEBYSCORE', keys.dead(KEYS[1], ARGV[1]), ARGV[2], '-inf', 'WITHSCORES', 'LIMIT', 0, ARGV[3])
  return {tonumber(redis.call('GET', keys.dead_trimmed(KEYS[1], ARGV[1])) or '0'), list}
end}

-- dead_purge: KEYS[1] partition  ARGV[1] namespace, then `canvas:index` each; without any, 500 of all.
-- Returns how many were taken off the list.
redis.register_function{function_name = '@LIBRARY@_dead_purge', flags = {'allow-oom'}, callback = function(KEYS, ARGV)
  local K, list = KEYS[1], keys.dead(KEYS[1], ARGV[1])
  local fields = {unpack(ARGV, 2)}
  if #fields == 0 then fields = redis.call('ZRANGE', list, 0, 499) end
  local count = 0
  for _, field in ipairs(fields) do
    local removed = redis.call('ZREM', list, field)
    local cid, index = string.match(field, '^(%x+):(%d+)$')
    if removed == 1 and cid then redis.call('SREM', keys.deaths(K, cid), index) end
    count = count + removed
  end
  return count
end}

-- dead_canvas: KEYS[1] partition  ARGV[1] namespace  [2] canvas. Takes 500 of its tasks off the list. Returns how many it took.
redis.register_function{function_name = '@LIBRARY@_dead_canvas', flags = {'allow-oom'}, callback = function(KEYS, ARGV)
  return dead.forget(KEYS[1], ARGV[1], ARGV[2])
end}

-- dead_listed: KEYS[1] partition  ARGV[1] namespace  [2] `canvas:index`. Returns 1 if it is on the list.
redis.register_function{function_name = '@LIBRARY@_dead_listed', flags = {'no-writes', 'allow-oom'}, callback = function(KEYS, ARGV)
  return redis.call('ZSCORE', keys.dead(KEYS[1], ARGV[1]), ARGV[2]) and 1 or 0
end}

-- rows_list: KEYS[1] partition  ARGV[1] how many at the most. Returns rows that could not be read, the latest first, as
-- lib/rows.lua keeps them.
redis.register_function{function_name = '@LIBRARY@_rows_list', flags = {'no-writes', 'allow-oom'}, callback = function(KEYS, ARGV)
  return redis.call('LRANGE', keys.rows(KEYS[1]), 0, ARGV[1] - 1)
end}

-- rows_purge: KEYS[1] partition. Forgets them; returns how many there were.
redis.register_function{function_name = '@LIBRARY@_rows_purge', flags = {'allow-oom'}, callback = function(KEYS)
  local count = redis.call('LLEN', keys.rows(KEYS[1]))
  redis.call('UNLINK', keys.rows(KEYS[1]))
  return count
end}
