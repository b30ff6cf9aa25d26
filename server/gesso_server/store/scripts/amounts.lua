-- amounts: how much a partition has of what, for metrics.
-- KEYS[1] partition  ARGV[1] namespace  then names of queues, at most 1000
-- Returns {tasks that wait for their time and attempts and joins with a limit, tasks that expire, canvases with a
-- deadline, dead tasks listed, dead tasks let go, canvases kept, nodes that have not ended, items of the work list,
-- then for each queue how many tasks are parked in it}.

redis.register_function{function_name = '@LIBRARY@_amounts', flags = {'no-writes', 'allow-oom'}, callback = function(KEYS, ARGV)
  local K, ns = KEYS[1], ARGV[1]
  local found = {redis.call('ZCARD', keys.due(K)), redis.call('ZCARD', keys.expiry(K)), redis.call('ZCARD', keys.deadlines(K)),
    redis.call('ZCARD', keys.dead(K, ns)), tonumber(redis.call('GET', keys.dead_trimmed(K, ns)) or '0'), redis.call('ZCARD', keys.live(K, ns)),
    tonumber(redis.call('HGET', keys.load(K), ns) or '0'), redis.call('LLEN', keys.work(K))}
  for i = 2, #ARGV do found[#found + 1] = queues.parked(K, ns, ARGV[i]) end
  return found
end}
