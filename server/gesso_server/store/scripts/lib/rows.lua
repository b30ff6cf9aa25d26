-- rows: what the store has and cannot be read. It is set aside with its bytes, so that it stops nothing else.

local rows = {}

local MOST_ROWS = 1000 -- kept in a partition; of more, the oldest are let go
local MOST_ROW_BYTES = 65536

-- Set a row aside. `kind` is node, timer or work; `place` a `canvas:index`, or '' where none is known.
function rows.park(call, kind, place, bytes)
  local list = keys.rows(call.K)
  redis.call('LPUSH', list, kind .. ' ' .. place .. ' ' .. string.format('%d', call.now) .. '\n'
    .. string.sub(bytes, 1, MOST_ROW_BYTES))
  redis.call('LTRIM', list, 0, MOST_ROWS - 1)
end
