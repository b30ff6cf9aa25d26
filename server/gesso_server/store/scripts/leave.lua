-- leave: a session's stream has ended.
-- KEYS[1] partition
-- ARGV[1] session  [2] epoch  [3] coordinator  [4] grace, ms; '' when the worker said goodbye
-- With a goodbye the session ends now; else it keeps what it holds for the grace time. An older epoch changes nothing.
-- Returns what the caller must see to.

redis.register_function{function_name = '@LIBRARY@_leave', flags = {'allow-oom'}, callback = function(KEYS, ARGV)
  local call = call_state.begin(KEYS[1], ARGV[3])
  if redis.call('HGET', keys.session(KEYS[1], ARGV[1]), 'epoch') == ARGV[2] then
    if ARGV[4] == '' then
      leases.drop_session(call, ARGV[1], {})
    else
      redis.call('ZADD', keys.sessions(KEYS[1]), 'XX', 'LT', call.now + tonumber(ARGV[4]), ARGV[1])
      redis.call('HSET', keys.session(KEYS[1], ARGV[1]), 'gone', call.now)
    end
  end
  return call_state.finish(call)
end}
