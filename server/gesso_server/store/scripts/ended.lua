-- ended: read what the spans of nodes that have ended tell.
-- KEYS[1] partition
-- ARGV[1] most bytes  [2] 1 if the bodies of tasks are wanted, too  then for each canvas: its id, how many indexes, the indexes; at most
--     1000 of all
-- Returns a reply for each canvas, until there are too many bytes: {} when there is no such canvas, else {trace, created, tracestate, the
-- canvas that it runs again, that one's trace} and for as many nodes as fit, of the first canvas at least one, flat: index,
-- record, lane text, body (a join's; a task's if wanted), its outcome if it failed by itself, the record of the node that it
-- began behind, that one's body if it is a join, its record in the canvas that is run again; each '' where there is none.

local function record_of(K, cid, index)
  return redis.call('HGET', keys.nodes(K, cid, math.floor(tonumber(index) / CHUNK)), index) or ''
end

local function half(K, cid, index)
  local record = record_of(K, cid, index)
  local join = string.find(record, '/J', 1, true)
  return record, join and nodes.body({K = K}, cid, index) or '', join
end

-- Add what the spans of one canvas's nodes tell, its indexes from ARGV[first] to ARGV[last], and return what room is left.
local function add_canvas(K, ARGV, first, last, replies, room)
  local cid, at_least = ARGV[first - 2], #replies == 0 and 1 or 0
  local reply = redis.call('HMGET', keys.meta(K, cid), 'trace', 'created', 'tracestate', 'from')
  replies[#replies + 1] = reply[1] and reply or {}
  if not reply[1] then return room end
  local from = reply[4]
  reply[5] = from and redis.call('HGET', keys.meta(K, from), 'trace')
  for i = first, last do
    local index = ARGV[i]
    local record, body, join = half(K, cid, index)
    if ARGV[2] == '1' and not join then body = nodes.body({K = K}, cid, index) end
    local state, lane, source = string.match(record, '^(.)[^/]*/([^|]*)|%a?(%d*)|')
    lane = state and not join and redis.call('HGET', keys.lanes(K, cid), lane) or ''
    local outcome = state == 'F' and nodes.outcome(K, cid, index, state) or ''
    local behind, inputs = '', ''
    if source and source ~= '' then behind, inputs = half(K, cid, source) end
    room = room - #body - #outcome - #inputs
    if room < 0 and i >= first + at_least then return room end
    local before = from and record_of(K, from, index) or ''
    for _, part in ipairs({index, record, lane, body, outcome, behind, inputs, before}) do reply[#reply + 1] = part end
  end
  return room
end

redis.register_function{function_name = '@LIBRARY@_ended', flags = {'no-writes', 'allow-oom'}, callback = function(KEYS, ARGV)
  local at, room, replies = 3, tonumber(ARGV[1]), {}
  while at <= #ARGV and room >= 0 do
    local count = tonumber(ARGV[at + 1])
    room = add_canvas(KEYS[1], ARGV, at + 2, at + 1 + count, replies, room)
    at = at + 2 + count
  end
  return replies
end}

-- times: KEYS[1] partition  ARGV[1] canvas, then indexes, at most 1000. Returns the changing part of each record, '' for a
-- node that does not exist.
redis.register_function{function_name = '@LIBRARY@_times', flags = {'no-writes', 'allow-oom'}, callback = function(KEYS, ARGV)
  local K, cid, list = KEYS[1], ARGV[1], {}
  for i = 2, #ARGV do
    list[i - 1] = string.match(record_of(K, cid, ARGV[i]), '^[^/]*')
  end
  return list
end}
