-- joins: inputs that a join gains while its canvas lives.

local joins = {}

-- A canvas whose stream has not been heard of for so long is cancelled.
local GROWTH_MS = 60000

-- Continue the last run of a join's body if the first new one does, as `grow` in small steps makes them.
local function joined(body, new)
  local head, first, count, stride = string.match(body, '^(.-)(%d+),(%d+),(%d+)$')
  local next_first, next_count, next_stride, rest = string.match(new, '^(%d+),(%d+),(%d+)(.*)$')
  if head and next_first then
    first, count, stride = tonumber(first), tonumber(count), tonumber(stride)
    local step = count == 1 and tonumber(next_first) - first or stride
    if step > 0 and (tonumber(next_count) == 1 or tonumber(next_stride) == step)
      and tonumber(next_first) == first + count * step then
      return head .. first .. ',' .. (count + tonumber(next_count)) .. ',' .. step .. rest
    end
  end
  return string.sub(body, -1) == '|' and body .. new or body .. ';' .. new
end

-- Add inputs, given as runs separated by ';', behind those that a join has. On one that has ended they are dropped.
function joins.add_inputs(call, canvas, index, runs)
  local join = index and nodes.get(call, canvas.id, tonumber(index))
  if not join or FINAL[join.state] or runs == '-' then return end
  local count = 0
  for n in string.gmatch(runs, '%d+,(%d+),%d+') do count = count + tonumber(n) end
  join.total = join.total + count
  if join.need >= 0 and join.policy ~= 'q' then join.need = join.need + count end
  nodes.touch(call, canvas.id, join)
  local key = keys.bodies(call.K, canvas.id, math.floor(join.index / CHUNK))
  redis.call('HSET', key, index, joined(nodes.body(call, canvas.id, join.index), runs))
end

-- Take note that a growing join has all its inputs; `opened` says that its control edge was taken.
function joins.seal(call, canvas, join, opened)
  if not string.find(join.timing, 'o', 1, true) then return end
  join.timing = string.gsub(join.timing, 'o', '')
  if join.need < 0 then join.need = join.total end
  nodes.touch(call, canvas.id, join)
  canvas.ended = canvas.ended + 1
  if redis.call('HINCRBY', keys.meta(call.K, canvas.id), 'growing', -1) == 0 then
    redis.call('ZREM', keys.growing(call.K), canvas.id)
  end
  if not FINAL[join.state] and opened then graph.weigh(call, canvas, join) end
end
