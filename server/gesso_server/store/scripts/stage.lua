-- stage: keep part of a canvas that is too large for one call. Nothing of it runs before `submit`; a canvas that
-- is never submitted is removed by `sweep`.
-- KEYS[1] partition
-- ARGV[1] canvas id   then triples: index (and behind it, after a space, the id that the client chose), record, body
--     ('' for none)
-- Returns 1.

-- room: KEYS[1] partition  ARGV[1] namespace  [2] nodes  [3] nodes that the namespace may have open
-- Returns 1 if it may have so many more, else 0.
redis.register_function{function_name = '@LIBRARY@_room', flags = {'no-writes', 'allow-oom'}, callback = function(KEYS, ARGV)
  local open = tonumber(redis.call('HGET', keys.load(KEYS[1]), ARGV[1]) or '0')
  return open + tonumber(ARGV[2]) <= tonumber(ARGV[3]) and 1 or 0
end}

redis.register_function{function_name = '@LIBRARY@_stage', callback = function(KEYS, ARGV)
  local K, cid = KEYS[1], ARGV[1]
  redis.call('ZADD', keys.staging(K), 'NX', call_state.begin(K, '').now, cid)
  nodes.write(K, cid, ARGV, 2)
  return 1
end}

-- stage_stamps: keep stamps that a canvas bears, which is submitted then or lives already.
-- KEYS[1] partition  ARGV[1] canvas id  then stamps as keys.stamps has them, at most 1000. Returns 1, or 0 when the
-- canvas has ended.
redis.register_function{function_name = '@LIBRARY@_stage_stamps', callback = function(KEYS, ARGV)
  local K, cid = KEYS[1], ARGV[1]
  local state = redis.call('HGET', keys.meta(K, cid), 'state')
  if state and state ~= 'A' then return 0 end
  if not state then redis.call('ZADD', keys.staging(K), 'NX', call_state.begin(K, '').now, cid) end
  redis.call('SADD', keys.stamps(K, cid), unpack(ARGV, 2))
  return 1
end}
