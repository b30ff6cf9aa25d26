-- fleet: queues and workers, as the people who run them ask for.

local CANVASES_LOOKED_AT = 50 -- at each end of a ring
local ENTRIES_LOOKED_AT = 10  -- of a canvas: what was given back stands in front of what has waited longer
local MOST_NAMES = 100        -- of unknown tasks

-- queue_pause: KEYS[1] partition  ARGV[1] namespace  [2] queue  [3] coordinator  [4] 1 to pause, 0 to go on
-- Nothing of a paused queue is granted; what is held goes on. Returns what the caller must see to.
redis.register_function{function_name = '@LIBRARY@_queue_pause', flags = {'allow-oom'}, callback = function(KEYS, ARGV)
  local call = call_state.begin(KEYS[1], ARGV[3])
  queues.pause(call.K, ARGV[1], ARGV[2], ARGV[4] == '1')
  if ARGV[4] ~= '1' then ready.wake_all(call, ARGV[1], ARGV[2]) end
  return call_state.finish(call)
end}

-- When the oldest of some entries was put into the queue, or `oldest`.
local function elder(oldest, entries)
  for _, entry in ipairs(entries) do
    local since = tonumber(string.match(entry, ':(%d+)$'))
    if not oldest or since < oldest then oldest = since end
  end
  return oldest
end

local function oldest_of_ring(K, ns, queue, prio, oldest)
  local ring = keys.ring(K, ns, queue, prio)
  local ids = redis.call('LRANGE', ring, 0, CANVASES_LOOKED_AT - 1)
  for _, cid in ipairs(redis.call('LRANGE', ring, math.max(#ids, redis.call('LLEN', ring) - CANVASES_LOOKED_AT), -1)) do
    ids[#ids + 1] = cid
  end
  for _, cid in ipairs(ids) do
    oldest = elder(oldest, redis.call('LRANGE', keys.ready(K, cid, queue, prio), 0, ENTRIES_LOOKED_AT - 1))
  end
  return oldest
end

-- fleet_queues: queues that have tasks or workers or are paused, by name.
-- KEYS[1] partition  ARGV[1] namespace  [2] behind this name, '' for the first  [3] how many at the most
-- Returns each as {name, tasks that wait, tasks held, sessions, 1 if paused, for how long its oldest task waits, ms, or -1,
-- names of tasks that are parked in it, tasks that came into it, were handed out, have ended}. The oldest is looked for at
-- both ends of each ring, among what is parked, and among what limits hold back.
redis.register_function{function_name = '@LIBRARY@_fleet_queues', flags = {'no-writes', 'allow-oom'}, callback = function(KEYS, ARGV)
  local K, ns = KEYS[1], ARGV[1]
  local time, list = redis.call('TIME'), {}
  local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
  local held_back = limits.waiting(K, ns)
  for _, queue in ipairs(queues.list(K, ns, ARGV[2], ARGV[3])) do
    local waiting, held, sessions, entered, delivered, ended = queues.counts(K, ns, queue)
    local oldest = held_back[queue]
    for prio = 0, 9 do
      oldest = oldest_of_ring(K, ns, queue, prio, oldest)
    end
    local names = redis.call('SRANDMEMBER', keys.parked(K, ns, queue), MOST_NAMES)
    for _, task in ipairs(names) do oldest = elder(oldest, redis.call('LRANGE', keys.park(K, ns, queue, task), 0, 0)) end
    list[#list + 1] = {queue, waiting, held, sessions, queues.paused(K, ns, queue) and 1 or 0, oldest and math.max(0, now - oldest) or -1,
      names, entered, delivered, ended}
  end
  return list
end}

-- fleet_workers: sessions, by id.
-- KEYS[1] partition  ARGV[1] namespace  [2] behind this id, '' for the first  [3] how many at the most
-- Returns each as {id, worker, queues, slots, tasks held, last renewal in Unix ms, names of the tasks that it knows,
-- outcomes that it reported}.
redis.register_function{function_name = '@LIBRARY@_fleet_workers', flags = {'no-writes', 'allow-oom'}, callback = function(KEYS, ARGV)
  local K, ns = KEYS[1], ARGV[1]
  local from = ARGV[2] == '' and '-' or '(' .. ARGV[2]
  local list = {}
  for _, sid in ipairs(redis.call('ZRANGEBYLEX', keys.workers(K, ns), from, '+', 'LIMIT', 0, ARGV[3])) do
    local s = redis.call('HMGET', keys.session(K, sid), 'worker', 'queues', 'slots', 'lease', 'gone', 'done')
    local seen = tonumber(s[5]) or tonumber(redis.call('ZSCORE', keys.sessions(K), sid) or 0) - tonumber(s[4])
    list[#list + 1] = {sid, s[1], s[2], tonumber(s[3]), redis.call('HLEN', keys.held(K, sid)), seen,
      redis.call('SMEMBERS', keys.names(K, sid)), tonumber(s[6] or 0)}
  end
  return list
end}
