-- log: read what has changed in a canvas, or which canvases have. lib/log.lua has the format of a log.
--
-- Who reads is at a place: the number of the last change that it has seen, and a cursor over nodes that it has still
-- to see as they were there: at the start all of the canvas, later what was added. A node that has changed behind the place is
-- left out under the cursor, and comes with its change: so each state is seen once.
--
-- A cursor is four numbers: the first node and the number of nodes of a run, then the next range of keys.grown, and how many
-- nodes of such ranges are to come. All four are 0 where nothing is left.

local MOST_RANGES = 1000 -- of keys.grown that one reading goes through

-- log_open: begin or extend a canvas's log.
-- KEYS[1] partition  ARGV[1] canvas  [2] namespace  [3] id of a new log, hexadecimal  [4] how long it is to be kept, ms
-- Returns {id, base, last change, nodes that it was submitted with, nodes that came later}, {} when there is no such canvas.
redis.register_function{function_name = '@LIBRARY@_log_open', callback = function(KEYS, ARGV)
  local call = call_state.begin(KEYS[1], '')
  local meta = keys.meta(call.K, ARGV[1])
  local m = redis.call('HMGET', meta, 'ns', 'log', 'own', 'total')
  if m[1] ~= ARGV[2] then return {} end
  local found = log.open(call, m[2], keys.log(call.K, ARGV[1]), ARGV[3], tonumber(ARGV[4]))
  redis.call('HSET', meta, 'log', log.text(found))
  return {found.id, found.base, found.last, tonumber(m[3]), tonumber(m[4]) - tonumber(m[3])}
end}

-- Whether an index is in one of some ranges, given flat and in order: first, last, ...
local function within(ranges, index)
  local low, high = 1, #ranges / 2
  while low <= high do
    local middle = math.floor((low + high) / 2)
    if index < ranges[2 * middle - 1] then
      high = middle - 1
    elseif index > ranges[2 * middle] then
      low = middle + 1
    else
      return true
    end
  end
  return false
end

