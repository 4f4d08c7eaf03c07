-- Holds a lock for so long more, or lets it go. KEYS: the lock. ARGV: its token, ms (0: let go). Gives whether it was held.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
if ARGV[2] == '0' then
  return redis.call('DEL', KEYS[1])
end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
