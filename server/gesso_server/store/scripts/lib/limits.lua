-- limits: how many tasks of a key may start in a time, and how many may run at one time, over all partitions.
-- docs/limits.md has the protocol and why it is exact.
--
-- A limit's name is namespace, NUL, key; a task's key is its lane's. Every partition has the same table, keys.limits:
-- name -> count,period in ms,concurrency,epoch,origin (0 is no limit of that kind; the epoch is the table's version when
-- the name got into it; origin o set by a person, d declared with a task), and '' -> version.
--
-- A permit is what one attempt needs of a key. They come from the key's home, one of the partitions, and lie in accounts,
-- one in each partition that has tasks of the key. All counts grow only, so that a message between the two may be
-- repeated, be lost or come late.
--   keys.account  epoch, version (grows with each change that the home must hear of), granted (permits that came from the
--                 home), taken (by attempts), ended (of those), unused (sent back without having been taken), aside (tasks
--                 in keys.aside), serial, lapse (when permits that nobody takes go back, ms), pause (until when it asks
--                 for none, ms; 0 for no pause)
--   keys.aside    entries that no permit was there for: `serial canvas queue lane:first:count:stride:since`, by priority and serial
--   keys.home     epoch, tokens, at (when it had so many, ms), turn (partition that was served last), and for each
--                 partition p<number>: version,granted,back,unused,received,target - what its account said, what it was
--                 granted, and the sum of grants that it would like to reach
--   keys.unsettled  letter and name -> when to look at it, ms; a for the account, h for the home
-- A record whose timing begins with p has a permit: lib/nodes.lua.

local limits = {}

local SPARE_MS = 1000   -- so long permits lie in an account unused
local PAUSE_MS = 5000   -- so long an account asks for none after that, unless a session asks for tasks
local AGAIN_MS = 1000   -- after so long what was not answered is said again
local MOST_SPARE = 64   -- permits that lie in an account unused
local MOST_MOVED = 200  -- entries that one call moves of a key, and five times as many in all when keys are limited no more
local MOST_LOOKED = 20  -- entries of a key and priority of which it is asked since when they wait
local BURST_MS = 100    -- a bucket holds what comes in so long, and at least one
local MOST_SEEN = 1000   -- entries that a look for a node goes through
local BANDS = 1e14      -- between the orders of two priorities

local FIELDS = {'epoch', 'version', 'granted', 'taken', 'ended', 'unused', 'aside', 'serial', 'lapse', 'pause'}

-- Whether there is any limit: all that calls without one pay for.
function limits.exist(call) return redis.call('HLEN', keys.limits(call.K)) > 1 end

-- The limit of a name, or nil.
local function limit_of(call, name)
  local limit = call.limits[name]
  if limit == nil then
    limit = false
    local text = redis.call('HGET', keys.limits(call.K), name)
    if text then
      local count, period, concurrency, epoch = string.match(text, '^(%d+),(%d+),(%d+),(%d+),.$')
      limit = {count = tonumber(count), period = tonumber(period), concurrency = tonumber(concurrency),
        epoch = tonumber(epoch)}
    end
    call.limits[name] = limit
  end
  return limit or nil
end

local function name_of(canvas, lane) return canvas.ns .. '\0' .. (lane.key ~= '' and lane.key or lane.task) end

-- accounts -----------------------------------------------------------------------------------------------------------

local function spare(account) return account.granted - account.taken - account.unused end

local function account_of(call, name)
  local account = call.accounts[name]
  if account then return account end
  local texts = redis.call('HMGET', keys.account(call.K, name), unpack(FIELDS))
  account = {name = name}
  for i, field in ipairs(FIELDS) do account[field] = tonumber(texts[i] or 0) end
  call.accounts[name] = account
  local limit = limit_of(call, name)
  if limit and limit.epoch ~= account.epoch then -- the limit was removed and set anew: only what runs still counts
    account.epoch, account.granted = limit.epoch, account.taken - account.ended
    account.taken, account.ended, account.unused, account.news = account.granted, 0, 0, true
  end
  return account
end

