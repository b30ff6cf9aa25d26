-- standing: where tasks stand that have not ended, for people to see. Nothing here changes anything.

local MOST_NODES = 2000   -- that one call counts
local MOST_ENTRIES = 1000 -- of a list, that one look for a node goes through
local PER_NODE = 50       -- entries that are compared with a node at the cost of another node

local function reading(K) -- a call that is never finished: it reads alone
  local time = redis.call('TIME')
  local call = {K = K, coordinator = '', canvases = {}, limits = {}, accounts = {}}
  call.now = math.max(tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000), tonumber(redis.call('GET', keys.clock(K)) or 0))
  return call
end

-- State letter of a node, ' ' for none.
local function letter_of(K, cid, index)
  local record = redis.call('HGET', keys.nodes(K, cid, math.floor(index / CHUNK)), index)
  return record and string.sub(record, 1, 1) or ' '
end

-- standing_ranges: which indexes of a canvas count as its nodes.
-- KEYS[1] partition  ARGV[1] canvas  [2] namespace  [3] how many of the ranges that were added to leave out
-- Returns {how many it was submitted with, then at most 1000 ranges `first,count` that were added}, {} when there is no such
-- canvas.
redis.register_function{function_name = '@LIBRARY@_standing_ranges', flags = {'no-writes', 'allow-oom'}, callback = function(KEYS, ARGV)
  local meta = redis.call('HMGET', keys.meta(KEYS[1], ARGV[1]), 'ns', 'own')
  if meta[1] ~= ARGV[2] then return {} end
  return {tonumber(meta[2]), unpack(redis.call('LRANGE', keys.grown(KEYS[1], ARGV[1]), ARGV[3], ARGV[3] + 999))}
end}

