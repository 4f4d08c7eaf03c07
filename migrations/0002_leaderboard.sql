-- The role leaderboard: identities of its events, its entries, their order, and its ledger.

CREATE TABLE leaderboard_events (
  user_id     BIGINT      NOT NULL COMMENT 'The user, above 0; LeaderboardUpdate.user_id',
  occurred_at DATETIME(3) NOT NULL COMMENT 'When the score was reached, UTC; LeaderboardUpdate.occurred_at',
  event_id    CHAR(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'UUID, lower case; LeaderboardUpdate.event_id',
  body_hash   BIGINT      NOT NULL COMMENT 'XXH3-64 of all else the event says, as stored: the same identity with another hash is refused',
  PRIMARY KEY (user_id, occurred_at, event_id)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin
COMMENT 'One row an applied event of leaderboard-updates: its identity, so that a repeat changes nothing'
PARTITION BY RANGE COLUMNS (occurred_at) (PARTITION later VALUES LESS THAN (MAXVALUE));

CREATE TABLE leaderboard_entries (
  category      VARCHAR(96) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'The board: LeaderboardUpdate.category in lower case, all but a-z 0-9 _ . + # - turned into _',
  timeframe     VARCHAR(8) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'How long its windows are: daily, weekly (from Monday), monthly, all',
  window_start  DATETIME(3) NOT NULL COMMENT 'First instant of the window that occurred_at lies in, UTC; 1970-01-01 for all',
  user_id       BIGINT      NOT NULL COMMENT 'The user, above 0; LeaderboardUpdate.user_id',
  operator      VARCHAR(8) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'How scores merge, fixed by the category: best (the greatest) or total (the sum)',
  score         BIGINT      NOT NULL COMMENT 'The greatest or the sum of LeaderboardUpdate.score; for speeds hundredths of words a minute',
  tiebreak      BIGINT      NOT NULL COMMENT 'Of the best event: the greater ranks first among equal scores; for speeds hundredths of a percent of accuracy; 0 for total',
  submissions   BIGINT      NOT NULL COMMENT 'Events applied',
  achieved_at   DATETIME(3) NOT NULL COMMENT 'occurred_at, UTC, of the event that gave the best, or of the last that added to the sum (of the first while the sum is 0)',
  event_id      CHAR(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'UUID of that event',
  user_name     VARCHAR(64) NOT NULL COMMENT 'The LeaderboardUpdate.user_name of greatest occurred_at that is not empty; empty while there is none',
  user_name_at  DATETIME(3) NULL COMMENT 'occurred_at, UTC, of the event that carried user_name; NULL while there is none',
  last_event_at DATETIME(3) NOT NULL COMMENT 'Greatest occurred_at, UTC, of the events applied',
  -- No index by score: sorted sets serve the top, and an index that moves with every sum costs 2 of 5 writes.
  PRIMARY KEY (category, timeframe, window_start, user_id)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin
COMMENT 'One row a user, board and window: where the user stands there, from leaderboard-updates'
PARTITION BY RANGE COLUMNS (window_start) (
  -- The windows that never end: this partition is never dropped.
  PARTITION forever VALUES LESS THAN ('1970-02-01'),
  PARTITION later VALUES LESS THAN (MAXVALUE)
);

-- Every entry with its place: name category, timeframe and window_start, else every window of every board is ranked.
-- position: by score, tiebreak (both falling), achieved_at, user_id (both rising): no two are equal.
-- competition_rank: by score and tiebreak alone: 1, 1, 3.
CREATE VIEW leaderboard_ranks AS
SELECT category, timeframe, window_start,
       ROW_NUMBER() OVER (PARTITION BY category, timeframe, window_start ORDER BY score DESC, tiebreak DESC, achieved_at, user_id) AS position,
       RANK() OVER (PARTITION BY category, timeframe, window_start ORDER BY score DESC, tiebreak DESC) AS competition_rank,
       user_id, user_name, operator, score, tiebreak, submissions, achieved_at, event_id, last_event_at
FROM leaderboard_entries;

CREATE TABLE leaderboard_ledger LIKE test_results_ledger;
ALTER TABLE leaderboard_ledger COMMENT 'One row a partition of leaderboard-updates: who works it, and how far the tables above are';

INSERT INTO leaderboard_ledger (partition_id, shard)
VALUES (0, 0), (1, 0), (2, 0), (3, 0), (4, 0), (5, 0), (6, 0), (7, 0), (8, 0), (9, 0);
