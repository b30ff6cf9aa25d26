-- revocations: stamps that no task may bear any more. They are few, and live in one partition.

-- revocations_add: KEYS[1] partition  ARGV[1] namespace  [2] how long they hold, ms  [3] 1 to kill what runs,
-- then pairs stamp, value
-- Tells every coordinator. Returns 1, or 0 if there would be too many, and nothing was revoked.
local MOST = 10000

redis.register_function{function_name = '@LIBRARY@_revocations_add', flags = {'allow-oom'}, callback = function(KEYS, ARGV)
  local call = call_state.begin(KEYS[1], '')
  local key = keys.revoked(KEYS[1], ARGV[1])
  redis.call('ZREMRANGEBYSCORE', key, '-inf', call.now)
  local scored = {}
  for i = 4, #ARGV, 2 do
    scored[#scored + 1] = call.now + tonumber(ARGV[2])
    scored[#scored + 1] = ARGV[i] .. '\0' .. ARGV[i + 1] .. '\0' .. ARGV[3]
  end
  local count = redis.call('ZCARD', key)
  for i = 2, #scored, 2 do
    if not redis.call('ZSCORE', key, scored[i]) then count = count + 1 end
  end
  if count > MOST then return 0 end
  redis.call('ZADD', key, unpack(scored))
  redis.call('SPUBLISH', keys.channel(KEYS[1], 'all'), 'revoked')
  return 1
end}

-- revocations_list: KEYS[1] partition  ARGV[1] namespace. Returns stamp, NUL, value, NUL, 1 to kill
-- what runs or 0, each.
redis.register_function{function_name = '@LIBRARY@_revocations_list', flags = {'no-writes', 'allow-oom'}, callback = function(KEYS, ARGV)
  return redis.call('ZREVRANGE', keys.revoked(KEYS[1], ARGV[1]), 0, MOST - 1)
end}
