-- list: canvases, the newest first.
-- KEYS[1] partition
-- ARGV[1] namespace  [2] accepted no later than, Unix ms, '+inf' for any  [3] accepted no earlier than, '-inf' for any
--     [4] how many to leave out  [5] how many at the most, to 1000
-- Returns pairs canvas id, canvas as `look` has it. One that is being removed is left out.

redis.register_function{function_name = '@LIBRARY@_list', flags = {'no-writes', 'allow-oom'}, callback = function(KEYS, ARGV)
  local ids = redis.call('ZREVRANGEBYSCORE', keys.live(KEYS[1], ARGV[1]), ARGV[2], ARGV[3], 'LIMIT', ARGV[4], ARGV[5])
  local list = {}
  for _, cid in ipairs(ids) do
    list[#list + 1] = cid
    list[#list + 1] = canvases.described(KEYS[1], cid)
  end
  return list
end}
