-- turns: members of a join that wait for their turn, since only so many of them may be under way at one time.
--
-- A member is under way from its turn until its last node has ended, retries and delays included. The timing of such
-- a join has `f<most>` before it is opened and `f<most>.<under way>` from then on. Who waits stands in the list
-- keys.turns, in order, as entries `count,size,last,edges`: so many members, alike and one behind the other, of
-- `size` nodes each; `last` is the last node of the first one and `edges`, separated by '&', are what begins it.
-- Before the join is opened the entries of its own members, separated by ';', are the first line of its body; those of a
-- canvas that runs another one again are in the list from the start, without the members that it takes over.

local turns = {}

local MOST_LOOKED = 1000 -- entries that one look for a node goes through
local MOST_JOINS, MOST_SHOWN = 20, 50 -- joins, and entries of each, that are read for people to see

local function parsed(entry)
  local count, size, last, edges = string.match(entry, '^(%d+),(%d+),(%d+),(.+)$')
  return tonumber(count), tonumber(size), tonumber(last), edges
end

local function moved(edges, by)
  return (string.gsub(edges, '([>)])(%d+)', function(kind, first) return kind .. (tonumber(first) + by) end))
end

local function put(call, canvas, join, push, entries)
  local key = keys.turns(call.K, canvas.id, join.index)
  for from = 1, #entries, 1000 do redis.call(push, key, unpack(entries, from, math.min(from + 999, #entries))) end
  if #entries > 0 then redis.call('SADD', keys.extra(call.K, canvas.id), join.index) end
end

-- How many members may be under way, and how many are; the latter is nil before the join is opened.
local function places(join)
  local most, busy = string.match(join.timing, 'f(%d+)%.?(%d*)')
  return tonumber(most), tonumber(busy)
end

local function occupy(call, canvas, join, busy)
  join.timing = string.gsub(join.timing, 'f(%d+)%.?%d*', 'f%1.' .. busy)
  nodes.touch(call, canvas.id, join)
end

-- Whether members of this join wait for their turn.
function turns.limited(join) return string.find(join.timing, 'f', 1, true) ~= nil end

-- Let members begin as long as there is a place. One whose last node has ended already takes none.
function turns.go_on(call, canvas, join)
  local most, busy = places(join)
  if not busy or canvas.state == 'C' then return end
  local list, taken = keys.turns(call.K, canvas.id, join.index), busy
  if FINAL[join.state] and string.find(join.timing, 'c%d') then
    redis.call('UNLINK', list) -- it needs them no more, and cancels them
    return
  end
  while taken < most do
    if call.budget <= 0 then
      call.agenda[#call.agenda + 1] = {op = 'turn', canvas = canvas, args = {join.index, 1, 1}}
      break
    end
    local entry = redis.call('LPOP', list)
    if not entry then break end
    call.budget = call.budget - 1
    local count, size, last, edges = parsed(entry)
    if count > 1 then
      redis.call('LPUSH', list, table.concat({count - 1, size, last + size, moved(edges, size)}, ','))
    end
    for kind, first, run, stride, lane in string.gmatch(edges, '%f[~>)]([>)])(%d+),(%d+),(%d+),?(%d*)') do
      call.agenda[#call.agenda + 1] =
        {op = kind == '>' and 'take' or 'open', canvas = canvas, args = {first, run, stride, lane}}
    end
    local node = nodes.get(call, canvas.id, last)
    if node and not FINAL[node.state] then taken = taken + 1 end
  end
  if taken ~= busy then occupy(call, canvas, join, taken) end
end

-- Take note that the join was opened.
function turns.open(call, canvas, join)
  if not turns.limited(join) then return end
  local key = keys.bodies(call.K, canvas.id, math.floor(join.index / CHUNK))
  local text = redis.call('HGET', key, join.index)
  if text then -- else its body lies with the canvas that this one runs again
    local line, body = string.match(text, '^([^\n]*)\n(.*)$')
    local base = tonumber(string.match(join.timing, 'b(%d+)$') or '0')
    local entries = {}
    for entry in string.gmatch(line, '[^;]+') do
      local count, size, last, edges = parsed(entry)
      entries[#entries + 1] = table.concat({count, size, last + base, moved(edges, base)}, ',')
    end
    -- In front of those that came while the join was not open: the last one first.
    local reversed = {}
    for i = #entries, 1, -1 do reversed[#reversed + 1] = entries[i] end
    put(call, canvas, join, 'LPUSH', reversed)
    redis.call('HSET', key, join.index, '\n' .. body)
  end
  occupy(call, canvas, join, 0)
  turns.go_on(call, canvas, join)
end

-- Add members, as entries separated by ';', behind those that wait.
function turns.add(call, canvas, join, text)
  local entries = {}
  for entry in string.gmatch(text, '[^;]+') do entries[#entries + 1] = entry end
  put(call, canvas, join, 'RPUSH', entries)
  turns.go_on(call, canvas, join)
end

-- Whether a node is the last one of a member whose turn has not come.
local function waits(call, canvas, join, index)
  for _, entry in ipairs(redis.call('LRANGE', keys.turns(call.K, canvas.id, join.index), 0, MOST_LOOKED - 1)) do
    local count, size, last = parsed(entry)
    local behind = index - last
    if behind % size == 0 and behind >= 0 and behind < count * size then return true end
  end
  return false
end

-- Take note that a member has ended. One that was revoked before its turn had no place to give up.
function turns.ended(call, canvas, join, last)
  if not turns.limited(join) then return end
  local _, busy = places(join)
  if not busy then return end
  local begun = last.state == 'S' or (last.deliveries or 0) > 0 or not waits(call, canvas, join, last.index)
  if begun then
    occupy(call, canvas, join, math.max(busy - 1, 0))
    turns.go_on(call, canvas, join)
  end
end

-- The members of all joins of a canvas that wait for their turn, as a list of {join, entries}; the first of them, if there are
-- many.
function turns.waiting(K, cid)
  local list = {}
  for _, index in ipairs(redis.call('SRANDMEMBER', keys.extra(K, cid), MOST_JOINS)) do
    local entries = {}
    for i, text in ipairs(redis.call('LRANGE', keys.turns(K, cid, index), 0, MOST_SHOWN - 1)) do
      local count, size, _, edges = parsed(text)
      entries[i] = {count = count, size = size, edges = edges}
    end
    if #entries > 0 then list[#list + 1] = {join = tonumber(index), entries = entries} end
  end
  return list
end

-- The join in whose member, one of those that wait for their turn, a node would begin; nil for none.
function turns.join_of(waiting, index)
  for _, each in ipairs(waiting) do
    for _, entry in ipairs(each.entries) do
      for first, run, stride in string.gmatch(entry.edges, '[>)](%d+),(%d+),(%d+)') do
        local behind = index - tonumber(first)
        local within = behind % entry.size
        if behind >= 0 and behind < entry.count * entry.size and within % stride == 0 and within / stride < tonumber(run) then
          return each.join
        end
      end
    end
  end
end

-- How many members of a join may be under way, and how many are.
function turns.places(join)
  local most, busy = places(join)
  return most or 0, busy or 0
end
