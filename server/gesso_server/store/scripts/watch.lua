-- watch: return a node that is final; else note that a coordinator waits for its end.
-- KEYS[1] partition
-- ARGV[1] canvas  [2] index  [3] namespace  [4] coordinator, '' not to wait
-- Returns {} when there is no such node (or it is of another namespace), else as `look` does.

-- A node as `look` and `watch` return it: {record, body, its outcome or '', the record of its cause or '',
-- the outcome of its cause or '', lane text}.
local function described(K, cid, index)
  local chunk = math.floor(tonumber(index) / CHUNK)
  local record = redis.call('HGET', keys.nodes(K, cid, chunk), index)
  if not record then return {} end
  local outcome = redis.call('HGET', keys.results(K, cid, chunk), index) or ''
  local node = decode(tonumber(index), record)
  local origin, cause = '', ''
  if FINAL[node.state] and node.cause ~= '-' then
    local source = string.gsub(node.cause, '^c', '')
    local part = math.floor(tonumber(source) / CHUNK)
    origin = redis.call('HGET', keys.nodes(K, cid, part), source) or ''
    cause = redis.call('HGET', keys.results(K, cid, part), source) or ''
  end
  local lane = node.lane and redis.call('HGET', keys.lanes(K, cid), node.lane) or ''
  return {record, redis.call('HGET', keys.bodies(K, cid, chunk), index) or '', outcome, origin, cause, lane}
end

redis.register_function{function_name = '@LIBRARY@_watch', flags = {'allow-oom'}, callback = function(KEYS, ARGV)
  local K, cid, index, coordinator = KEYS[1], ARGV[1], ARGV[2], ARGV[4]
  if redis.call('HGET', keys.meta(K, cid), 'ns') ~= ARGV[3] then return {} end
  local found = described(K, cid, index)
  if found[1] and coordinator ~= '' and not FINAL[string.sub(found[1], 1, 1)] then
    local watchers = keys.watchers(K, cid)
    local listed = redis.call('HGET', watchers, index)
    if not listed then
      redis.call('HSET', watchers, index, coordinator)
    elseif not string.find(',' .. listed .. ',', ',' .. coordinator .. ',', 1, true) then
      redis.call('HSET', watchers, index, listed .. ',' .. coordinator)
    end
    redis.call('HSET', keys.meta(K, cid), 'watched', '1')
  end
  return found
end}
