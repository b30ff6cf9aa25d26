-- nodes: the records of nodes, read and written chunk by chunk.
--
-- A record is one text: state letter, dynamic part, '/', static part.
--
--   task   W              /lane|source|edges|timing
--          W dl,cr,fl     /...            after a first delivery: deliveries, crashes, failures
--          G dl,cr,fl,nonce,session,start/...   also R, K and Q
--          P dl,cr,fl,-,-,start          /...   once it was handed out
--          S dl,cr,fl,cause,finish,start /...   and every other final state
--   join   O ok,ended,cause,last         /Jneed,policy,total|source|edges|
--          S ok,ended,cause,last,finish  /...
--
-- `start` and `finish` are ms since the canvas was accepted. `cause` is the index of the node whose own failure
-- this is, with a `c` in front for what failed because the join before it did; `last` is the input that came last.
-- `source` is the index of the node that the control edge comes from, behind a letter: t/T a task, j/J a join,
-- f/F a failure; capital if its value is taken.
-- Edges are separated by ';': [!]>first,count,stride,lane starts tasks, [!])first,count,stride opens joins,
-- +join arrives at a join, !*template adds nodes (lib/templates.lua), =node ends a replaced node; '!' means on its own
-- failure, else on success; '~' behind that: the nodes are ended when the edge closes, but begin when their turn comes
-- (lib/turns.lua). Opening edges stand before starting ones.
-- `need` is -1 while a join still grows and needs all. `timing` of a task: d<ms> countdown, a<instant> eta, x<ms after
-- acceptance> or z<instant> last start, i if its value is for nobody but what stands behind it, p in front while the
-- attempt has a permit (lib/limits.lua), h<ms> how long an attempt may run, m delivered at most once; of a join: l when its
-- deadline has ended it, t<ms> deadline, c<count> nodes
-- behind it that are cancelled when it no longer needs them, o while it grows; e<count>[:first.count] of both: the nodes
-- behind it that belong to its members, and runs of nodes that came later, as members or in the place of a replaced task;
-- u0, u1 of a join that was revoked (lib/members.lua); k of both when a join cancelled it that has succeeded without it;
-- f<most>[.<under way>] of a join: members that may be under way at one time (lib/turns.lua);
-- g of a join when its span tells of all inside it; s<join> of both when the span of that join tells of it
-- (lib/canvases.lua), r<node> when it begins the canvas that replaces that node, or a member that it added;
-- q<ms since the canvas was accepted> of a task, behind p: when it could first run, kept as it is handed out first;
-- b<base> of both, the last: what its body says is relative to this index. '?' stands where the record could not be read.
--
-- States: W waiting, T delayed, G granted, R running, Y retry wait, K being revoked, Q being cancelled, P replaced, O open
-- join;
-- final: S succeeded, F failed by itself, U failed by its upstream, D dead, V revoked, X expired, C cancelled,
-- I ignored, N dropped.

local nodes = {}

local CHUNK = 64 -- nodes of one hash: in a small one each lookup walks through it, and each hash takes room of its own

local MOST_SHAPES, LONGEST_SHAPE = 1000, 200 -- how many static parts are remembered, and of what length

local FINAL = {S = true, F = true, U = true, D = true, V = true, X = true, C = true, I = true, N = true}
local OWN_FAILURE = {F = true, D = true, V = true, X = true}
local HELD = {G = true, R = true, K = true, Q = true}

-- Small numbers as text, and back: making one of the other is slow.
local DIGITS = {[0] = '0', '1', '2', '3', '4', '5', '6', '7', '8', '9'}
local NUMBERS = {['0'] = 0, ['1'] = 1, ['2'] = 2, ['3'] = 3, ['4'] = 4, ['5'] = 5, ['6'] = 6, ['7'] = 7, ['8'] = 8, ['9'] = 9}

local function split(text)
  local parts, n = {}, 0
  for part in string.gmatch(text, '[^,]+') do
    n = n + 1
    parts[n] = part
  end
  return parts
end

-- What the static part of a record says. The members of a group have the same one: it is read once for all of them. What
-- is remembered depends on nothing but the text.
local shapes, shape_count = {}, 0

