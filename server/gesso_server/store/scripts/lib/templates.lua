-- templates: error links, kept once beside the nodes they belong to. When one fires, its nodes are added to the canvas.
--
-- The hash keys.templates has, for template t: `t:n` nodes, `t:start` edges of its start, and for each node k `t:k:d`
-- its record, `t:k:b` its body, and `t:k:i` the id that the client chose, if it chose one. Indexes in records count from 0 within the template and are moved to where the nodes
-- come to stand; a source `F*` or `f*` is the node that failed. Indexes in bodies stay; the record says where they begin.

local templates = {}

local function moved_edges(edges, base)
  local list = {}
  for edge in string.gmatch(edges, '[^;]+') do
    local join = string.match(edge, '^%+(%d+)$')
    if join then
      edge = '+' .. (tonumber(join) + base)
    else
      local mark, first, rest = string.match(edge, '^(!?~?[>)])(%d+)(.*)$')
      if mark then edge = mark .. (tonumber(first) + base) .. rest end
    end
    list[#list + 1] = edge
  end
  return table.concat(list, ';')
end

local function moved_source(source, base, failed)
  local letter, index = string.match(source, '^(%a)(.+)$')
  if not letter then return source end
  if index == '*' then return letter .. failed end
  return letter .. (tonumber(index) + base)
end

-- Add a template's nodes for a node that failed. Returns the edges of their start.
function templates.add(call, canvas, template, failed)
  local hash = keys.templates(call.K, canvas.id)
  local count = tonumber(redis.call('HGET', hash, template .. ':n') or '0')
  local base = redis.call('HINCRBY', keys.meta(call.K, canvas.id), 'n', count) - count
  for k = 0, count - 1 do
    local field = template .. ':' .. k
    local found = redis.call('HMGET', hash, field .. ':d', field .. ':b', field .. ':i')
    local node = decode(base + k, found[1])
    node.source = moved_source(node.source, base, failed)
    node.edges = moved_edges(node.edges, base)
    node.timing = node.timing .. 'b' .. base
    nodes.put(call, canvas.id, node)
    redis.call('HSET', keys.bodies(call.K, canvas.id, math.floor(node.index / CHUNK)), node.index, found[2])
    if found[3] then
      redis.call('HSET', keys.ids(call.K, canvas.id), node.index, found[3])
      if not canvas.named then redis.call('HSET', keys.meta(call.K, canvas.id), 'named', '1') end
      canvas.named = true
    end
  end
  canvases.add(call, canvas, base, count)
  return moved_edges(redis.call('HGET', hash, template .. ':start'), base)
end
