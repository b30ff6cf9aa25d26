-- choice: which canvases somebody asks for. Listing and watching both decide it here.
--
-- There is no index of tasks or states: a call looks at one canvas after the other, and at their lanes, a bounded number of
-- times, and says how far it came. A canvas that has more lanes than that is looked at in several calls: `begun`, canvas:n,
-- says that n of them were, '' that it goes on with a new canvas.
--
-- As arguments a choice is: accepted no later than, Unix ms, '+inf' for any; accepted no earlier than, '-inf' for any; letters
-- of the states that it may be in, '' for any; a task that it has, '' for any; then for each stamp that it bears: how
-- many, and so many members of keys.stamps, of which one must be its own. The stamps are a function's last arguments.

local choice = {}

do -- what is local here is nobody else's: a library has room for 200

local MOST_LOOKED = 1000 -- canvases, and lanes of theirs

-- Read a choice, from an argument on.
function choice.read(ARGV, at)
  local chosen = {to = ARGV[at], from = ARGV[at + 1], states = ARGV[at + 2], task = ARGV[at + 3], stamps = {}}
  at = at + 4
  while ARGV[at] do
    local count = tonumber(ARGV[at])
    chosen.stamps[#chosen.stamps + 1] = {unpack(ARGV, at + 1, at + count)}
    at = at + count + 1
  end
  return chosen
end

-- How many canvases are worth reading at once to find `most`.
function choice.reach(chosen, most)
  local any = chosen.states == '' and chosen.task == '' and #chosen.stamps == 0
  return any and most or MOST_LOOKED
end

-- Whether a canvas has a task, looking at `most` lanes behind the first `from`; nil if it is not known yet. Then how many
-- looks it took.
local function has_task(K, cid, task, from, most)
  local lanes = keys.lanes(K, cid)
  local count = redis.call('HLEN', lanes)
  local to = math.min(count, from + most) - 1
  local wanted = {}
  for i = from, to do wanted[#wanted + 1] = i end
  for _, text in ipairs(#wanted > 0 and redis.call('HMGET', lanes, unpack(wanted)) or {}) do
    if text and string.match(text, '^%d|[^|]*|[^|]*|[^|]*|(.*)$') == task then return true, #wanted end
  end
  if to + 1 < count then return nil, #wanted end
  return false, #wanted
end

-- Whether a canvas bears one of each list of stamps.
local function bears(K, cid, lists)
  for _, members in ipairs(lists) do
    local found = false
    for _, is in ipairs(redis.call('SMISMEMBER', keys.stamps(K, cid), unpack(members))) do found = found or is == 1 end
    if not found then return false end
  end
  return true
end

-- Whether a canvas is one of those asked for, looking at lanes as `has_task` does. One that is being removed is none.
local function fits(K, cid, chosen, from, most)
  local m = redis.call('HMGET', keys.meta(K, cid), 'state', 'created')
  local created = tonumber(m[2] or nil)
  if not m[1] or not created then return false, 0 end
  if chosen.to ~= '+inf' and created > tonumber(chosen.to) then return false, 0 end
  if chosen.from ~= '-inf' and created < tonumber(chosen.from) then return false, 0 end
  if chosen.states ~= '' and not string.find(chosen.states, m[1], 1, true) then return false, 0 end
  if not bears(K, cid, chosen.stamps) then return false, 0 end
  if chosen.task == '' then return true, 0 end
  return has_task(K, cid, chosen.task, from, most)
end

-- Take canvases that are asked for out of some, given flat with a number each, until there are `most`, or it has looked
-- enough. `unless` says of which it is not to speak; nil for none. Returns pairs canvas id, canvas as canvases.described has it;
-- how many it came past; and `begun` for the next.
function choice.pick(K, chosen, flat, most, begun, unless)
  local begun_with, looked_before = string.match(begun, '^(%x+):(%d+)$')
  local room, list = MOST_LOOKED, {}
  for i = 1, #flat, 2 do
    if room <= 0 or #list == 2 * most then return list, (i - 1) / 2, '' end
    room = room - 1
    local cid = flat[i]
    if not (unless and unless(cid)) then
      local from = begun_with == cid and tonumber(looked_before) or 0
      local found, looked = fits(K, cid, chosen, from, room + 1)
      room = room - looked
      if found == nil then return list, (i - 1) / 2, cid .. ':' .. from + looked end
      if found then list[#list + 1], list[#list + 2] = cid, canvases.described(K, cid) end
    end
  end
  return list, #flat / 2, ''
end

-- How many canvases stand in front of a place or at it.
local function rank_behind(live, instant, cid)
  local low = redis.call('ZCOUNT', live, '(' .. instant, '+inf')
  local high = low + redis.call('ZCOUNT', live, instant, instant)
  while low < high do
    local middle = math.floor((low + high) / 2)
    if redis.call('ZREVRANGE', live, middle, middle)[1] < cid then high = middle else low = middle + 1 end
  end
  return low
end

-- Take canvases that are asked for out of a namespace's, the newest first, and those of one instant by id, the greatest first. A place
-- in that list is an instant and an id, an empty id for the start; it holds whatever comes, ends and is removed meanwhile.
-- Returns pairs as `pick` does, whether more follow, the place that it came to, and `begun` behind that.
function choice.page(K, ns, chosen, instant, cid, most, begun, unless)
  local live = keys.live(K, ns)
  local rank = cid ~= '' and rank_behind(live, instant, cid) or redis.call('ZCOUNT', live, '(' .. chosen.to, '+inf')
  local all = redis.call('ZCOUNT', live, chosen.from, '+inf')
  local to = math.min(rank + choice.reach(chosen, most), all) - 1
  local flat = rank <= to and redis.call('ZREVRANGE', live, rank, to, 'WITHSCORES') or {}
  local list, past, next_begun = choice.pick(K, chosen, flat, most, begun, unless)
  if past > 0 then cid, instant = flat[2 * past - 1], flat[2 * past] end
  return list, rank + past < all, instant, cid, next_begun
end

end