-- Add a node to what is answered: its letter if it is folded, else all of it. Of one that is not `due` only a join is
-- added, marked, for who reads to know what is in it.
local function show(reply, index, due)
  local K, cid = reply.K, reply.canvas.id
  local record = redis.call('HGET', keys.nodes(K, cid, math.floor(index / CHUNK)), index)
  if not record then return end
  if within(reply.folded, index) then
    if due then reply.letters[#reply.letters + 1] = string.format('%d%s', index, string.sub(record, 1, 1)) end
  elseif due or string.find(record, '^[^/]*/J') then
    local found = nodes.described(K, reply.canvas, index)
    reply.room = reply.room - #found[1] - #found[2] - #found[3] - #found[5]
    local list = reply.nodes
    list[#list + 1], list[#list + 2], list[#list + 3] = index, due and 1 or 0, found
  end
end

-- Go on with the cursor. Returns where it is then, and whether there is more to read.
local function walk(call, reply, after, cursor, most)
  local key = keys.log(call.K, reply.canvas.id)
  local nothing_behind = redis.call('ZCOUNT', key, '(' .. after, '+inf') == 0
  local first, count, entry, left = unpack(cursor)
  local looked = 0
  while most > 0 and reply.room > 0 and looked < MOST_RANGES do
    if count == 0 then
      local range = left > 0 and redis.call('LINDEX', keys.grown(call.K, reply.canvas.id), entry)
      if not range then return {0, 0, 0, 0}, not nothing_behind end
      first, count = string.match(range, '^(%d+),(%d+)$')
      first, count = tonumber(first), math.min(tonumber(count), left)
      entry, left, looked = entry + 1, left - count, looked + 1
    else
      local score = not nothing_behind and redis.call('ZSCORE', key, first)
      show(reply, first, not score or tonumber(score) <= after)
      first, count, most = first + 1, count - 1, most - 1
    end
  end
  if count == 0 and left == 0 then return {0, 0, 0, 0}, not nothing_behind end
  return {first, count, entry, left}, true
end

-- Read changes. Returns the place behind them, the cursor there, and whether there are more.
local function follow_changes(call, reply, after, most)
  local key = keys.log(call.K, reply.canvas.id)
  local found = redis.call('ZRANGEBYSCORE', key, '(' .. after, '+inf', 'WITHSCORES', 'LIMIT', 0, most)
  for i = 1, #found, 2 do
    if reply.room <= 0 then return after, {0, 0, 0, 0}, true end
    after = tonumber(found[i + 1])
    local first, count = string.match(found[i], '^(%d+)%+(%d+)$')
    if first then return after, {tonumber(first), tonumber(count), 0, 0}, true end
    show(reply, tonumber(found[i]), true)
  end
  return after, {0, 0, 0, 0}, #found == 2 * most
end

-- log_read: read a canvas's log, and extend it.
-- KEYS[1] partition
-- ARGV[1] canvas  [2] namespace  [3] coordinator  [4] id of the log  [5] the place's change  [6] how long the log is to be kept, ms
--     [7] most nodes  [8] about how many bytes  [9]-[12] the place's cursor
--     then pairs first, last, in order: nodes of which only the letters of their states are wanted
-- Returns {} when there is no such canvas, {'G'} when the log does not have what is behind the place, else
-- {'O', change and cursor of the next place as five numbers, 1 if there is more to read now, letters as `index letter` without the
-- space, commas between, nodes flat: index, 0 for a join that has changed behind the place, node as `look` has it; and the canvas as
-- `look` has it}. When there is no more, the coordinator is told of the next change: `change` and the canvas.
redis.register_function{function_name = '@LIBRARY@_log_read', flags = {'allow-oom'}, callback = function(KEYS, ARGV)
  local call = call_state.begin(KEYS[1], ARGV[3])
  local K, cid, after, most = call.K, ARGV[1], tonumber(ARGV[5]), tonumber(ARGV[7])
  local m = redis.call('HMGET', keys.meta(K, cid), 'ns', 'named', 'log')
  if m[1] ~= ARGV[2] then return {} end
  local found = log.parse(call, m[3])
  if not log.covers(found, ARGV[4], after) then return {'G'} end
  local reply = {K = K, canvas = {id = cid, named = m[2] == '1'}, folded = {}, letters = {}, nodes = {}, room = tonumber(ARGV[8])}
  for i = 13, #ARGV do reply.folded[i - 12] = tonumber(ARGV[i]) end
  local cursor = {tonumber(ARGV[9]), tonumber(ARGV[10]), tonumber(ARGV[11]), tonumber(ARGV[12])}
  local more = true
  if cursor[2] > 0 or cursor[4] > 0 then
    cursor, more = walk(call, reply, after, cursor, most)
  else
    after, cursor, more = follow_changes(call, reply, after, most)
  end
  if not more then log.wait(found, ARGV[3]) end
  log.extend(call, found, keys.log(K, cid), tonumber(ARGV[6]))
  redis.call('HSET', keys.meta(K, cid), 'log', log.text(found))
  return {'O', after, cursor[1], cursor[2], cursor[3], cursor[4], more and 1 or 0, table.concat(reply.letters, ','), reply.nodes,
    canvases.described(K, cid)}
end}

-- log_canvases_open: begin or extend the log of a namespace.
-- KEYS[1] partition  ARGV[1] namespace  [2] id of a new log  [3] how long it is to be kept, ms
-- Returns {id, base, last change}.
redis.register_function{function_name = '@LIBRARY@_log_canvases_open', callback = function(KEYS, ARGV)
  local call = call_state.begin(KEYS[1], '')
  local text = redis.call('HGET', keys.logs(call.K), ARGV[1])
  local found = log.open(call, text, keys.log(call.K, '@' .. ARGV[1]), ARGV[2], tonumber(ARGV[3]))
  redis.call('HSET', keys.logs(call.K), ARGV[1], log.text(found))
  return {found.id, found.base, found.last}
end}

-- log_canvases: read the log of a namespace for canvases that are asked for, and extend it. lib/choice.lua says which are.
-- KEYS[1] partition
-- ARGV[1] namespace  [2] coordinator  [3] id of the log  [4] the place's change  [5] how long the log is to be kept, ms
--     [6] most canvases  [7] [8] its cursor over canvases that have not changed behind the place, the newest first: accepted, Unix
--     ms or '+inf', and id of the one before, '' for none; both '' where none is left
--     [9] what of the next canvas was looked at before, '' for nothing  [10]- which ones
-- Returns {'G'} as `log_read`, else {'O', change and cursor of the next place, 1 if there is more to read now, what of the next
-- canvas was looked at, canvases flat: id, canvas as `look` has it}. When there is no more, the coordinator is told of the next
-- change: `changes` and the namespace.
redis.register_function{function_name = '@LIBRARY@_log_canvases', flags = {'allow-oom'}, callback = function(KEYS, ARGV)
  local call = call_state.begin(KEYS[1], ARGV[2])
  local K, ns, after, most = call.K, ARGV[1], tonumber(ARGV[4]), tonumber(ARGV[6])
  local key = keys.log(K, '@' .. ns)
  local found = log.parse(call, redis.call('HGET', keys.logs(K), ns))
  if not log.covers(found, ARGV[3], after) then return {'G'} end
  local ms, cid, begun, chosen, list, more = ARGV[7], ARGV[8], ARGV[9], choice.read(ARGV, 10), nil, nil
  if ms ~= '' then
    local function changed(id)
      local score = redis.call('ZSCORE', key, id)
      return score and tonumber(score) > after
    end
    list, more, ms, cid, begun = choice.page(K, ns, chosen, ms, cid, most, begun, changed)
    if not more then ms, cid, more = '', '', found.last > after end
  else
    local reach, past = choice.reach(chosen, most), nil
    local changes = redis.call('ZRANGEBYSCORE', key, '(' .. after, '+inf', 'WITHSCORES', 'LIMIT', 0, reach)
    list, past, begun = choice.pick(K, chosen, changes, most, begun)
    if past > 0 then after = tonumber(changes[2 * past]) end
    more = 2 * past < #changes or #changes == 2 * reach
  end
  if not more then log.wait(found, ARGV[2]) end
  log.extend(call, found, key, tonumber(ARGV[5]))
  redis.call('HSET', keys.logs(K), ns, log.text(found))
  return {'O', after, ms, cid, more and 1 or 0, begun, list}
end}
