-- list: canvases that are asked for, the newest first. lib/choice.lua says how, and what a place in the list is.
-- KEYS[1] partition
-- ARGV[1] namespace  [2] [3] the place to go on behind: instant in Unix ms and canvas, '' both for the start
--     [4] what of the canvas behind it was looked at before, '' for nothing  [5] how many canvases at the most  [6]- which ones
-- Returns {1 if it did not come to the end, instant and canvas of the place that it came to ('' both for the start), what of
-- the canvas behind it was looked at, pairs canvas id, canvas as canvases.described has it}.
redis.register_function{function_name = '@LIBRARY@_list', flags = {'no-writes', 'allow-oom'}, callback = function(KEYS, ARGV)
  local list, more, instant, cid, begun =
    choice.page(KEYS[1], ARGV[1], choice.read(ARGV, 6), ARGV[2], ARGV[3], tonumber(ARGV[5]), ARGV[4])
  return {more and 1 or 0, instant, cid, begun, list}
end}