-- standing_count: count nodes by where they stand.
-- KEYS[1] partition  ARGV[1] canvas  then runs: first, count, stride
-- Returns {how many of the nodes it counted, from the first on, then for each kind: letter, lane ('' for joins), how many, index
-- of the first one}. The letters are those of states, but for tasks whose state is W: B waits for the node before it, H waits
-- for its turn in a join, W for all else.
redis.register_function{function_name = '@LIBRARY@_standing_count', flags = {'no-writes', 'allow-oom'}, callback = function(KEYS, ARGV)
  local K, cid = KEYS[1], ARGV[1]
  local waiting, ended, kinds, order = turns.waiting(K, cid), {}, {}, {}
  local entries = 0
  for _, each in ipairs(waiting) do entries = entries + #each.entries end
  local room, done = MOST_NODES, 0
  local function letter_for(index, letter, source)
    if letter ~= 'W' then return letter end
    if source then
      if ended[source] == nil then ended[source] = FINAL[letter_of(K, cid, source)] or false end
      if not ended[source] then return 'B' end
    end
    room = room - math.floor(entries / PER_NODE)
    return turns.join_of(waiting, index) and 'H' or 'W'
  end
  for i = 2, #ARGV, 3 do
    local first, stride = tonumber(ARGV[i]), tonumber(ARGV[i + 2])
    for index = first, first + (ARGV[i + 1] - 1) * stride, stride do
      if room <= 0 then break end
      room, done = room - 1, done + 1
      local record = redis.call('HGET', keys.nodes(K, cid, math.floor(index / CHUNK)), index)
      local letter, lane, source = string.match(record or '', '^(.)[^/]*/([^|]*)|%a?(%d*)|')
      if letter then
        if string.sub(lane, 1, 1) == 'J' then lane = '' end
        letter = letter_for(index, letter, tonumber(source))
        local kind = kinds[letter .. lane]
        if kind then
          kind[3] = kind[3] + 1
        else
          kinds[letter .. lane] = {letter, lane, 1, index}
          order[#order + 1] = kinds[letter .. lane]
        end
      end
    end
  end
  local reply = {done}
  for _, kind in ipairs(order) do
    for _, part in ipairs(kind) do reply[#reply + 1] = part end
  end
  return reply
end}

-- standing_node: where a task stands that waits.
-- KEYS[1] partition  ARGV[1] canvas  [2] index
-- Returns {now, when it is due ('' for never), letter, since when it stands there ('' if that is not known), join, how many of its
-- members may be under way, how many are, name of the limit that holds it back (''), 1 if its queue is paused, 1 if it is to run alone}, times in Unix ms, {} when there is no such task. The letter: q in its queue, p
-- set aside as its task was unknown, l as a limit holds it back, a to run alone, t for its turn in `join`; '' nowhere.
redis.register_function{function_name = '@LIBRARY@_standing_node', flags = {'no-writes', 'allow-oom'}, callback = function(KEYS, ARGV)
  local K, cid, index = KEYS[1], ARGV[1], tonumber(ARGV[2])
  local call = reading(K)
  local canvas = canvases.get(call, cid)
  local node = canvas and nodes.read(K, cid, index)
  if not node or node.join then return {} end
  local lane = canvases.lane(call, canvas, node.lane)
  local function covers(entry)
    local lane_id, first, count, stride, since = string.match(entry, '^(%d+):(%d+):(%d+):(%d+):(%d+)$')
    local behind = first and index - tonumber(first)
    return lane_id == node.lane and behind >= 0 and behind % stride == 0 and behind / stride < tonumber(count) and since
  end
  local function among(key, prefix)
    for _, text in ipairs(redis.call('LRANGE', key, 0, MOST_ENTRIES - 1)) do
      local since = string.sub(text, 1, #prefix) == prefix and covers(string.sub(text, #prefix + 1))
      if since then return since end
    end
  end
  local letter, since, join, most, busy, limit = '', '', '', 0, 0, ''
  if node.state == 'W' then
    join = turns.join_of(turns.waiting(K, cid), index) or ''
    local found = among(keys.ready(K, cid, lane.queue, lane.prio), '')
    local parked = not found and among(keys.park(K, canvas.ns, lane.queue, lane.task), cid .. ' ')
    if join ~= '' then
      letter = 't'
      most, busy = turns.places(assert(nodes.read(K, cid, join)))
    elseif found or parked then
      letter, since = found and 'q' or 'p', found or parked
    elseif redis.call('LPOS', keys.alone(K, canvas.ns, lane.queue), cid .. ':' .. index) then
      letter = 'a'
    else
      local name, at = limits.held_back(call, canvas, lane, covers)
      if name then letter, since, limit = 'l', at, name end
    end
  end
  return {call.now, redis.call('ZSCORE', keys.due(K), cid .. ':' .. index) or '', letter, since, join, most, busy, limit,
    queues.paused(K, canvas.ns, lane.queue) and 1 or 0, node.crashes >= ALONE_AFTER and 1 or 0}
end}

-- standing_takers: sessions that take a queue's tasks, their connection not broken.
-- KEYS[1] partition  ARGV[1] namespace  [2] queue  [3] task  [4] behind this session, '' for the first  [5] how many sessions to
--     look at
-- Returns {the last one that it looked at, '' when those were all, how many tasks of the queue wait here, how many take from the queue, how many of them know the task, how
-- many tasks these run at one time, how many they hold of this partition}.
redis.register_function{function_name = '@LIBRARY@_standing_takers', flags = {'no-writes', 'allow-oom'}, callback = function(KEYS, ARGV)
  local K = KEYS[1]
  local from = ARGV[4] == '' and '-' or '(' .. ARGV[4]
  local ids = redis.call('ZRANGEBYLEX', keys.workers(K, ARGV[1]), from, '+', 'LIMIT', 0, ARGV[5])
  local taking, knowing, slots, held = 0, 0, 0, 0
  for _, sid in ipairs(ids) do
    local s = redis.call('HMGET', keys.session(K, sid), 'queues', 'slots', 'gone')
    if s[1] and not s[3] and string.find(' ' .. s[1] .. ' ', ' ' .. ARGV[2] .. ' ', 1, true) then
      taking = taking + 1
      if redis.call('SISMEMBER', keys.names(K, sid), ARGV[3]) == 1 then
        knowing, slots, held = knowing + 1, slots + tonumber(s[2]), held + redis.call('HLEN', keys.held(K, sid))
      end
    end
  end
  return {#ids == tonumber(ARGV[5]) and ids[#ids] or '', (queues.counts(K, ARGV[1], ARGV[2])), taking, knowing, slots, held}
end}

-- standing_limit: KEYS[1] partition of a limit's home  ARGV[1] its name. Returns as limits.standing does.
redis.register_function{function_name = '@LIBRARY@_standing_limit', flags = {'no-writes', 'allow-oom'}, callback = function(KEYS, ARGV)
  return limits.standing(reading(KEYS[1]), ARGV[1])
end}

-- standing_limits: KEYS[1] partition  ARGV[1] namespace. Returns for each of its limits: key, tasks that sessions hold under
-- it, tasks that wait for a permit.
redis.register_function{function_name = '@LIBRARY@_standing_limits', flags = {'no-writes', 'allow-oom'}, callback = function(KEYS, ARGV)
  local K, list = KEYS[1], {}
  for _, name in ipairs(redis.call('HKEYS', keys.limits(K))) do
    local ns, key = string.match(name, '^(%Z*)%z(.*)$')
    if ns == ARGV[1] then
      list[#list + 1] = key
      list[#list + 1], list[#list + 2] = limits.use(K, name)
    end
  end
  return list
end}
