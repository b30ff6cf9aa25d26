-- watch: return a node that is final; else note that a coordinator waits for its end.
-- KEYS[1] partition
-- ARGV[1] canvas  [2] index  [3] namespace  [4] coordinator, '' not to wait
-- Returns {} when there is no such node (or it is of another namespace), else as `look` does.

redis.register_function{function_name = '@LIBRARY@_watch', flags = {'allow-oom'}, callback = function(KEYS, ARGV)
  local K, cid, index, coordinator = KEYS[1], ARGV[1], ARGV[2], ARGV[4]
  local meta = redis.call('HMGET', keys.meta(K, cid), 'ns', 'named')
  if meta[1] ~= ARGV[3] then return {} end
  local found = nodes.described(K, {id = cid, named = meta[2] == '1'}, index)
  if found[1] and coordinator ~= '' and not FINAL[string.sub(found[1], 1, 1)] then
    local watchers = keys.watchers(K, cid)
    local listed = redis.call('HGET', watchers, index)
    if not listed then
      redis.call('HSET', watchers, index, coordinator)
    elseif not string.find(',' .. listed .. ',', ',' .. coordinator .. ',', 1, true) then
      redis.call('HSET', watchers, index, listed .. ',' .. coordinator)
    end
    redis.call('HSET', keys.meta(K, cid), 'watched', '1')
  end
  return found
end}
