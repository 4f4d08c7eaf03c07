-- Sets a versioned document, unless the one that stands there is newer.
-- KEYS: the document. ARGV: {"v":"<30 characters>","data":…}, seconds to live.
local standing = redis.call('GETRANGE', KEYS[1], 6, 35)
if standing > string.sub(ARGV[1], 7, 36) then
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return 1
