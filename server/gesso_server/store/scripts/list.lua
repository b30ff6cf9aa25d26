-- list: canvases, the newest first, and those of one instant by id, the greatest first.
--
-- There is no index of tasks or states: it looks at one canvas after the other, a bounded number of times, and says how far
-- it came. A place in the list is an instant and an id; it holds whatever comes, ends and is removed meanwhile.
-- KEYS[1] partition
-- ARGV[1] namespace  [2] accepted no later than, Unix ms, '+inf' for any  [3] accepted no earlier than, '-inf' for any
--     [4] [5] the place to go on behind: instant in Unix ms and canvas, '' both for the start
--     [6] canvas:n when so many lanes of a canvas were looked at before, '' for none  [7] how many canvases at the most
--     [8] letters of the states that it may be in, '' for any  [9] a task that it has, '' for any
--     then for each stamp that it bears: how many, and so many members of keys.stamps; one of them must be its own
-- Returns {1 if it did not come to the end, instant and canvas of the place that it came to ('' both for the start), canvas:n
-- as above, pairs canvas id, canvas as canvases.described has it}. One that is being removed is left out.

do -- what is local here is nobody else's: a library has room for 200

local MOST_LOOKED = 1000 -- canvases, and lanes of theirs

-- How many canvases stand in front of a place or at it.
local function rank_behind(live, instant, cid)
  local low = redis.call('ZCOUNT', live, '(' .. instant, '+inf')
  local high = low + redis.call('ZCOUNT', live, instant, instant)
  while low < high do
    local middle = math.floor((low + high) / 2)
    if redis.call('ZREVRANGE', live, middle, middle)[1] < cid then high = middle else low = middle + 1 end
  end
  return low
end

-- Whether a canvas has a task, looking at `most` lanes behind the first `from`; nil and how many were looked at if it is not
-- known yet. Then how many looks it took.
local function has_task(K, cid, task, from, most)
  local lanes = keys.lanes(K, cid)
  local count = redis.call('HLEN', lanes)
  local to = math.min(count, from + most) - 1
  local wanted = {}
  for i = from, to do wanted[#wanted + 1] = i end
  for _, text in ipairs(#wanted > 0 and redis.call('HMGET', lanes, unpack(wanted)) or {}) do
    if text and string.match(text, '^%d|[^|]*|[^|]*|[^|]*|(.*)$') == task then return true, #wanted end
  end
  if to + 1 < count then return nil, #wanted end
  return false, #wanted
end

-- Whether a canvas bears one of each list of stamps.
local function bears(K, cid, lists)
  for _, members in ipairs(lists) do
    local found = false
    for _, is in ipairs(redis.call('SMISMEMBER', keys.stamps(K, cid), unpack(members))) do found = found or is == 1 end
    if not found then return false end
  end
  return true
end

local function lists_of(ARGV, at)
  local lists = {}
  while ARGV[at] do
    local count = tonumber(ARGV[at])
    lists[#lists + 1] = {unpack(ARGV, at + 1, at + count)}
    at = at + count + 1
  end
  return lists
end

redis.register_function{function_name = '@LIBRARY@_list', flags = {'no-writes', 'allow-oom'}, callback = function(KEYS, ARGV)
  local K, since, most, states, task = KEYS[1], ARGV[3], tonumber(ARGV[7]), ARGV[8], ARGV[9]
  local live, lists = keys.live(K, ARGV[1]), lists_of(ARGV, 10)
  local instant, last = ARGV[4], ARGV[5]
  local begun, looked_before = string.match(ARGV[6], '^(%x+):(%d+)$')
  local rank = 0
  if last ~= '' then
    rank = rank_behind(live, instant, last)
  elseif ARGV[2] ~= '+inf' then
    rank = redis.call('ZCOUNT', live, '(' .. ARGV[2], '+inf')
  end
  local plain = states == '' and task == '' and #lists == 0
  local room, list = plain and most or MOST_LOOKED, {}
  local found = redis.call('ZREVRANGE', live, rank, rank + room - 1, 'WITHSCORES')
  local whole = #found == 2 * room
  for i = 1, #found, 2 do
    local cid = found[i]
    if since ~= '-inf' and tonumber(found[i + 1]) < tonumber(since) then return {0, instant, last, '', list} end
    if room <= 0 or #list == 2 * most then return {1, instant, last, '', list} end
    room = room - 1
    local state = redis.call('HGET', keys.meta(K, cid), 'state')
    local fits = state and (states == '' or string.find(states, state, 1, true)) and bears(K, cid, lists)
    if fits and task ~= '' then
      local from, looked = begun == cid and tonumber(looked_before) or 0, 0
      fits, looked = has_task(K, cid, task, from, room + 1)
      room = room - looked
      if fits == nil then return {1, instant, last, cid .. ':' .. from + looked, list} end
    end
    if fits then
      list[#list + 1] = cid
      list[#list + 1] = canvases.described(K, cid)
    end
    instant, last = found[i + 1], cid
  end
  return {whole and 1 or 0, instant, last, '', list}
end}

end
