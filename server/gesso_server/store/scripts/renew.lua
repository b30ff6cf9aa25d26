-- renew: extend the leases of a coordinator's sessions.
-- KEYS[1] partition
-- ARGV[1] lease, ms   then sessions
-- Returns {sessions that are unknown: their lease has ended; what was cancelled and is still held: session, canvas:index,
-- attempt, nonce and 1 to kill it, flat}.

redis.register_function{function_name = '@LIBRARY@_renew', flags = {'allow-oom'}, callback = function(KEYS, ARGV)
  local call = call_state.begin(KEYS[1], '')
  local unknown, told = {}, {}
  for i = 2, #ARGV do
    if redis.call('ZSCORE', keys.sessions(KEYS[1]), ARGV[i]) then
      redis.call('ZADD', keys.sessions(KEYS[1]), call.now + tonumber(ARGV[1]), ARGV[i])
      local flat = redis.call('HGETALL', keys.told(KEYS[1], ARGV[i]))
      for at = 1, #flat, 2 do
        told[#told + 1] = ARGV[i]
        told[#told + 1] = flat[at]
        told[#told + 1] = flat[at + 1]
      end
    else
      unknown[#unknown + 1] = ARGV[i]
    end
  end
  return {unknown, told}
end}
