-- log: what has changed in a canvas, or which canvases of a namespace have, for as long as somebody watches.
--
-- A log is a sorted set (keys.log): what changed -> the number of its latest change, from 1. So it is no larger than what
-- it is about, and who reads late finds each change once, as it stands then. Of a canvas it has indexes of nodes, and
-- `first+count` for nodes that came later than the submission; of a namespace ids of canvases. Beside it stands a text
-- `ends id last base waiting`: in the canvas's meta (`log`), or in keys.logs.
--
--   ends     until when it is kept, ms; whoever reads it extends that. Later it is dropped, and what is not watched costs nothing
--   id       made up when it was begun, hexadecimal: a place in another log is none in this one
--   last     number of the latest change
--   base     number of the latest change that was let go: who has read less has a gap
--   waiting  coordinators that have read everything and wait for a signal, comma-separated, or '-'

local log = {}

local MOST_CHANGES = 100000 -- kept in a log; of more, the oldest are let go
local LOG_GRACE_MS = 60000 -- so long after its end a log that nobody touches is removed by the store

-- Read a log's text; nil for none, or for one that has ended.
function log.parse(call, text)
  local ends, id, last, base, waiting = string.match(text or '', '^(%d+) (%x+) (%d+) (%d+) (.+)$')
  if not ends or tonumber(ends) <= call.now then return nil end
  return {ends = tonumber(ends), id = id, last = tonumber(last), base = tonumber(base), waiting = waiting}
end

function log.text(found)
  return string.format('%d %s %d %d %s', found.ends, found.id, found.last, found.base, found.waiting)
end

-- Begin a log, or extend the one that there is.
function log.open(call, text, key, id, keep_ms)
  local found = log.parse(call, text)
  if not found then
    redis.call('UNLINK', key)
    found = {ends = 0, id = id, last = 0, base = 0, waiting = '-'}
  end
  log.extend(call, found, key, keep_ms)
  return found
end

function log.extend(call, found, key, keep_ms)
  found.ends = math.max(found.ends, call.now + keep_ms)
  redis.call('PEXPIRE', key, found.ends - call.now + LOG_GRACE_MS)
end

-- Whether a log has everything behind a place in it.
function log.covers(found, id, after) return found ~= nil and found.id == id and found.base <= after and after <= found.last end

-- Let a coordinator be told of the next change.
function log.wait(found, coordinator)
  if found.waiting == '-' then
    found.waiting = coordinator
  elseif not string.find(',' .. found.waiting .. ',', ',' .. coordinator .. ',', 1, true) then
    found.waiting = found.waiting .. ',' .. coordinator
  end
end

-- Tell the coordinators that wait, the caller's too.
local function tell(call, found, signal)
  if found.waiting == '-' then return end
  for coordinator in string.gmatch(found.waiting, '[^,]+') do
    redis.call('SPUBLISH', keys.channel(call.K, coordinator), signal)
  end
  found.waiting = '-'
end

-- Add changes to a log. Returns its text, nil for one that has ended.
local function add(call, text, key, changes, signal)
  local found = log.parse(call, text)
  if not found then
    redis.call('UNLINK', key)
    return nil
  end
  local flat = {}
  for _, changed in ipairs(changes) do
    found.last = found.last + 1
    flat[#flat + 1] = found.last
    flat[#flat + 1] = changed
  end
  for from = 1, #flat, 1000 do redis.call('ZADD', key, unpack(flat, from, math.min(from + 999, #flat))) end
  local excess = redis.call('ZCARD', key) - MOST_CHANGES
  if excess > 0 then
    local gone = redis.call('ZPOPMIN', key, excess)
    found.base = tonumber(gone[#gone])
  end
  redis.call('PEXPIRE', key, found.ends - call.now + LOG_GRACE_MS)
  tell(call, found, signal)
  return log.text(found)
end

-- Log what this call has changed in a canvas that is watched. `ended` says that it is final now.
function log.note(call, canvas, ended)
  local changes, dirty = {}, call.dirty[canvas.id] or {}
  for _, range in ipairs(canvas.fresh or {}) do changes[#changes + 1] = range end
  for index in pairs(dirty) do changes[#changes + 1] = index end
  for index in pairs(call.results[canvas.id] or {}) do
    if not dirty[index] then changes[#changes + 1] = index end
  end
  if #changes == 0 and not ended then return end
  local meta = keys.meta(call.K, canvas.id)
  canvas.log = add(call, canvas.log, keys.log(call.K, canvas.id), changes, 'change ' .. canvas.id)
  if canvas.log then redis.call('HSET', meta, 'log', canvas.log) else redis.call('HDEL', meta, 'log') end
end

-- Log that a canvas of a namespace, whose log is of '@' and its name, is new, was cancelled or has ended, if its namespace is watched.
function log.note_canvas(call, ns, cid)
  local text = redis.call('HGET', keys.logs(call.K), ns)
  if not text then return end
  text = add(call, text, keys.log(call.K, '@' .. ns), {cid}, 'changes ' .. ns)
  if text then redis.call('HSET', keys.logs(call.K), ns, text) else redis.call('HDEL', keys.logs(call.K), ns) end
end
