-- Notes what is about to be written: each lane's greatest version, and the greatest time of an applied event.
-- KEYS: the generation. ARGV: that time in ms or '', then lane, version, … Gives the greatest time noted so far, or ''.
local generation = KEYS[1]
for i = 2, #ARGV, 2 do
  local noted = redis.call('HGET', generation, ARGV[i])
  if not noted or noted < ARGV[i + 1] then
    redis.call('HSET', generation, ARGV[i], ARGV[i + 1])
  end
end
local clock = redis.call('HGET', generation, 'clock')
if ARGV[1] ~= '' and (not clock or tonumber(clock) < tonumber(ARGV[1])) then
  clock = ARGV[1]
  redis.call('HSET', generation, 'clock', clock)
end
return clock or ''
