-- renew: extend the leases of a coordinator's sessions.
-- KEYS[1] partition
-- ARGV[1] lease, ms   then sessions
-- Returns the sessions that are unknown: their lease has ended.

redis.register_function{function_name = '@LIBRARY@_renew', flags = {'allow-oom'}, callback = function(KEYS, ARGV)
  local call = call_state.begin(KEYS[1], '')
  local unknown = {}
  for i = 2, #ARGV do
    if redis.call('ZSCORE', keys.sessions(KEYS[1]), ARGV[i]) then
      redis.call('ZADD', keys.sessions(KEYS[1]), call.now + tonumber(ARGV[1]), ARGV[i])
    else
      unknown[#unknown + 1] = ARGV[i]
    end
  end
  return unknown
end}
