-- exchange: one frame of a worker: apply what it reports, and grant it new work.
--
-- A repeat of the session's last seq applies reports (which changes nothing twice) and returns the same grants with
-- the same tokens. A call of an older epoch, or of an unknown session, only applies reports.
-- KEYS[1] partition
-- ARGV[1] session  [2] epoch  [3] seq  [4] nonce, hexadecimal  [5] coordinator  [6] how many tasks are wanted
--     [7] 1 if the coordinator has other idle sessions for these queues
--     [8] number of started tasks S, [9] of returned tasks R, then S and then R quadruples: canvas, index, attempt,
--     nonce; then outcomes: canvas, index, attempt, nonce, kind, blob, delay in ms, extra (see lib/reports.lua)
-- Returns {status, answers, assignments, more, own} with
--   status       O, E for an older epoch, U for an unknown session
--   answers      a letter for each started, returned and ended task, in order: A applied, D, S, U
--   assignments  see lib/leases.lua; canvases of theirs: canvas, trace, tracestate, root, ... flat
--   more         1 if the session's queues still have work
--   own          what the caller must see to, see lib/call.lua

-- Read all nodes that the frame speaks of, chunk by chunk.
local function prefetch(call, args, from, step)
  local wanted = {}
  for i = from, #args, step do
    local list = wanted[args[i]]
    if not list then
      list = {}
      wanted[args[i]] = list
    end
    local index = tonumber(args[i + 1])
    list[#list + 1] = index
    call.labels[index] = args[i + 1]
  end
  for cid, indexes in pairs(wanted) do nodes.prefetch(call, cid, indexes) end
end

redis.register_function{function_name = '@LIBRARY@_exchange', flags = {'allow-oom'}, callback = function(KEYS, ARGV)
  local call = call_state.begin(KEYS[1], ARGV[5])
  call.nonce = ARGV[4]
  local sid, epoch, seq, want = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[6])
  local answers = {}
  local at, returned = 10, 10 + 4 * ARGV[8]
  local ended = returned + 4 * ARGV[9]
  while at < ended do
    local apply = at < returned and reports.started or reports.returned
    answers[#answers + 1] = apply(call, sid, ARGV[at], tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), ARGV[at + 3])
    at = at + 4
  end
  if #ARGV > at + 7 then prefetch(call, ARGV, at, 8) end
  local freed = {}
  for i = at, #ARGV, 8 do
    local answer = reports.outcome(call, ARGV[i], tonumber(ARGV[i + 1]), NUMBERS[ARGV[i + 2]] or tonumber(ARGV[i + 2]),
      ARGV[i + 3], ARGV[i + 4], ARGV[i + 5], NUMBERS[ARGV[i + 6]] or tonumber(ARGV[i + 6]), ARGV[i + 7])
    if answer == 'A' and ARGV[i + 4] ~= 's' then freed[#freed + 1] = ARGV[i] .. ':' .. ARGV[i + 1] end
    answers[#answers + 1] = answer
  end
  for from = 1, #freed, 1000 do
    redis.call('HDEL', keys.held(call.K, sid), unpack(freed, from, math.min(from + 999, #freed)))
  end
  graph.settle(call)
  local status, items, more = leases.serve(call, sid, epoch, seq, want, ARGV[7] == '1', #freed)
  return {status, table.concat(answers), items, leases.contexts(call, items), more, call_state.finish(call)}
end}
