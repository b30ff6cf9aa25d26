-- keys: the name of every key, in one place.
--
-- K is KEYS[1] of each function: the partition, such as `gesso:{0}`. Every other name begins with it, so all
-- keys of one call share a hash tag. Names that are read from data lie behind the same tag.

local keys = {}

-- of a partition
function keys.clock(K) return K .. ':clock' end                          -- string: high-water mark of `now`, ms
function keys.canary(K, coordinator) return K .. ':canary:' .. coordinator end -- string: calls of a coordinator, see lib/call.lua
function keys.request(K, ns, id) return K .. ':req:' .. ns .. ':' .. id end -- string: canvas id, digest; TTL 24 h
function keys.rerun(K, ns, id) return K .. ':rerun:' .. ns .. ':' .. id end -- string: as keys.request, of what runs canvases again
function keys.sessions(K) return K .. ':sessions' end                     -- zset: session -> lease deadline, ms
function keys.session(K, sid) return K .. ':s:' .. sid end                -- hash: epoch, seq, grants, queues, ...
function keys.numbers(K) return K .. ':nums' end                         -- hash: short number -> session
function keys.task_id(K, ns, id) return K .. ':id:' .. ns .. ':' .. id end  -- string: node id
function keys.revoked(K, ns) return K .. ':rev:' .. ns end                -- zset: stamp, NUL, value, NUL, 1 to kill -> until when, ms
function keys.names(K, sid) return K .. ':n:' .. sid end                  -- set: task names that it knows
function keys.held(K, sid) return K .. ':h:' .. sid end                   -- hash: canvas:index -> attempt,nonce,started
function keys.levels(K, ns, queue) return K .. ':l:' .. ns .. ':' .. queue end -- zset: see lib/ready.lua
function keys.ring(K, ns, queue, prio) return K .. ':r:' .. ns .. ':' .. queue .. ':' .. prio end -- list: canvases
function keys.parked(K, ns, queue) return K .. ':p:' .. ns .. ':' .. queue end -- set: task names parked in the queue
function keys.park(K, ns, queue, task) return K .. ':k:' .. ns .. ':' .. queue .. ':' .. task end -- list: entries
function keys.counts(K) return K .. ':qc' end                            -- hash: see lib/queues.lua
function keys.queues(K) return K .. ':qs' end                            -- zset: namespace NUL queue, all scores 0
function keys.workers(K, ns) return K .. ':ws:' .. ns end                 -- zset: sessions, all scores 0
function keys.alone(K, ns, queue) return K .. ':a:' .. ns .. ':' .. queue end -- list: canvas:index of tasks to run alone
function keys.idle(K, ns, queue) return K .. ':i:' .. ns .. ':' .. queue end -- set: coordinators with idle sessions
function keys.due(K) return K .. ':due' end                               -- zset: canvas:index -> due, ms
function keys.expiry(K) return K .. ':exp' end                            -- zset: canvas:index -> last start, ms
function keys.work(K) return K .. ':work' end                             -- list: what finishing a node still has to reach
function keys.staging(K) return K .. ':staging' end                       -- zset: canvas -> when its parts began to come, ms
function keys.growing(K) return K .. ':growing' end                       -- zset: canvas -> until when its stream counts as alive, ms
function keys.ended(K) return K .. ':ended' end                           -- zset: canvas -> when it may be removed, ms
function keys.live(K, ns) return K .. ':live:' .. ns end                  -- zset: canvas -> accepted, ms
function keys.load(K) return K .. ':load' end                             -- hash: namespace -> what its canvases have left
function keys.dead(K, ns) return K .. ':dead:' .. ns end                  -- zset: canvas:index -> when it died, ms
function keys.limits(K) return K .. ':limits' end                         -- hash: see lib/limits.lua
function keys.account(K, name) return K .. ':la:' .. name end              -- hash: what the partition has of a limit's permits
function keys.aside(K, name) return K .. ':ls:' .. name end                -- zset: entries that wait for permits -> order
function keys.home(K, name) return K .. ':lh:' .. name end                 -- hash: who has how many of a limit's permits
function keys.unsettled(K) return K .. ':lu' end                          -- zset: accounts and homes to look at -> when, ms
function keys.dead_trimmed(K, ns) return K .. ':deadcut:' .. ns end       -- string: how many were let go
function keys.rows(K) return K .. ':rows' end                             -- list: kind, place, when, newline, bytes; the latest first
function keys.deadlines(K) return K .. ':deadlines' end                   -- zset: canvas -> until when it may take, ms
function keys.told(K, sid) return K .. ':told:' .. sid end                -- hash: canvas:index -> attempt, nonce, 1 to kill: cancelled
function keys.log(K, of) return K .. ':log:' .. of end                   -- zset: what changed -> number of the change, see lib/log.lua; of a canvas or a namespace
function keys.logs(K) return K .. ':logs' end                             -- hash: namespace -> how its log stands
function keys.lapsed(K, sid) return K .. ':lapsed:' .. sid end              -- hash: canvas:index -> attempt,nonce, see lib/leases.lua; TTL 1 h
function keys.channel(K, coordinator) return K .. ':ch:' .. coordinator end -- channel of a coordinator

-- of a canvas
function keys.meta(K, cid) return K .. ':c:' .. cid .. ':m' end           -- hash: see lib/canvases.lua
function keys.lanes(K, cid) return K .. ':c:' .. cid .. ':l' end          -- hash: lane -> priority|queue|timed|key|task
function keys.nodes(K, cid, chunk) return K .. ':c:' .. cid .. ':d:' .. chunk end   -- hash: index -> record
function keys.bodies(K, cid, chunk) return K .. ':c:' .. cid .. ':b:' .. chunk end  -- hash: index -> what never changes
function keys.results(K, cid, chunk) return K .. ':c:' .. cid .. ':r:' .. chunk end -- hash: index -> outcome
function keys.ids(K, cid) return K .. ':c:' .. cid .. ':i' end              -- hash: index -> the id that the client chose, where it chose one
function keys.ready(K, cid, queue, prio) return K .. ':c:' .. cid .. ':q:' .. queue .. ':' .. prio end -- list: entries
function keys.templates(K, cid) return K .. ':c:' .. cid .. ':t' end          -- hash: see lib/templates.lua
function keys.grown(K, cid) return K .. ':c:' .. cid .. ':g' end              -- list: first,count of the nodes that were added and count
function keys.scattered(K, cid) return K .. ':c:' .. cid .. ':e' end          -- zset: first.count -> index, see lib/members.lua
function keys.arrivals(K, cid, index) return K .. ':c:' .. cid .. ':a:' .. index end -- list: inputs of a quorum, as they came
function keys.turns(K, cid, index) return K .. ':c:' .. cid .. ':u:' .. index end -- list: members that wait, see lib/turns.lua
function keys.forgotten(K, cid) return K .. ':c:' .. cid .. ':f' end          -- set: indexes whose outcome goes when the canvas ends
function keys.extra(K, cid) return K .. ':c:' .. cid .. ':x' end              -- set: indexes that keys.arrivals or keys.turns exist for
function keys.stamps(K, cid) return K .. ':c:' .. cid .. ':y' end             -- set: stamps that it bears: key, and key NUL value
function keys.deaths(K, cid) return K .. ':c:' .. cid .. ':z' end             -- set: indexes of tasks that were given up
function keys.starts(K, cid) return K .. ':c:' .. cid .. ':s' end             -- list: edges that a canvas run again begins with
function keys.watchers(K, cid) return K .. ':c:' .. cid .. ':w' end       -- hash: index -> coordinators, comma-separated
