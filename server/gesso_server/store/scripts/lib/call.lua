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

local function pairs_of(numbers)
  local flat = {}
  for key, n in pairs(numbers) do
    flat[#flat + 1] = key
    flat[#flat + 1] = n
  end
  return flat
end

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

-- Follow the graph and write everything. Returns what the caller must see to: its own wake-ups (namespace, queue,
-- count, ...), the nodes whose end its clients wait for (canvas, index, node as nodes.described has it), 1 if work is left in the list,
-- what accounts say to the homes of their limits (name, epoch, version, granted, back, unused, want), what homes say to accounts (name,
-- partition, epoch, granted, version heard), in how many ms something is due that this call has set, -1 for nothing, whose
-- spans are to be told (canvas, indexes separated by spaces); the number of the call, and 1 if the store has gone back;
-- for metrics what it did (a word as call_state.tell has it, how often, ...), how long what it granted had waited (ms, how
-- many tasks, ...), and how long canvases took that it ended (ms).
function call_state.finish(call)
  graph.settle(call)
  dead.cancel_broken(call)
  limits.flush(call)
  rings.write(call)
  queues.flush(call)
  nodes.flush(call)
  canvases.flush(call)
  local number, back = count(call)
  return {ready.wake(call), call.ends, redis.call('EXISTS', keys.work(call.K)), call.messages, call.deliveries,
    call.due and math.max(0, call.due - call.now) or -1, spans(call), number, back,
    {pairs_of(call.tally), pairs_of(call.waits), call.took}}
end
