-- unknown_tasks: which tasks no connected worker knows.
-- KEYS[1] partition  ARGV[1] namespace  then names of tasks, at most 1000
-- Returns the positions, from 0, of those that none of the first 1000 sessions of the namespace knows.

local SESSIONS = 1000

redis.register_function{function_name = '@LIBRARY@_unknown_tasks', flags = {'no-writes', 'allow-oom'}, callback = function(KEYS, ARGV)
  local K, left = KEYS[1], {}
  for i = 2, #ARGV do left[i - 1] = ARGV[i] end
  local at = {}
  for i = 1, #left do at[i] = i - 1 end
  for _, sid in ipairs(redis.call('ZREVRANGE', keys.sessions(K), 0, SESSIONS - 1)) do
    if #left == 0 then break end
    if redis.call('HGET', keys.session(K, sid), 'ns') == ARGV[1] then
      local known = redis.call('SMISMEMBER', keys.names(K, sid), unpack(left))
      local names, positions = {}, {}
      for i, yes in ipairs(known) do
        if yes == 0 then
          names[#names + 1] = left[i]
          positions[#positions + 1] = at[i]
        end
      end
      left, at = names, positions
    end
  end
  return at
end}
