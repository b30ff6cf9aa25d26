-- outcomes: read outcomes of a run of nodes, up to a number of bytes.
-- KEYS[1] partition
-- ARGV[1] canvas  [2] first  [3] count  [4] stride  [5] most bytes
-- Returns a flat list: record, outcome or '', body or '' (a join's only), for as many nodes as fit, at least one.

local FEW = 8 -- wanted nodes of a chunk for which it is not read whole

-- A function that returns a node's field of a canvas's hashes of one kind, nil or false if there is none. Where many
-- nodes of a chunk are wanted and it is small, which its encoding says, it is read whole: a lookup in a small hash walks
-- through it, and each is a call.
local function fields(K, cid, key_of, many)
  local chunks = {}
  return function(index)
    local chunk = math.floor(index / CHUNK)
    local known = chunks[chunk]
    local key = (known == nil or not known) and key_of(K, cid, chunk)
    if known == nil then
      known = many and redis.call('OBJECT', 'ENCODING', key) == 'listpack' and {}
      if known then
        local flat = redis.call('HGETALL', key)
        for i = 1, #flat, 2 do known[flat[i]] = flat[i + 1] end
      end
      chunks[chunk] = known
    end
    if known then return known[tostring(index)] end
    return redis.call('HGET', key, index)
  end
end

redis.register_function{function_name = '@LIBRARY@_outcomes', flags = {'no-writes', 'allow-oom'}, callback = function(KEYS, ARGV)
  local K, cid = KEYS[1], ARGV[1]
  local first, stride, room = tonumber(ARGV[2]), tonumber(ARGV[4]), tonumber(ARGV[5])
  local count = math.min(tonumber(ARGV[3]), 1000)
  local many = count > FEW and stride * FEW <= CHUNK
  local record_of, outcome_of = fields(K, cid, keys.nodes, many), fields(K, cid, keys.results, many)
  local list, size = {}, 0
  for i = 0, count - 1 do
    local index = first + i * stride
    local record = record_of(index) or ''
    local outcome = outcome_of(index) or nodes.outcome(K, cid, index, string.sub(record, 1, 1))
    local body = ''
    if outcome == '' then body = kept(K, cid, keys.bodies, index) end
    size = size + #outcome + #body
    if i > 0 and size > room then break end
    list[#list + 1] = record
    list[#list + 1] = outcome
    list[#list + 1] = body
  end
  return list
end}

-- The node whose value a task takes, as text; nil for none.
local function input_of(K, cid, index)
  local record = redis.call('HGET', keys.nodes(K, cid, math.floor(tonumber(index) / CHUNK)), index) or ''
  local letter, source = string.match(record, '^[^/]*/[^|]*|([TJ])(%d+)|')
  local value = letter == 'T' and kept(K, cid, keys.results, source) or ''
  return string.sub(value, 1, 1) == '\0' and string.sub(value, 2) or source
end

-- takes: KEYS[1] partition  ARGV[1] session  [2] canvas  [3] index  [4] attempt  [5] nonce  [6] index of another node
-- Returns 1 if the session holds that attempt, and the task takes the value of the other node; else 0.
redis.register_function{function_name = '@LIBRARY@_takes', flags = {'no-writes', 'allow-oom'}, callback = function(KEYS, ARGV)
  local held = redis.call('HGET', keys.held(KEYS[1], ARGV[1]), ARGV[2] .. ':' .. ARGV[3])
  local same = held and string.match(held, '^(%d+,%x+),') == ARGV[4] .. ',' .. ARGV[5]
  return same and input_of(KEYS[1], ARGV[2], ARGV[3]) == ARGV[6] and 1 or 0
end}

-- arrivals: KEYS[1] partition  ARGV[1] canvas  [2] index of a join that needs a quorum  [3] count
-- Returns the first inputs that succeeded, in that order.
redis.register_function{function_name = '@LIBRARY@_arrivals', flags = {'no-writes', 'allow-oom'}, callback = function(KEYS, ARGV)
  local cid = ARGV[1]
  while cid do
    local list = redis.call('LRANGE', keys.arrivals(KEYS[1], cid, ARGV[2]), 0, ARGV[3] - 1)
    if #list > 0 then return list end
    cid = redis.call('HGET', keys.meta(KEYS[1], cid), 'from') -- it was taken over
  end
  return {}
end}
