-- stage: keep part of a canvas that is too large for one call. Nothing of it runs before `submit`; a canvas that
-- is never submitted is removed by `sweep`.
-- KEYS[1] partition
-- ARGV[1] canvas id   then triples: index (and behind it, after a space, the id that the client chose), record, body
--     ('' for none)
-- Returns 1.

-- Write nodes given as triples from ARGV[from] on. Returns whether one of them goes by an id that the client chose.
local function write_nodes(K, cid, args, from)
  local records, bodies, ids = {}, {}, {}
  for i = from, #args, 3 do
    local name, index = args[i], tonumber(args[i])
    if not index then
      local number, id = string.match(name, '^(%d+) (.+)$')
      ids[#ids + 1], ids[#ids + 2] = number, id
      name, index = number, tonumber(number)
    end
    local chunk = math.floor(index / CHUNK)
    local list = records[chunk]
    if not list then
      list = {}
      records[chunk] = list
      bodies[chunk] = {}
    end
    list[#list + 1] = name
    list[#list + 1] = args[i + 1]
    if args[i + 2] ~= '' then
      local texts = bodies[chunk]
      texts[#texts + 1] = name
      texts[#texts + 1] = args[i + 2]
    end
  end
  for chunk, list in pairs(records) do redis.call('HSET', keys.nodes(K, cid, chunk), unpack(list)) end
  for chunk, list in pairs(bodies) do
    if #list > 0 then redis.call('HSET', keys.bodies(K, cid, chunk), unpack(list)) end
  end
  if #ids > 0 then redis.call('HSET', keys.ids(K, cid), unpack(ids)) end
  return #ids > 0
end

-- room: KEYS[1] partition  ARGV[1] namespace  [2] nodes  [3] nodes that the namespace may have open
-- Returns 1 if it may have so many more, else 0.
redis.register_function{function_name = '@LIBRARY@_room', flags = {'no-writes', 'allow-oom'}, callback = function(KEYS, ARGV)
  local open = tonumber(redis.call('HGET', keys.load(KEYS[1]), ARGV[1]) or '0')
  return open + tonumber(ARGV[2]) <= tonumber(ARGV[3]) and 1 or 0
end}

redis.register_function{function_name = '@LIBRARY@_stage', callback = function(KEYS, ARGV)
  local K, cid = KEYS[1], ARGV[1]
  redis.call('ZADD', keys.staging(K), 'NX', call_state.begin(K, '').now, cid)
  write_nodes(K, cid, ARGV, 2)
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
