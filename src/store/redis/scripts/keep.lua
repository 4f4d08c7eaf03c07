-- Keeps a board alive for a while longer, showing the window that it should.
-- KEYS: the board, {board}:names, {board}:window, {board}:windows, the set of the window to show, then the other sets to keep.
-- ARGV: the window to show, seconds that the board is kept, members of the board, windows that are over (how many, then each),
--   then ms that each set is kept (0: for ever). Gives how many windows the board has.
local board, names, showing, windows = unpack(KEYS)
local window, seconds, top, over = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])

for i = 1, over do
  redis.call('ZREM', windows, ARGV[4 + i])
end
if redis.call('EXISTS', KEYS[5]) == 0 then
  redis.call('ZREM', windows, window)
end

local shown = redis.call('GET', showing)
local shown_ends = shown and tonumber(redis.call('ZSCORE', windows, shown))
local ends = tonumber(redis.call('ZSCORE', windows, window))
if ends and (not shown_ends or shown_ends <= ends) and (shown ~= window or redis.call('EXISTS', board) == 0) then
  redis.call('ZRANGESTORE', board, KEYS[5], 0, top - 1, 'REV')
  redis.call('SET', showing, window)
end
redis.call('EXPIRE', board, seconds)

for i = 5, #KEYS do
  local kept = tonumber(ARGV[over + i])
  for _, key in ipairs({ KEYS[i], names, windows, showing }) do
    if kept > 0 and redis.call('PTTL', key) < kept then
      redis.call('PEXPIRE', key, kept)
    end
  end
end
return redis.call('ZCARD', windows)
