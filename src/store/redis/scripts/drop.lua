-- Deletes a board with all that belongs to it. KEYS: the board, {board}:names, {board}:window, {board}:windows.
local board, windows = KEYS[1], KEYS[4]
for _, window in ipairs(redis.call('ZRANGE', windows, 0, -1)) do
  redis.call('UNLINK', '{' .. board .. '}:' .. window)
end
return redis.call('UNLINK', unpack(KEYS))