local function shape_of(static)
  local shape = shapes[static]
  if shape then return shape end
  local first, source, edges, timing = string.match(static, '^([^|]*)|([^|]*)|([^|]*)|(.*)$')
  shape = {text = static, first = assert(first), source = source, edges = edges, timing = timing}
  if string.sub(first, 1, 1) == 'J' then
    local need, policy, total = string.match(first, '^J(-?%d+),(.),(%d+)$')
    shape.need, shape.policy, shape.total = tonumber(assert(need)), policy, tonumber(total)
  end
  if #static <= LONGEST_SHAPE then
    if shape_count == MOST_SHAPES then shapes, shape_count = {}, 0 end
    shapes[static], shape_count = shape, shape_count + 1
  end
  return shape
end

-- Raises where the text is no record.
local function decode(index, text)
  local slash = assert(string.find(text, '/', 2, true))
  local state, dynamic, shape = string.sub(text, 1, 1), string.sub(text, 2, slash - 1), shape_of(string.sub(text, slash + 1))
  if shape.need then
    local d = split(dynamic)
    return {index = index, state = state, shape = shape, source = shape.source, edges = shape.edges, timing = shape.timing,
      was_held = HELD[state], join = true, need = shape.need, policy = shape.policy, total = shape.total,
      ok = assert(tonumber(d[1] or 0)), ended = assert(tonumber(d[2] or 0)), cause = d[3] or '-', last = d[4] or '-', finish = d[5]}
  end
  -- All fields that it may come to have are named here: a table that grows is made anew.
  local node = {index = index, state = state, shape = shape, source = shape.source, edges = shape.edges, timing = shape.timing,
    was_held = HELD[state], lane = shape.first, permit = string.byte(shape.timing) == 112, -- p
    deliveries = 0, crashes = 0, failures = 0, nonce = nil, session = nil, start = nil, cause = nil, finish = nil, text = nil}
  if dynamic ~= '' then
    local deliveries, crashes, failures, one, two, three =
      string.match(dynamic, '^(%d+),(%d+),(%d+),?([^,]*),?([^,]*),?([^,]*)$')
    node.deliveries = NUMBERS[deliveries] or tonumber(assert(deliveries))
    node.crashes, node.failures = NUMBERS[crashes] or tonumber(crashes), NUMBERS[failures] or tonumber(failures)
    if HELD[state] then
      node.nonce, node.session, node.start = one, two, three
    elseif FINAL[state] then
      node.cause, node.finish, node.start = one, two, three ~= '' and three or nil
    elseif state == 'P' then
      node.start = three ~= '' and three or nil
    end
  elseif FINAL[state] then
    node.cause = '-'
  end
  return node
end

local function static_of(node)
  local shape = node.shape
  if not node.join and node.timing == shape.timing and node.edges == shape.edges and node.source == shape.source then
    return shape.text
  end
  local first = node.join and 'J' .. node.need .. ',' .. node.policy .. ',' .. node.total or node.lane
  return first .. '|' .. node.source .. '|' .. node.edges .. '|' .. node.timing
end

local function encode(node)
  local d
  if node.join then
    if node.finish then
      d = node.ok .. ',' .. node.ended .. ',' .. node.cause .. ',' .. node.last .. ',' .. node.finish
    else
      d = node.ok .. ',' .. node.ended .. ',' .. node.cause .. ',' .. node.last
    end
  else
    d = (DIGITS[node.deliveries] or node.deliveries) .. ',' .. (DIGITS[node.crashes] or node.crashes) .. ','
      .. (DIGITS[node.failures] or node.failures)
    if HELD[node.state] then
      d = d .. ',' .. node.nonce .. ',' .. node.session .. ',' .. node.start
    elseif FINAL[node.state] then
      d = d .. ',' .. node.cause .. ',' .. node.finish .. ',' .. (node.start or '-')
    elseif node.state == 'P' and node.start then
      d = d .. ',-,-,' .. node.start
    end
  end
  node.text = node.state .. d .. '/' .. static_of(node)
  return node.text
end

-- A node's index as text, made once in a call.
function nodes.label(call, index)
  local label = call.labels[index]
  if not label then
    label = string.format('%d', index)
    call.labels[index] = label
  end
  return label
