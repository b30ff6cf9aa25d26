-- builtins: what Lua and the store give, as locals. The functions' environment finds a global through a metatable, and a
-- call names some a thousand times.
--
-- They are not there while the library is loaded, so the first function that runs binds them, for all.

local register = redis.register_function

local function globals()
  return redis.call, assert, pcall, ipairs, pairs, next, type, unpack, tonumber, tostring, string, table, math
end

local redis = {}
local assert, pcall, ipairs, pairs, next, type, unpack, tonumber, tostring, string, table, math

-- Register a function as the store does.
function redis.register_function(spec)
  local callback = spec.callback
  spec.callback = function(KEYS, ARGV)
    if not redis.call then
      redis.call, assert, pcall, ipairs, pairs, next, type, unpack, tonumber, tostring, string, table, math = globals()
    end
    return callback(KEYS, ARGV)
  end
  register(spec)
end
