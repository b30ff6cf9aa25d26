-- rings: who is served in a queue, by priority: canvases in turn, and of each its entries in order. lib/ready.lua says how
-- they stand in the store.
--
-- What a call makes ready stays in its memory first, in rings of its own (call.fresh): it may grant that itself, and then
-- nothing of it is ever written. So that nobody who waits is passed over, such a ring is served only while the store has none
-- of its queue and priority; else it is written behind that one first. What is left is written before the call ends, and before
-- anything reads a ring of the store.
--
-- An entry is {lane, first, count, stride, since (ms)}.

local rings = {}

-- A list with two ends has its items from [head] to [tail]; what was put in front lies below 1.
local function put_last(list, item)
  list.tail = list.tail + 1
  list[list.tail] = item
end

local function put_first(list, item)
  list.head = list.head - 1
  list[list.head] = item
end

local function take_first(list)
  local item = list[list.head]
  if item then
    list[list.head] = nil
    list.head = list.head + 1
  end
  return item
end

-- The text of an entry.
function rings.text(entry)
  return string.format('%s:%d:%d:%d:%d', entry.lane, entry.first, entry.count, entry.stride, entry.since)
end

function rings.parse(text)
  local lane, first, count, stride, since = string.match(text, '^(%d+):(%d+):(%d+):(%d+):(%d+)$')
  return {lane = lane, first = tonumber(first), count = tonumber(count), stride = tonumber(stride), since = tonumber(since)}
end

-- The first `n` tasks of an entry as an entry, and the others as another one, nil when there are none.
function rings.split(entry, n)
  if n == entry.count then return entry, nil end
  local part, rest = {}, {}
  for field, value in pairs(entry) do part[field], rest[field] = value, value end
  part.count, rest.count, rest.first = n, entry.count - n, entry.first + n * entry.stride
  return part, rest
end

local function id_of(ns, queue, prio) return ns .. '\0' .. queue .. '\0' .. prio end

-- Add an entry to a canvas's, in front of them or behind. A canvas that has none comes last in its ring.
function rings.add(call, canvas, lane, entry, front)
  local id = id_of(canvas.ns, lane.queue, lane.prio)
  local ring = call.fresh[id]
  if not ring then
    ring = {ns = canvas.ns, queue = lane.queue, prio = lane.prio, lists = {}, head = 1, tail = 0}
    call.fresh[id] = ring
    call.fresh[#call.fresh + 1] = ring
  end
  local list = ring.lists[canvas.id]
  if not list then
    list = {canvas = canvas, head = 1, tail = 0}
    ring.lists[canvas.id] = list
    put_last(ring, list)
  end
  if front then put_first(list, entry) else put_last(list, entry) end
end

local function count(entries, from, to)
  local tasks = 0
  for at = from, to do tasks = tasks + entries[at].count end
  return tasks
end

-- Write entries, in order, to an end of a canvas's list. Returns how long that is then.
local function push(command, key, list, from, to, step)
  local texts, n, length = {}, 0, 0
  for at = from, to, step do
    n = n + 1
    texts[n] = rings.text(list[at])
    if n == 1000 or at == to then
      length = redis.call(command, key, unpack(texts, 1, n))
      n = 0
    end
  end
  return length
end

-- Write a ring of this call's, behind what the store has of it.
local function write(call, ring)
  local new, tasks = {}, 0
  for at = ring.head, ring.tail do
    local list = ring[at]
    local key, length = keys.ready(call.K, list.canvas.id, ring.queue, ring.prio), 0
    if list.head < 1 then length = push('LPUSH', key, list, math.min(0, list.tail), list.head, -1) end
    if list.tail > 0 then length = push('RPUSH', key, list, math.max(1, list.head), list.tail, 1) end
    if length == list.tail - list.head + 1 then new[#new + 1] = list.canvas.id end
    tasks = tasks + count(list, list.head, list.tail)
    ring[at] = nil
  end
  ring.lists, ring.head, ring.tail = {}, 1, 0
  queues.wake(call, ring.ns, ring.queue, tasks)
  local length = 0
  for from = 1, #new, 1000 do
    length = redis.call('RPUSH', keys.ring(call.K, ring.ns, ring.queue, ring.prio), unpack(new, from, math.min(from + 999, #new)))
  end
  if #new > 0 and length == #new then redis.call('ZADD', keys.levels(call.K, ring.ns, ring.queue), ring.prio, ring.prio) end
end

-- Write what the call has made ready and not granted. Whoever waits for work of these queues is woken as the call ends.
function rings.write(call)
  for _, ring in ipairs(call.fresh) do
    if ring.head <= ring.tail then write(call, ring) end
  end
end

-- The priorities of a queue that tasks wait in, of those in the store and in the call's memory, given the former.
function rings.levels(call, ns, queue, stored)
  local found = {unpack(stored)}
  for _, ring in ipairs(call.fresh) do
    if ring.ns == ns and ring.queue == queue and ring.head <= ring.tail then
      local known = false
      for _, prio in ipairs(stored) do known = known or prio == ring.prio end
      if not known then found[#found + 1] = ring.prio end
    end
  end
  return found
end

-- Begin to serve a ring. `stored` says whether the store has one of this queue and priority.
function rings.open(call, ns, queue, prio, stored)
  local fresh = call.fresh[id_of(ns, queue, prio)]
  if not stored then return fresh end
  if fresh and fresh.head <= fresh.tail then write(call, fresh) end
  local key = keys.ring(call.K, ns, queue, prio)
  return {ns = ns, queue = queue, prio = prio, key = key, length = redis.call('LLEN', key)}
end

-- How many canvases are in it.
function rings.length(ring) return ring.length or ring.tail - ring.head + 1 end

-- Take the canvas whose turn it is: its entries, with `canvas`, which is nil when there is none any more.
function rings.next(call, ring)
  if not ring.key then return take_first(ring) end
  ring.length = ring.length - 1
  local cid = redis.call('LPOP', ring.key)
  return {canvas = canvases.get(call, cid), key = keys.ready(call.K, cid, ring.queue, ring.prio)}
end

-- Take a canvas's first entry, nil if there is none.
function rings.pop(list)
  if not list.key then return take_first(list) end
  local text = redis.call('LPOP', list.key)
  list.left = nil
  if not text then list.left = false end
  return text and rings.parse(text) or nil
end

-- Put what is left of an entry back in front.
function rings.put_back(list, entry)
  if not list.key then return put_first(list, entry) end
  redis.call('LPUSH', list.key, rings.text(entry))
  list.left = true
end

-- Drop entries of a canvas that needs no worker any more, a bounded number. Returns whether none is left.
function rings.drop(call, list, ns, queue)
  if not list.key then
    queues.count(call, ns, queue, 'w', -count(list, list.head, list.tail))
    list.head, list.tail = 1, 0
    return true
  end
  for _, text in ipairs(redis.call('LPOP', list.key, 1000) or {}) do
    queues.count(call, ns, queue, 'w', -rings.parse(text).count)
  end
  return redis.call('EXISTS', list.key) == 0
end

-- End a canvas's turn: it comes last, if it has entries left.
function rings.again(ring, list)
  if not list.key then
    if list.head <= list.tail then put_last(ring, list) else ring.lists[list.canvas.id] = nil end
    return
  end
  if list.left == nil then list.left = redis.call('EXISTS', list.key) == 1 end
  if list.left then ring.length = redis.call('RPUSH', ring.key, list.canvas.id) end
end

-- End serving a ring.
function rings.close(call, ring)
  if ring.length == 0 then redis.call('ZREM', keys.levels(call.K, ring.ns, ring.queue), ring.prio) end
end
