-- revocations: stamps that no task may bear any more. They are few, and live in one partition.

-- revocations_add: KEYS[1] partition  ARGV[1] namespace  [2] how long they hold, ms  [3] 1 to kill what runs,
-- then pairs stamp, value
-- Tells every coordinator. Returns 1.
redis.register_function{function_name = '@LIBRARY@_revocations_add', flags = {'allow-oom'}, callback = function(KEYS, ARGV)
  local call = call_state.begin(KEYS[1], '')
  local key = keys.revoked(KEYS[1], ARGV[1])
  redis.call('ZREMRANGEBYSCORE', key, '-inf', call.now)
  for i = 4, #ARGV, 2 do
    redis.call('ZADD', key, call.now + tonumber(ARGV[2]), ARGV[i] .. '\0' .. ARGV[i + 1] .. '\0' .. ARGV[3])
  end
  redis.call('SPUBLISH', keys.channel(KEYS[1], 'all'), 'revoked')
  return 1
end}

-- revocations_list: KEYS[1] partition  ARGV[1] namespace. Returns stamp, NUL, value, NUL, 1 to kill
-- what runs or 0, each.
redis.register_function{function_name = '@LIBRARY@_revocations_list', flags = {'no-writes', 'allow-oom'}, callback = function(KEYS, ARGV)
  return redis.call('ZREVRANGE', keys.revoked(KEYS[1], ARGV[1]), 0, 9999)
end}
