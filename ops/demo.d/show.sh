# shellcheck shell=bash
# What the demo shows when all is projected: a board from both stores, a profile, freshness, letters, and the verdict of
# `fleet verify`. Sourced by ops/demo; it changes nothing.
# shellcheck disable=SC2154

table() { # STATEMENT
  mysql_client --table -e "$1" "$database"
}

heading() { printf '\n%s\n' "$1"; }

show_all() {
  local derived
  derived=$(applied "$second")
  show_board
  show_profile
  show_freshness
  show_letters
  heading "Speed"
  say events "$(((events + derived) * 1000000 / took)) a second: $events results and $derived derived events, a kill -9 included"
}

# Members of equal score may stand in any order in a sorted set: what is compared is the rank of whoever stands at a place.
show_board() {
  local places in_redis in_mysql
  heading "The board $board of all time: Redis beside MySQL"
  in_redis=$(redis-cli -u "$FLEET_REDIS_URL" ZREVRANGE "leaderboard:$board:all" 0 9)
  in_mysql=$(sql "SELECT user_id FROM leaderboard_ranks WHERE category = '$board' AND timeframe = 'all' ORDER BY position LIMIT 10" "$database")
  places=$(paste <(echo "$in_redis") <(echo "$in_mysql") | awk 'NF == 2 { n++; printf "%sROW(%d, %s, %s)", (n > 1 ? ", " : ""), n, $1, $2 }')
  [ -n "$places" ] || { failed_check "there is no such board"; return; }
  table "WITH places (place, r, m) AS (VALUES $places), ranks AS
    (SELECT * FROM leaderboard_ranks WHERE category = '$board' AND timeframe = 'all')
    SELECT place, a.user_id AS 'Redis: user', a.user_name AS name, ROUND(a.score / 100, 2) AS wpm, a.competition_rank AS 'rank',
           '' AS ' ', b.user_id AS 'MySQL: user', b.user_name AS name, ROUND(b.score / 100, 2) AS wpm, b.competition_rank AS 'rank'
    FROM places JOIN ranks a ON a.user_id = r JOIN ranks b ON b.user_id = m ORDER BY place"
  [ "$(ranks_of "$in_redis")" = "$(ranks_of "$in_mysql")" ] || failed_check "the two boards differ"
}

ranks_of() { # USERS
  local list=${1//$'\n'/,}
  sql "SELECT competition_rank FROM leaderboard_ranks WHERE category = '$board' AND timeframe = 'all' AND user_id IN ($list)
    ORDER BY FIELD(user_id, $list)" "$database"
}

show_profile() {
  local user
  user=$(sql "SELECT user_id FROM typing_profiles ORDER BY tests DESC, user_id LIMIT 1" "$database")
  heading "The profile of user $user, who typed most"
  table "SELECT user_id, tests, ROUND(time_typed_ms / 60000) AS minutes, chars, xp, level, streak, longest_streak, last_day
    FROM typing_profiles WHERE user_id = $user"
  table "SELECT mode, mode2, language, difficulty, wpm, accuracy, achieved_at FROM personal_bests WHERE user_id = $user ORDER BY wpm DESC LIMIT 3"
  say redis "user:$user:recent-results $(redis-cli -u "$FLEET_REDIS_URL" GET "user:$user:recent-results" | cut -c 1-110)..."
}

show_freshness() {
  heading "Freshness: which prefix of each log the tables are (view projection_freshness, here summed over partitions)"
  table "SELECT role, COUNT(*) AS partitions, SUM(next_offset) AS applied, SUM(confirmed_offset) AS 'confirmed outside',
    MAX(last_event_at) AS 'latest event', MIN(applied_at) AS 'true at least as of' FROM projection_freshness GROUP BY role"
}

show_letters() {
  heading "Letters: records that could not be applied"
  "$fleet" letters list || failed_check "fleet letters list: exit code $?"
}

verify_all() { # ROLE...
  local role
  heading "Verified: the log folded again in memory, and compared with every row"
  for role; do
    say verify "fleet verify --role $role"
    "$fleet" verify --role "$role" || failed_check "fleet verify --role $role: exit code $?"
  done
}
