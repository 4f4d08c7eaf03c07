-- The best 2,000 of the current window of every board, at the time bound.
-- A board's current window is the last that had begun by then, among those with entries.
WITH boards AS (
  SELECT category, timeframe, MAX(window_start) AS window_start
  FROM leaderboard_entries
  WHERE window_start <= ?
  GROUP BY category, timeframe
)
SELECT top.category, top.timeframe, top.window_start, top.user_id, top.operator, top.score, top.tiebreak, top.submissions,
       top.achieved_at, top.event_id, top.user_name, top.user_name_at, top.last_event_at
FROM boards
JOIN LATERAL (
  SELECT *
  FROM leaderboard_entries AS entry
  WHERE entry.category = boards.category AND entry.timeframe = boards.timeframe AND entry.window_start = boards.window_start
  ORDER BY entry.score DESC, entry.tiebreak DESC, entry.achieved_at, entry.user_id
  LIMIT 2000
) AS top
