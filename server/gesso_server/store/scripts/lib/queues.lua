-- queues: what is known of queues besides the tasks in them: how many tasks and sessions they have, and which are
-- paused.
--
-- The hash keys.counts has, for each namespace and queue, w<namespace>NUL<queue> tasks that wait, r… tasks that
-- sessions hold, s… sessions that take its tasks, u… those of the waiting ones that are parked (lib/ready.lua), and three that
-- only grow as long as the queue is listed: i… tasks that have come into it, o… tasks that were handed out, e… tasks that were
-- handed out and have ended, or were replaced. A task waits from when it is put into the queue until its turn,
-- parked or not, and while a limit holds it back (lib/limits.lua); one that ended meanwhile is counted until its turn,
-- too. A call adds up what it does and writes it when it ends. What has come to 0 is removed by sweeps. The sorted
-- set keys.queues has the queues that have a count or are paused, as namespace NUL queue.
--
-- A queue is paused while its levels (lib/ready.lua) have the member `p`, above all priorities: whoever looks for
-- work sees it.

local queues = {}

local PAUSED, PAUSED_RANK = 'p', 99
local MOST_PRUNED = 8
local LISTS = {w = true, s = true} -- counts that a queue is listed for

local function member(ns, queue) return ns .. '\0' .. queue end

-- Add to a count, named by its letter.
function queues.count(call, ns, queue, kind, n)
  local by_queue = call.counts[ns]
  if not by_queue then
    by_queue = {}
    call.counts[ns] = by_queue
  end
  local counts = by_queue[queue]
  if not counts then
    counts = {}
    by_queue[queue] = counts
  end
  counts[kind] = (counts[kind] or 0) + n
end

-- Let as many sessions that wait for work of a queue be woken as the call ends, if it has any then.
function queues.wake(call, ns, queue, n)
  local id = member(ns, queue)
  local pushed = call.pushed[id]
  if pushed then
    pushed.count = pushed.count + n
  else
    call.pushed[id] = {ns = ns, queue = queue, count = n}
  end
end

local function count_lane(call, cid, lane_id, held, ended)
  local canvas = (held ~= 0 or ended > 0) and canvases.get(call, cid)
  if not canvas then return end
  local queue = canvases.lane(call, canvas, lane_id).queue
  if held ~= 0 then queues.count(call, canvas.ns, queue, 'r', held) end
  if ended > 0 then queues.count(call, canvas.ns, queue, 'e', ended) end
end

-- Count the tasks that sessions hold since this call, or not any more. Most nodes of a call are of one lane.
local function count_held(call)
  for cid, dirty in pairs(call.dirty) do
    local lane, held, ended = nil, 0, 0
    for _, node in pairs(dirty) do
      local state = node.state
      local holds = HELD[state]
      if holds ~= node.was_held and not node.join then
        if node.lane ~= lane then
          count_lane(call, cid, lane, held, ended)
          lane, held, ended = node.lane, 0, 0
        end
        if holds then
          held = held + 1
        else
          held = held - 1
          if FINAL[state] or state == 'P' then ended = ended + 1 end
        end
      end
    end
    count_lane(call, cid, lane, held, ended)
  end
end

-- Write what this call has counted.
function queues.flush(call)
  count_held(call)
  local key = keys.counts(call.K)
  for ns, by_queue in pairs(call.counts) do
    for queue, counts in pairs(by_queue) do
      local name = member(ns, queue)
      for kind, n in pairs(counts) do
        local now = n == 0 or redis.call('HINCRBY', key, kind .. name, n)
        if now == n and LISTS[kind] then redis.call('ZADD', keys.queues(call.K), 0, name) end
      end
    end
  end
end

-- Take a queue off the list that has no count any more and is not paused.
local function leave_out(K, name)
  local ns, queue = string.match(name, '^(%Z*)%z(.*)$')
  local left = redis.call('HMGET', keys.counts(K), 'w' .. name, 'r' .. name, 's' .. name)
  if left[1] or left[2] or left[3] or queues.paused(K, ns, queue) then return end
  redis.call('ZREM', keys.queues(K), name)
  redis.call('HDEL', keys.counts(K), 'i' .. name, 'o' .. name, 'e' .. name)
end

-- Remove some of the counts that have come to 0.
function queues.prune(K)
  local key = keys.counts(K)
  local found = redis.call('HRANDFIELD', key, MOST_PRUNED, 'WITHVALUES')
  for i = 1, #found, 2 do
    if found[i + 1] == '0' then
      redis.call('HDEL', key, found[i])
      leave_out(K, string.sub(found[i], 2))
    end
  end
end

-- Queues of a namespace by name, behind a name ('' for the first), at most so many.
function queues.list(K, ns, behind, most)
  local names = {}
  local from = behind == '' and '[' .. member(ns, '') or '(' .. member(ns, behind)
  for i, name in ipairs(redis.call('ZRANGEBYLEX', keys.queues(K), from, '(' .. ns .. '\1', 'LIMIT', 0, most)) do
    names[i] = string.sub(name, #ns + 2)
  end
  return names
end

-- How many tasks of a queue wait, how many are held, and how many sessions take from it; then what came in, was handed out and
-- has ended.
function queues.counts(K, ns, queue)
  local name, found = member(ns, queue), {}
  local texts = redis.call('HMGET', keys.counts(K), 'w' .. name, 'r' .. name, 's' .. name, 'i' .. name, 'o' .. name, 'e' .. name)
  for i = 1, 6 do found[i] = tonumber(texts[i] or 0) end
  return unpack(found)
end

-- How many tasks of a queue are parked.
function queues.parked(K, ns, queue) return tonumber(redis.call('HGET', keys.counts(K), 'u' .. member(ns, queue)) or 0) end

-- Whether a queue is paused.
function queues.paused(K, ns, queue) return redis.call('ZSCORE', keys.levels(K, ns, queue), PAUSED) and true or false end

-- Pause a queue, or let it go on.
function queues.pause(K, ns, queue, paused)
  if paused then
    redis.call('ZADD', keys.levels(K, ns, queue), PAUSED_RANK, PAUSED)
    redis.call('ZADD', keys.queues(K), 0, member(ns, queue))
  else
    redis.call('ZREM', keys.levels(K, ns, queue), PAUSED)
    leave_out(K, member(ns, queue))
  end
end
