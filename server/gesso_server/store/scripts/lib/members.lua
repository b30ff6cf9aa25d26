-- members: the nodes that belong to a node: a join's members with all inside them, or what a replaced task was replaced
-- with. Its own members lie behind it; what comes later lies where there was room.
--
-- The timing of a node says where: `e<own>[:first.count]`. Of runs that come when that text is full, the sorted set
-- keys.scattered has `first.count`, the score being the node's index. `u<0 or 1>` stands in front when the join was
-- revoked, 1 to kill what runs: what comes later is revoked as it comes.

local members = {}

local MOST_NOTED = 1000 -- characters of a timing; later runs are scattered
local LOOKED_AT = 100   -- scattered runs that are looked at together

local function put(call, canvas, op, first, count, letter, start)
  local agenda = call.agenda
  agenda[#agenda + 1] = {op = op, canvas = canvas, args = {first, count, 1, letter, start}}
end

-- Put the nodes that belong to a node on the agenda: `op` is cancel or revoke, for `letter` see lib/graph.lua.
function members.reach(call, canvas, node, op, letter)
  local own, rest = string.match(node.timing, 'e(%d+)([:.%d]*)')
  if not own then return end
  if own ~= '0' then put(call, canvas, op, node.index + 1, own, letter, node.index + 1) end
  for first, count in string.gmatch(rest, ':(%d+)%.(%d+)') do put(call, canvas, op, first, count, letter, first) end
  if #rest < MOST_NOTED then return end
  local runs = redis.call('ZCOUNT', keys.scattered(call.K, canvas.id), node.index, node.index)
  if runs == 0 then return end
  local agenda = call.agenda
  agenda[#agenda + 1] = {op = 'scattered', canvas = canvas, args = {0, runs, 1, letter, node.index, op}}
end

-- Go on with scattered runs, those from `from` on. Returns how many, or 0 when those were all.
function members.reach_scattered(call, canvas, from, count, letter, index, op)
  local key = keys.scattered(call.K, canvas.id)
  local runs = redis.call('ZRANGEBYSCORE', key, index, index, 'LIMIT', from, math.min(count, LOOKED_AT))
  for _, run in ipairs(runs) do
    local first, length = string.match(run, '^0*(%d+)%.(%d+)$')
    put(call, canvas, op, first, length, letter, first)
  end
  call.budget = call.budget - #runs
  return #runs < count and #runs or 0
end

-- The last scattered run is one with the next if that goes on where it ends.
local function scatter(call, canvas, node, first, count)
  local key = keys.scattered(call.K, canvas.id)
  local last = redis.call('ZREVRANGEBYSCORE', key, node.index, node.index, 'LIMIT', 0, 1)[1]
  local start, length = string.match(last or '', '^(%d+)%.(%d+)$')
  if start and start + length == first then
    redis.call('ZREM', key, last)
    first, count = tonumber(start), length + count
  end
  -- Of one node, runs lie in the order of their first index.
  redis.call('ZADD', key, node.index, string.format('%010d.%d', first, count))
end

-- Take note that a run of nodes belongs to a node.
function members.annex(call, canvas, node, first, count)
  if count == 0 then return end
  local before, own, rest, after = string.match(node.timing, '^(.-)e(%d+)([:.%d]*)(.*)$')
  if not before then
    before, after = string.match(node.timing, '^(p?)(.*)$') -- a permit's mark stands in front
    own, rest = '0', ''
  end
  if #rest >= MOST_NOTED then return scatter(call, canvas, node, first, count) end
  local others, last, length = string.match(rest, '^(.*):(%d+)%.(%d+)$')
  if last and tonumber(last) + tonumber(length) == first then
    rest = others .. ':' .. last .. '.' .. (tonumber(length) + count)
  else
    rest = rest .. ':' .. first .. '.' .. count
  end
  node.timing = before .. 'e' .. own .. rest .. after
  nodes.touch(call, canvas.id, node)
end

-- Take note that a join is revoked, with whatever comes to it.
function members.disown(call, canvas, join, terminate)
  local timing = string.gsub(join.timing, 'u%d', '', 1)
  join.timing = (terminate and 'u1' or 'u0') .. timing
  nodes.touch(call, canvas.id, join)
end

-- Whether a join ended because of what it stands behind.
local function closed(call, canvas, join)
  local letter, index = string.match(join.source, '^(%a)(%d+)$')
  local source = index and nodes.get(call, canvas.id, tonumber(index))
  if not source then return false end
  if letter == 'f' or letter == 'F' then return not OWN_FAILURE[source.state] end
  return source.state ~= 'S'
end

-- Put a join's members on the agenda that it needs no more, if it cancels those: it has ended.
function members.dismiss(call, canvas, join)
  if string.find(join.timing, 'c%d') then members.reach(call, canvas, join, 'cancel', join.state == 'S' and 'N' or 'C') end
end

-- Let nodes that have come to a join end if nobody wants them any more: it was revoked, or it has ended and cancels what it
-- does not need. Returns whether it is so; else they are to begin.
function members.turn_away(call, canvas, join, first, count)
  local revoked = string.match(join.timing, 'u(%d)')
  if revoked then
    put(call, canvas, 'revoke', first, count, revoked == '1' and 'K' or 'C', first)
  elseif FINAL[join.state] and string.find(join.timing, 'c%d') and not closed(call, canvas, join) then
    put(call, canvas, 'cancel', first, count, join.state == 'S' and 'N' or 'C', '-')
  else
    return false
  end
  return true
end
