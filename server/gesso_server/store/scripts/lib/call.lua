-- call: what one function call knows and has still to write.

local call_state = {}

-- Nodes that one call may end or start beside those it was called for.
local BUDGET = 500
local CLOCK_STEP_MS = 100
local SILENT_MS = 86400000 -- a coordinator that has not swept for so long is forgotten

local function clock(K)
  local time = redis.call('TIME')
  local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
  local high = tonumber(redis.call('GET', keys.clock(K)) or '0')
  if now <= high then return high end
  -- Kept in steps: a clock that is set back by less than a step is not worth a write for each call.
  if now - high >= CLOCK_STEP_MS then redis.call('SET', keys.clock(K), string.format('%d', now)) end
  return now
end

-- Begin a call for a coordinator ('' for none), which says its id and, after a space, how many of its calls it knows to
-- have been counted here.
function call_state.begin(K, caller)
  local coordinator, known = string.match(caller, '^(%S*) ?(%d*)$')
  return {K = K, coordinator = coordinator, known = tonumber(known) or 0, now = clock(K), budget = BUDGET, nodes = {}, dirty = {}, results = {},
    canvases = {}, agenda = {}, left = {}, fresh = {}, pushed = {}, ends = {}, limits = {}, accounts = {}, messages = {},
    deliveries = {}, moved = 0, broken = {}, counts = {}, spans = {}, labels = {}, tally = {}, waits = {}, took = {}}
end

-- Add to what the call tells its coordinator that it has done: final state letters of tasks, `canvas` and such a letter,
-- grant, retry, crash (an attempt was lost with its process), return (came back without blame), overrun (past its limit),
-- lapse (a session whose lease in the partition ended).
function call_state.tell(call, what, n) call.tally[what] = (call.tally[what] or 0) + n end

-- Count the call. One that was answered was counted, so the count is behind what the coordinator knows only if the store has
-- forgotten something that it had acknowledged. Returns the count, and 1 if that is so, else 0; the next call is
-- told nothing of it.
local function count(call)
  if call.coordinator == '' then return 0, 0 end
  local key = keys.canary(call.K, call.coordinator)
  local n = redis.call('INCR', key)
  if n > call.known then
    if n == 1 then redis.call('PEXPIRE', key, SILENT_MS) end
    return n, 0
  end
  redis.call('SET', key, string.format('%d', call.known + 1), 'PX', SILENT_MS)
  return call.known + 1, 1
end

-- Keep the count of a coordinator that sweeps.
function call_state.keep_count(call)
  if call.coordinator ~= '' then redis.call('PEXPIRE', keys.canary(call.K, call.coordinator), SILENT_MS) end
end

local function spans(call)
  local flat = {}
  for cid, indexes in pairs(call.spans) do
    flat[#flat + 1] = cid
    flat[#flat + 1] = table.concat(indexes, ' ')
  end
  return flat
end

-- Add something to what a call answers, unless it is empty.
local function say(own, letter, list)
  if #list == 0 then return end
  own[#own + 1] = letter
  own[#own + 1] = list
end

-- Add numbers by name, as a flat list.
local function say_pairs(own, letter, numbers)
  local flat = {}
  for key, n in pairs(numbers) do
    flat[#flat + 1] = key
    flat[#flat + 1] = n
  end
  say(own, letter, flat)
end

-- Follow the graph and write everything. Returns what the caller must see to: the number of the call, then for each
-- thing that there is to tell a letter and the thing:
--   w  its own wake-ups: namespace, queue, count, ...; there may be several of this letter
--   e  the nodes whose end its clients wait for: each {canvas, index, node as nodes.described has it}
--   l  1: this call has left work in the list, for the next sweep
--   a  what accounts say to the homes of their limits: each {name, epoch, version, granted, back, unused, want}
--   h  what homes say to accounts: each {name, partition, epoch, granted, version heard}
--   t  in how many ms something is due that this call has set
--   s  whose spans are to be told: canvas, indexes separated by spaces, ...
--   b  1: the store has gone back
--   and for metrics
--   d  what it did: a word as call_state.tell has it, how often, ...
--   q  how long what it granted had waited: ms, how many tasks, ...
--   o  how long canvases took that it ended: ms, ...
function call_state.finish(call)
  graph.settle(call)
  dead.cancel_broken(call)
  limits.flush(call)
  rings.write(call)
  queues.flush(call)
  nodes.flush(call)
  canvases.flush(call)
  local number, back = count(call)
  local own = {number}
  say(own, 'w', ready.wake(call))
  say(own, 'e', call.ends)
  if call.left_work then own[#own + 1], own[#own + 2] = 'l', 1 end
  say(own, 'a', call.messages)
  say(own, 'h', call.deliveries)
  if call.due then own[#own + 1], own[#own + 2] = 't', math.max(0, call.due - call.now) end
  if back == 1 then own[#own + 1], own[#own + 2] = 'b', 1 end
  say(own, 's', spans(call))
  say_pairs(own, 'd', call.tally)
  say_pairs(own, 'q', call.waits)
  say(own, 'o', call.took)
  return own
end