-- Send back permits that nobody took in time.
local function lapse(call, account)
  local left = spare(account)
  if left == 0 or call.now < account.lapse then return end
  account.unused = account.unused + left
  account.pause, account.news = call.now + PAUSE_MS, true
end

-- The name of the limit that a lane's tasks are under, or nil.
function limits.of(call, canvas, lane)
  if lane.limit == nil then
    local name = name_of(canvas, lane)
    lane.limit = limit_of(call, name) and name or false
  end
  return lane.limit or nil
end

-- How many of up to `most` tasks under a limit may be granted now.
function limits.room(call, name, most)
  local account = account_of(call, name)
  lapse(call, account)
  account.served, account.pause = true, 0
  return math.min(most, spare(account))
end

local function end_permit(call, canvas, node)
  local account = account_of(call, name_of(canvas, canvases.lane(call, canvas, node.lane)))
  account.ended, account.news = account.ended + 1, true
  node.permit, node.timing = false, string.sub(node.timing, 2)
end

-- Take a permit for a task that is granted; `room` has said that there is one.
function limits.take(call, name, canvas, node)
  if node.permit then end_permit(call, canvas, node) end -- of an attempt that ended in this call
  local account = account_of(call, name)
  account.taken, account.changed = account.taken + 1, true
  account.news = account.news or account.aside > 0
  node.permit, node.timing = true, 'p' .. node.timing
end

local function put_aside(call, account, canvas, lane, entry)
  account.serial = account.serial + 1
  redis.call('ZADD', keys.aside(call.K, account.name), (9 - lane.prio) * BANDS + account.serial,
    account.serial .. ' ' .. canvas.id .. ' ' .. lane.queue .. ' ' .. rings.text(entry))
  account.aside = account.aside + entry.count
  queues.count(call, canvas.ns, lane.queue, 'w', entry.count)
end

-- Set an entry, which was taken out of its queue, aside until there are permits for it.
function limits.set_aside(call, name, canvas, lane, entry)
  local account = account_of(call, name)
  put_aside(call, account, canvas, lane, entry)
  account.news = true
end