end

-- A field of a canvas's hashes of one kind, '' if there is none. What a canvas took over lies with the one that it runs again.
local function kept(K, cid, key_of, index)
  local chunk = math.floor(tonumber(index) / CHUNK)
  while cid do
    local value = redis.call('HGET', key_of(K, cid, chunk), index)
    if value then return value end
    cid = redis.call('HGET', keys.meta(K, cid), 'from')
  end
  return ''
end

-- What stands in the place of a record that cannot be read: a dead node that nothing is behind. Its timing says so.
local function unreadable(K, cid, index)
  if string.find(kept(K, cid, keys.bodies, index), '\n', 1, true) then return 'D0,0,0,-,0,-/-|||?' end
  return 'D0,0,-,-,0/J0,a,0|||?'
end

-- The node of a record. One that cannot be read is set aside, and its canvas is cancelled as the call ends: what stands
-- behind it is not known any more.
local function readable(call, cid, index, text)
  local ok, node = pcall(decode, index, text)
  if ok then return node end
  rows.park(call, 'node', cid .. ':' .. index, text)
  node = decode(index, unreadable(call.K, cid, index))
  nodes.touch(call, cid, node)
  local broken = call.broken[cid] or {}
  call.broken[cid] = broken
  broken[#broken + 1] = index
  return node
end

-- Let the call know the nodes of a canvas that it was given as triples from args[from] on, the first one's index being 0:
-- they are not read back.
function nodes.know(call, cid, args, from) call.given = {cid = cid, args = args, from = from} end

-- Record and body of a task that the call was given; nil for others.
local function given(call, cid, index)
  local known = call.given
  if not known or known.cid ~= cid then return nil end
  local at = known.from + 3 * index
  local record = known.args[at] == nodes.label(call, index) and known.args[at + 1]
  if not record or string.find(record, '/J', 1, true) then return nil end
  return record, known.args[at + 2]
end

local function cache_of(call, cid)
  local cache = call.nodes[cid]
  if not cache then
    cache = {}
    call.nodes[cid] = cache
  end
  return cache
end

-- The node, or nil if there is none.
function nodes.get(call, cid, index)
  local cache = cache_of(call, cid)
  local node = cache[index]
  if node == nil then
    local text = given(call, cid, index)
      or redis.call('HGET', keys.nodes(call.K, cid, math.floor(index / CHUNK)), nodes.label(call, index))
    cache[index] = false
    node = text and readable(call, cid, index, text)
    cache[index] = node
  end
  return node or nil
end

-- Read records of one canvas that are not in the cache of this call; `indexes` is a list of numbers.
function nodes.prefetch(call, cid, indexes)
  if #indexes == 1 then return nodes.get(call, cid, indexes[1]) end
  local cache = cache_of(call, cid)
  local wanted, labels = {}, {}
  for _, index in ipairs(indexes) do
    local text = call.given and cache[index] == nil and given(call, cid, index)
    if text then
      cache[index] = readable(call, cid, index, text)
    elseif cache[index] == nil then
      local chunk = math.floor(index / CHUNK)
      local list = wanted[chunk]
      if not list then
        list = {}
        wanted[chunk] = list
      end
      list[#list + 1] = index
      labels[chunk] = labels[chunk] or {}
      labels[chunk][#list] = nodes.label(call, index)
      cache[index] = false
    end
  end
  for chunk, list in pairs(wanted) do
    local texts = redis.call('HMGET', keys.nodes(call.K, cid, chunk), unpack(labels[chunk]))
    for i, index in ipairs(list) do
      if texts[i] then cache[index] = readable(call, cid, index, texts[i]) end
    end
  end
end

-- The node for a function that writes nothing, nil if there is none or it cannot be read.
function nodes.read(K, cid, index)
  local text = redis.call('HGET', keys.nodes(K, cid, math.floor(index / CHUNK)), index)
  local ok, node = pcall(decode, index, text or '')
  return ok and node or nil
end

-- Mark a node as changed: it is written when the call ends.
function nodes.touch(call, cid, node)
  local dirty = call.dirty[cid]
  if not dirty then
    dirty = {}
    call.dirty[cid] = dirty
  end
  dirty[node.index] = node
end

-- Keep a new node, written when the call ends.
function nodes.put(call, cid, node)
  call.nodes[cid] = call.nodes[cid] or {}
  call.nodes[cid][node.index] = node
  nodes.touch(call, cid, node)
end

local function write_chunks(call, key_of, per_canvas, value_of)
  for cid, items in pairs(per_canvas) do
    local first = next(items)
    if first and next(items, first) == nil then
      redis.call('HSET', key_of(call.K, cid, math.floor(first / CHUNK)), nodes.label(call, first), value_of(items[first]))
    else
      local chunks = {}
      for index, item in pairs(items) do
        local chunk = math.floor(index / CHUNK)
        local list = chunks[chunk]
        if not list then
          list = {n = 0}
          chunks[chunk] = list
        end
        local n = list.n
        list[n + 1], list[n + 2], list.n = nodes.label(call, index), value_of(item), n + 2
      end
      for chunk, list in pairs(chunks) do
        redis.call('HSET', key_of(call.K, cid, chunk), unpack(list, 1, list.n))
      end
    end
  end
end

local function same(value) return value end

-- Write every changed record and every new result of this call.
function nodes.flush(call)
  write_chunks(call, keys.nodes, call.dirty, encode)
  write_chunks(call, keys.results, call.results, same)
end

-- Write new nodes, given as triples as `stage` has them from args[from] on. Returns whether one of them goes by an id that the client chose.
function nodes.write(K, cid, args, from)
  local records, bodies, ids = {}, {}, {}
  for i = from, #args, 3 do
    local name, index = args[i], tonumber(args[i])
    if not index then
      local number, id = string.match(name, '^(%d+) (.+)$')
      ids[#ids + 1], ids[#ids + 2] = number, id
      name, index = number, tonumber(number)
    end
    local chunk = math.floor(index / CHUNK)
    local list = records[chunk]
    if not list then
      list = {}
      records[chunk] = list
      bodies[chunk] = {}
    end
    list[#list + 1] = name
    list[#list + 1] = args[i + 1]
    if args[i + 2] ~= '' then
      local texts = bodies[chunk]
      texts[#texts + 1] = name
      texts[#texts + 1] = args[i + 2]
    end
  end
  for chunk, list in pairs(records) do redis.call('HSET', keys.nodes(K, cid, chunk), unpack(list)) end
  for chunk, list in pairs(bodies) do
    if #list > 0 then redis.call('HSET', keys.bodies(K, cid, chunk), unpack(list)) end
  end
  if #ids > 0 then redis.call('HSET', keys.ids(K, cid), unpack(ids)) end
  return #ids > 0
end

-- Keep a node's outcome, written when the call ends.
function nodes.put_result(call, cid, index, blob)
  local results = call.results[cid]
  if not results then
    results = {}
    call.results[cid] = results
  end
  results[index] = blob
end

local OWN_OUTCOME = {S = true, I = true, F = true} -- states that an outcome may have been taken over with

-- The outcome of a node in a state, '' if it has none.
function nodes.outcome(K, cid, index, state)
  if OWN_OUTCOME[state] then return kept(K, cid, keys.results, index) end
  return redis.call('HGET', keys.results(K, cid, math.floor(tonumber(index) / CHUNK)), index) or ''
end

-- The body of a node, '' if it has none.
function nodes.body(call, cid, index)
  if call.given then
    local _, body = given(call, cid, index)
    if body then return body end
  end
  return kept(call.K, cid, keys.bodies, index)
end

-- The outcome of a node, or '' if it has none. '\\0' and an index stand for the value of that node.
function nodes.result(call, cid, index)
  local results = call.results[cid]
  if results and results[index] then return results[index] end
  return kept(call.K, cid, keys.results, index)
end

-- The indexes of an arithmetic run, at most `most` of them.
function nodes.run(first, count, stride, most)
  local indexes = {}
  for i = 0, math.min(count, most) - 1 do indexes[i + 1] = first + i * stride end
  return indexes
end

-- The ids that the client chose for the joins around a node, given by its body, and for one node more, as text:
-- index, space, id, all separated by spaces. For a canvas that has chosen ids.
function nodes.names(K, cid, body, timing, other)
  local base = tonumber(string.match(timing, 'b(%d+)') or 0)
  local wanted = {other}
  for group in string.gmatch(string.match(body, '^[%d.]*'), '%d+') do wanted[#wanted + 1] = tostring(tonumber(group) + base) end
  if #wanted == 0 then return '' end
  local list = {}
  for i, id in ipairs(redis.call('HMGET', keys.ids(K, cid), unpack(wanted))) do
    if id then list[#list + 1] = wanted[i] .. ' ' .. id end
  end
  return table.concat(list, ' ')
end

-- A node as `look` and `watch` return it: {record, body, its outcome or '', the record of its cause or '',
-- the outcome of its cause or '', lane text, ids as nodes.names has them, of its cause too, the deadline in ms that ended it
-- or '', the name of the worker that holds it or ''}. `canvas` has an id and `named`. A call that has just written the node may
-- be given, and `index` as a number: what it has in memory is not read again.
function nodes.described(K, canvas, index, call)
  local cid = canvas.id
  local chunk = math.floor(tonumber(index) / CHUNK)
  local written = call and call.dirty[cid] and call.dirty[cid][index]
  local record = written and written.text or redis.call('HGET', keys.nodes(K, cid, chunk), index)
  if not record then return {} end
  local ok, node = pcall(decode, tonumber(index), record)
  if not ok then
    record = unreadable(K, cid, index) -- until something sets it aside
    node = decode(tonumber(index), record)
  end
  local results = call and call.results[cid]
  local outcome = results and results[index] or nodes.outcome(K, cid, index, node.state)
  local origin, cause, source = '', '', nil
  if FINAL[node.state] and node.cause ~= '-' then
    source = string.match(node.cause, '%d+')
    local part = math.floor(tonumber(source) / CHUNK)
    origin = redis.call('HGET', keys.nodes(K, cid, part), source) or ''
    cause = nodes.outcome(K, cid, source, string.sub(origin, 1, 1))
  end
  local overdue = node.state == 'C' and redis.call('HGET', keys.meta(K, cid), 'overdue')
  local lane = node.lane and (call and canvas.lanes[node.lane] and canvas.lanes[node.lane].text
    or redis.call('HGET', keys.lanes(K, cid), node.lane)) or ''
  local body = kept(K, cid, keys.bodies, index)
  local names = canvas.named and nodes.names(K, cid, body, node.timing, source) or ''
  local holder = HELD[node.state] and redis.call('HGET', keys.numbers(K), node.session)
  local worker = holder and redis.call('HGET', keys.session(K, holder), 'worker')
  return {record, body, outcome, origin, cause, lane, names, overdue or '', worker or ''}
end

-- Whether anything that stands behind a node may read its value, now or when it is delivered again.
function nodes.is_read(call, canvas, node)
  for edge in string.gmatch(node.edges, '[^;]+') do
    local join = string.match(edge, '^%+(%d+)$')
    if join then
      join = nodes.get(call, canvas.id, tonumber(join))
      if join and nodes.is_read(call, canvas, join) then return true end
    elseif string.sub(edge, 1, 1) ~= '!' then
      return true
    end
  end
  return false
end

-- Return a node's edges and one more. What a stream brings in small steps, in one run, stays one edge; and it begins in
-- the order in which it came.
function nodes.with_edge(edges, edge)
  local head, first, count, stride, lane = string.match(edges, '^(.-)>(%d+),(%d+),(%d+),(%d+)$')
  local next_first, next_count, next_stride, next_lane = string.match(edge, '^>(%d+),(%d+),(%d+),(%d+)$')
  if head and string.sub(head, -1) ~= '!' and lane == next_lane then
    first, count, next_first, next_count = tonumber(first), tonumber(count), tonumber(next_first), tonumber(next_count)
    local step = count == 1 and next_first - first or tonumber(stride)
    if step > 0 and (next_count == 1 or tonumber(next_stride) == step) and next_first == first + count * step then
      return head .. '>' .. first .. ',' .. (count + next_count) .. ',' .. step .. ',' .. lane
    end
  end
  return edges == '' and edge or edges .. ';' .. edge
end
