-- Adds members to one window of a board. Scores never fall, so that any order of calls ends in the same sets.
-- KEYS: the board, {board}:names, {board}:window, {board}:windows, {board}:<window>.
-- ARGV: the window, its end in ms, has it begun (1 or 0), is it past lingering (1 or 0), ms that its set is kept (0: for ever),
--   seconds that the board is kept, members of the board, members of a window, then score, member, name, …
local board, names, showing, windows, set = unpack(KEYS)
local window, ends, begun, past = ARGV[1], tonumber(ARGV[2]), ARGV[3] == '1', ARGV[4] == '1'
local kept, seconds, top, window_top = tonumber(ARGV[5]), ARGV[6], tonumber(ARGV[7]), tonumber(ARGV[8])

local shown = redis.call('GET', showing)
local shown_ends = shown and tonumber(redis.call('ZSCORE', windows, shown))
local older = shown_ends and ends < shown_ends
if past and older then
  return 0
end

local scored, members, labels = {}, {}, {}
for i = 9, #ARGV, 3 do
  scored[#scored + 1] = ARGV[i]
  scored[#scored + 1] = ARGV[i + 1]
  members[#members + 1] = ARGV[i + 1]
  labels[#labels + 1] = ARGV[i + 2]
end

local function add(key, most)
  redis.call('ZADD', key, 'GT', unpack(scored))
  redis.call('ZREMRANGEBYRANK', key, 0, -most - 1)
end

local function live(key)
  if kept > 0 and redis.call('PTTL', key) < kept then
    redis.call('PEXPIRE', key, kept)
  end
end

-- Names of members that stand nowhere any more.
local function clean()
  local sets = { board }
  for _, other in ipairs(redis.call('ZRANGE', windows, 0, -1)) do
    sets[#sets + 1] = '{' .. board .. '}:' .. other
  end
  for _, member in ipairs(redis.call('HKEYS', names)) do
    local stands = false
    for _, key in ipairs(sets) do
      stands = stands or redis.call('ZSCORE', key, member)
    end
    if not stands then
      redis.call('HDEL', names, member)
    end
  end
end

add(set, window_top)
redis.call('ZADD', windows, ends, window)
local named = {}
for i, stands in ipairs(redis.call('ZMSCORE', set, unpack(members))) do
  if stands and not (older and redis.call('HEXISTS', names, members[i]) == 1) then
    named[#named + 1] = members[i]
    named[#named + 1] = labels[i]
  end
end
if #named > 0 then
  redis.call('HSET', names, unpack(named))
end

if shown == window and redis.call('EXISTS', board) == 1 then
  add(board, top)
  redis.call('EXPIRE', board, seconds)
elseif begun and not older then
  redis.call('ZRANGESTORE', board, set, 0, top - 1, 'REV')
  redis.call('EXPIRE', board, seconds)
  redis.call('SET', showing, window)
end
for _, key in ipairs({ set, names, windows, showing }) do
  live(key)
end
if redis.call('HLEN', names) > 2 * window_top * redis.call('ZCARD', windows) then
  clean()
end
return 1