-- Since when the oldest task waits that a limit holds back, by queue of a namespace, ms. Of each limit and priority the
-- first entries are looked at.
function limits.waiting(K, ns)
  local oldest = {}
  for _, name in ipairs(redis.call('HKEYS', keys.limits(K))) do
    local aside = keys.aside(K, name)
    local mine = string.sub(name, 1, #ns + 1) == ns .. '\0' and redis.call('EXISTS', aside) == 1
    for band = 0, mine and 9 or -1 do
      local first, last = string.format('%d', band * BANDS), string.format('(%d', (band + 1) * BANDS)
      for _, text in ipairs(redis.call('ZRANGEBYSCORE', aside, first, last, 'LIMIT', 0, MOST_LOOKED)) do
        local queue, since = string.match(text, '^%d+ %x+ (%S+) .*:(%d+)$')
        since = tonumber(since)
        if not oldest[queue] or since < oldest[queue] then oldest[queue] = since end
      end
    end
  end
  return oldest
end

-- Put up to `most` tasks that were set aside back in front of their canvases: the highest priority first, then what was
-- set aside in turn. What is of a canvas that is cancelled or gone is dropped.
local function release(call, account, most)
  local aside, moved = keys.aside(call.K, account.name), {}
  local share = math.ceil(most / math.max(redis.call('ZCARD', aside), 1))
  for _ = 1, MOST_MOVED do
    if most <= 0 then break end
    local text = redis.call('ZPOPMIN', aside)[1]
    if not text then
      account.aside = 0
      break
    end
    local cid, queue, entry = string.match(text, '^%d+ (%x+) (%S+) (%S+)$')
    local canvas = canvases.get(call, cid)
    entry = rings.parse(entry)
    account.aside, account.changed = math.max(account.aside - entry.count, 0), true
    queues.count(call, string.match(account.name, '^%Z*'), queue, 'w', -entry.count)
    if canvas and canvas.state ~= 'C' then
      local part, rest = rings.split(entry, math.min(entry.count, share, most))
      local lane = canvases.lane(call, canvas, entry.lane)
      moved[#moved + 1] = {canvas = canvas, lane = lane, entry = part}
      most = most - part.count
      if rest then put_aside(call, account, canvas, lane, rest) end
    end
  end
  call.moved = call.moved + #moved
  for i = #moved, 1, -1 do
    ready.insert(call, moved[i].canvas, moved[i].lane, moved[i].entry, true)
  end
end

-- Take in what the home granted: so many permits in all; it has heard the account up to `heard`.
function limits.receive(call, name, epoch, granted, heard)
  local account = account_of(call, name)
  if not limit_of(call, name) or account.epoch ~= epoch then return end
  account.heard = heard
  if heard > account.version then account.version, account.news = heard, true end -- the store has lost some
  if granted <= account.granted then return end
  local come = granted - account.granted
  account.granted, account.lapse, account.news = granted, call.now + SPARE_MS, true
  release(call, account, come)
end

-- Look at an account that is due: what its home has not heard is said again.
local function look(call, name)
  local account = account_of(call, name)
  account.due = true
  if not limit_of(call, name) then
    if call.moved < 5 * MOST_MOVED then release(call, account, math.huge) end
    return
  end
  lapse(call, account)
  if account.pause > 0 and call.now >= account.pause then account.pause, account.news = 0, true end
end

local function want(call, account)
  if call.now < account.pause then return 0 end
  return math.max(0, math.min(account.aside, MOST_SPARE - spare(account)))
end

local function write_account(call, account)
  local texts = {}
  for i, field in ipairs(FIELDS) do
    texts[2 * i - 1], texts[2 * i] = field, account[field]
  end
  redis.call('HSET', keys.account(call.K, account.name), unpack(texts))
end

local function see_again(call, member, at)
  redis.call('ZADD', keys.unsettled(call.K), at, member)
  if at > call.now then call.due = math.min(call.due or at, at) end
end

-- Write an account of a key that is limited, and say what its home has not heard.
local function settle_limited(call, account)
  if account.served and call.short and spare(account) > 0 and account.aside > 0 then
    release(call, account, spare(account)) -- what was released before was cancelled meanwhile
    account.news = true
  end
  if account.news then account.version = account.version + 1 end
  if account.news or account.changed then write_account(call, account) end
  local member = 'a' .. account.name
  if account.news or (account.due and account.heard ~= account.version) then
    redis.call('ZADD', keys.unsettled(call.K), call.now + AGAIN_MS, member) -- unless the home is heard of
    call.messages[#call.messages + 1] = {account.name, account.epoch, account.version, account.granted,
      account.ended + account.unused, account.unused, want(call, account)}
  elseif account.heard == account.version then
    if spare(account) > 0 then
      see_again(call, member, account.lapse)
    elseif account.aside > 0 and account.pause > 0 then
      see_again(call, member, account.pause)
    else
      redis.call('ZREM', keys.unsettled(call.K), member)
    end
  end
end

-- Write an account of a key that is limited no more; it goes with the last permit.
local function settle_unlimited(call, account)
  local member = 'a' .. account.name
  if account.aside > 0 then
    write_account(call, account)
    redis.call('ZADD', keys.unsettled(call.K), call.now, member)
  elseif account.taken == account.ended then
    redis.call('DEL', keys.account(call.K, account.name))
    redis.call('ZREM', keys.unsettled(call.K), member)
  else
    write_account(call, account)
    redis.call('ZREM', keys.unsettled(call.K), member)
  end
end

-- Give back the permits of attempts that are over, and write every account of this call.
function limits.flush(call)
  for cid, changed in pairs(call.dirty) do
    for _, node in pairs(changed) do
      if node.permit and not HELD[node.state] then end_permit(call, canvases.get(call, cid), node) end
    end
  end
  for name, account in pairs(call.accounts) do
    if limit_of(call, name) then settle_limited(call, account) else settle_unlimited(call, account) end
  end
end

-- homes --------------------------------------------------------------------------------------------------------------

local function burst(limit) return math.max(1, limit.count * BURST_MS / limit.period) end

local function home_of(call, name, limit)
  local home = {name = name, epoch = limit.epoch, tokens = burst(limit), at = call.now, turn = -1, parts = {}}
  local flat, found = redis.call('HGETALL', keys.home(call.K, name)), {}
  for i = 1, #flat, 2 do found[flat[i]] = flat[i + 1] end
  if tonumber(found.epoch) ~= limit.epoch then
    redis.call('DEL', keys.home(call.K, name))
    return home
  end
  home.turn = tonumber(found.turn)
  home.tokens = math.min(burst(limit), tonumber(found.tokens) + (call.now - found.at) * limit.count / limit.period)
  for field, text in pairs(found) do
    local number = string.match(field, '^p(%d+)$')
    if number then
      local version, granted, back, unused, received, target = string.match(text, '^(%d+),(%d+),(%d+),(%d+),(%d+),(%d+)$')
      home.parts[tonumber(number)] = {version = tonumber(version), granted = tonumber(granted), back = tonumber(back),
        unused = tonumber(unused), received = tonumber(received), target = tonumber(target)}
    end
  end
  return home
end

-- Take in what an account says. An older message than the last may only raise counts.
local function hear(home, limit, number, said)
  local part = home.parts[number]
  if not part then
    part = {version = 0, granted = 0, back = 0, unused = 0, received = 0, target = 0}
    home.parts[number] = part
  end
  if limit.count > 0 and said.unused > part.unused then
    home.tokens = math.min(burst(limit), home.tokens + said.unused - part.unused)
  end
  part.unused, part.back = math.max(part.unused, said.unused), math.max(part.back, said.back)
  part.received, part.granted = math.max(part.received, said.granted), math.max(part.granted, said.granted)
  if said.version >= part.version then part.version, part.target = said.version, said.granted + said.want end
  part.heard = true
end

-- The partitions that want permits, in turn.
local function waiting(home)
  local list = {}
  for number, part in pairs(home.parts) do
    if part.target > part.granted then list[#list + 1] = number end
  end
  table.sort(list, function(a, b)
    local late_a, late_b = a <= home.turn, b <= home.turn
    if late_a ~= late_b then return late_b end
    return a < b
  end)
  return list
end

-- Grant what may be granted. Returns ms until a token comes that is waited for, or nil.
local function grant_permits(home, limit)
  local out, free = 0, math.huge
  for _, part in pairs(home.parts) do out = out + part.granted - part.back end
  if limit.concurrency > 0 then free = math.max(0, limit.concurrency - out) end
  local list = waiting(home)
  while #list > 0 do
    local tokens = limit.count > 0 and math.floor(home.tokens) or math.huge
    local most = math.min(free, tokens)
    if most < 1 then break end
    local number = list[1]
    local part = home.parts[number]
    local given = math.min(part.target - part.granted, math.ceil(most / #list))
    part.granted, home.turn, free = part.granted + given, number, free - given
    if limit.count > 0 then home.tokens = home.tokens - given end
    if part.target <= part.granted then table.remove(list, 1) else list = waiting(home) end
  end
  if #list == 0 or free < 1 or limit.count == 0 then return nil end
  local wanted = 0
  for _, number in ipairs(list) do wanted = wanted + home.parts[number].target - home.parts[number].granted end
  local enough = math.max(1, math.min(wanted, free, burst(limit) / 2))
  return math.max(1, math.ceil((enough - home.tokens) * limit.period / limit.count))
end

-- Grant, and write the home. What a partition has not said that it received is delivered again.
local function settle_home(call, home, limit)
  local wait = grant_permits(home, limit)
  local fields = {'epoch', home.epoch, 'tokens', home.tokens, 'at', call.now, 'turn', home.turn}
  local missing = false
  for number, part in pairs(home.parts) do
    fields[#fields + 1] = 'p' .. number
    fields[#fields + 1] = string.format('%d,%d,%d,%d,%d,%d', part.version, part.granted, part.back, part.unused,
      part.received, part.target)
    if part.granted > part.received then missing = true end
    if part.heard or part.granted > part.received then
      call.deliveries[#call.deliveries + 1] = {home.name, number, home.epoch, part.granted, part.version}
    end
    if #fields >= 1000 then
      redis.call('HSET', keys.home(call.K, home.name), unpack(fields))
      fields = {}
    end
  end
  if #fields > 0 then redis.call('HSET', keys.home(call.K, home.name), unpack(fields)) end
  if missing then wait = math.min(wait or AGAIN_MS, AGAIN_MS) end
  if wait then
    see_again(call, 'h' .. home.name, call.now + wait)
  else
    redis.call('ZREM', keys.unsettled(call.K), 'h' .. home.name)
  end
end

-- Take in what accounts say of one name, a list of {number, said}, and grant. One of another epoch is not heard: it
-- says it again when its partition, or this one, has the new table.
function limits.settle(call, name, messages)
  local limit = limit_of(call, name)
  if not limit then
    redis.call('DEL', keys.home(call.K, name))
    redis.call('ZREM', keys.unsettled(call.K), 'h' .. name)
    return
  end
  local home = home_of(call, name, limit)
  for _, message in ipairs(messages) do
    if message.said.epoch == limit.epoch then hear(home, limit, message.number, message.said) end
  end
  settle_home(call, home, limit)
end

-- Look at what is due, a bounded part of it. Returns whether there is more.
function limits.sweep(call)
  local due = redis.call('ZRANGEBYSCORE', keys.unsettled(call.K), '-inf', call.now, 'LIMIT', 0, 50)
  for _, member in ipairs(due) do
    local name = string.sub(member, 2)
    if string.sub(member, 1, 1) == 'a' then look(call, name) else limits.settle(call, name, {}) end
  end
  return #due == 50
end

-- Note that a name's limit has changed, in this partition.
function limits.changed(K, now, name)
  if redis.call('EXISTS', keys.account(K, name)) == 1 then redis.call('ZADD', keys.unsettled(K), now, 'a' .. name) end
  if redis.call('EXISTS', keys.home(K, name)) == 1 then redis.call('ZADD', keys.unsettled(K), now, 'h' .. name) end
end

-- what people see ------------------------------------------------------------------------------------------------------

-- How a limit stands in the partition of its home: {tasks that may start in a period, the period in ms, how many may run at one
-- time, permits that are out, in how many ms the next may be granted by the rate: 0 for now}; {} when there is none.
function limits.standing(call, name)
  local limit = limit_of(call, name)
  if not limit then return {} end
  if tonumber(redis.call('HGET', keys.home(call.K, name), 'epoch')) ~= limit.epoch then
    return {limit.count, limit.period, limit.concurrency, 0, 0} -- nothing was asked of it yet
  end
  local home, out, wait = home_of(call, name, limit), 0, 0
  for _, part in pairs(home.parts) do out = out + part.granted - part.back end
  if limit.count > 0 and home.tokens < 1 then wait = math.ceil((1 - home.tokens) * limit.period / limit.count) end
  return {limit.count, limit.period, limit.concurrency, out, wait}
end

-- Whether entries of a lane wait for permits, and since when the first one does that `covers` the node; '' if it is not found.
function limits.held_back(call, canvas, lane, covers)
  local name = limits.of(call, canvas, lane)
  if not name or account_of(call, name).aside == 0 then return nil end
  local wanted = ' ' .. canvas.id .. ' ' .. lane.queue .. ' '
  for _, text in ipairs(redis.call('ZRANGE', keys.aside(call.K, name), 0, MOST_SEEN - 1)) do
    local _, behind = string.find(text, wanted, 1, true)
    local since = behind and covers(string.sub(text, behind + 1))
    if since then return name, since end
  end
  return name, ''
end

-- How many permits of a limit attempts have in this partition, and how many tasks wait for one.
function limits.use(K, name)
  local account = redis.call('HMGET', keys.account(K, name), 'taken', 'ended', 'aside')
  return tonumber(account[1] or 0) - tonumber(account[2] or 0), tonumber(account[3] or 0)
end
