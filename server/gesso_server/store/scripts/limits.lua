-- limits: the table of limits, and what accounts and homes say to each other. See lib/limits.lua.

local MOST_LIMITS = 1000

-- limits_set: change the table, which is partition 0's to change.
-- KEYS[1] partition 0
-- ARGV[1] name  [2] tasks that may start in a period, 0 for any number  [3] the period, ms  [4] how many may run at one
--     time, 0 for any number  [5] origin, o or d: what was declared never takes the place of what a person set
-- With neither limit the name is removed. Returns {1 changed, 0 it is so already or stays, -1 there are too many; version}.
redis.register_function{function_name = '@LIBRARY@_limits_set', flags = {'allow-oom'}, callback = function(KEYS, ARGV)
  local call = call_state.begin(KEYS[1], '')
  local table_key, name = keys.limits(call.K), ARGV[1]
  local known = redis.call('HGET', table_key, name)
  local version = tonumber(redis.call('HGET', table_key, '') or '0')
  local epoch = version + 1
  if known then
    local first, origin
    first, epoch, origin = string.match(known, '^(%d+,%d+,%d+),(%d+),(.)$')
    local same = first == ARGV[2] .. ',' .. ARGV[3] .. ',' .. ARGV[4]
    if (same and origin == ARGV[5]) or (origin == 'o' and ARGV[5] == 'd') then return {0, version} end
  end
  if ARGV[2] == '0' and ARGV[4] == '0' then
    if not known then return {0, version} end
    redis.call('HDEL', table_key, name)
  else
    if not known and redis.call('HLEN', table_key) > MOST_LIMITS then return {-1, version} end
    redis.call('HSET', table_key, name, table.concat({ARGV[2], ARGV[3], ARGV[4], epoch, ARGV[5]}, ','))
  end
  redis.call('HSET', table_key, '', version + 1)
  limits.changed(call.K, call.now, name)
  return {1, version + 1}
end}

-- limits_table: KEYS[1] partition. Returns {version, names and their limits, flat}.
redis.register_function{function_name = '@LIBRARY@_limits_table', flags = {'no-writes', 'allow-oom'}, callback = function(KEYS)
  local flat, list, version = redis.call('HGETALL', keys.limits(KEYS[1])), {}, 0
  for i = 1, #flat, 2 do
    if flat[i] == '' then
      version = tonumber(flat[i + 1])
    else
      list[#list + 1] = flat[i]
      list[#list + 1] = flat[i + 1]
    end
  end
  return {version, list}
end}

-- limits_copy: take over partition 0's table.
-- KEYS[1] partition  ARGV[1] version, then names and their limits. An older one changes nothing. Returns 1.
redis.register_function{function_name = '@LIBRARY@_limits_copy', flags = {'allow-oom'}, callback = function(KEYS, ARGV)
  local call = call_state.begin(KEYS[1], '')
  local table_key, known, wanted = keys.limits(call.K), {}, {}
  local flat = redis.call('HGETALL', table_key)
  for i = 1, #flat, 2 do known[flat[i]] = flat[i + 1] end
  if tonumber(known[''] or '0') >= tonumber(ARGV[1]) then return 1 end
  for i = 2, #ARGV, 2 do
    wanted[ARGV[i]] = ARGV[i + 1]
    if known[ARGV[i]] ~= ARGV[i + 1] then limits.changed(call.K, call.now, ARGV[i]) end
  end
  for name in pairs(known) do
    if name ~= '' and not wanted[name] then limits.changed(call.K, call.now, name) end
  end
  redis.call('DEL', table_key)
  redis.call('HSET', table_key, '', ARGV[1])
  for from = 2, #ARGV, 1000 do redis.call('HSET', table_key, unpack(ARGV, from, math.min(from + 999, #ARGV))) end
  return 1
end}

-- limits_settle: tell homes what accounts say.
-- KEYS[1] partition of the homes
-- ARGV[1] coordinator, then, sorted by name: name, number of the account's partition, epoch, version, granted, back,
--     unused, want. Returns what the caller must see to.
redis.register_function{function_name = '@LIBRARY@_limits_settle', flags = {'allow-oom'}, callback = function(KEYS, ARGV)
  local call = call_state.begin(KEYS[1], ARGV[1])
  local at = 2
  while ARGV[at] do
    local name, messages = ARGV[at], {}
    while ARGV[at] == name do
      messages[#messages + 1] = {number = tonumber(ARGV[at + 1]), said = {epoch = tonumber(ARGV[at + 2]),
        version = tonumber(ARGV[at + 3]), granted = tonumber(ARGV[at + 4]), back = tonumber(ARGV[at + 5]),
        unused = tonumber(ARGV[at + 6]), want = tonumber(ARGV[at + 7])}}
      at = at + 8
    end
    limits.settle(call, name, messages)
  end
  return call_state.finish(call)
end}

-- limits_receive: tell accounts what their homes granted.
-- KEYS[1] partition of the accounts
-- ARGV[1] coordinator, then: name, epoch, granted, version that the home has heard. Returns what the caller must see to.
redis.register_function{function_name = '@LIBRARY@_limits_receive', flags = {'allow-oom'}, callback = function(KEYS, ARGV)
  local call = call_state.begin(KEYS[1], ARGV[1])
  for i = 2, #ARGV, 4 do
    limits.receive(call, ARGV[i], tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2]), tonumber(ARGV[i + 3]))
  end
  return call_state.finish(call)
end}
