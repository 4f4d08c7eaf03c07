-- Writes down that all is rebuilt, unless the lock was lost: to another, or with everything else.
-- KEYS: the lock, the generation. ARGV: the lock's token, then the generation's fields and values. Gives whether it was held.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
redis.call('HSET', KEYS[2], unpack(ARGV, 2))
return redis.call('DEL', KEYS[1])
