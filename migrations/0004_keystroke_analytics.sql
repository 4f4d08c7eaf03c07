-- The role keystroke-analytics: sessions, statistics of keys, digraphs and confusions, insights, its ledger.
-- Statistics are one row a user and layout, JSON inside, taken apart by views: a row a key costs 60 and more rows a session.
-- When a key was pressed, and what was typed, is kept nowhere.

CREATE TABLE keystroke_sessions (
  user_id        BIGINT        NOT NULL COMMENT 'KeystrokeSession.user_id: whose session',
  occurred_at    DATETIME(3)   NOT NULL COMMENT 'KeystrokeSession.occurred_at: the end of the session, UTC',
  event_id       CHAR(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'KeystrokeSession.event_id: UUID, lower case',
  session_id     VARCHAR(64)   NOT NULL COMMENT 'KeystrokeSession.session_id: the name that the producer gave it',
  language       VARCHAR(32)   NOT NULL COMMENT 'KeystrokeSession.language: of the prompt; empty where not known',
  layout         VARCHAR(32)   NOT NULL COMMENT 'KeystrokeSession.layout: of the keyboard; empty where not known',
  `keys`         BIGINT        NOT NULL COMMENT 'Presses of KeystrokeSession.keys, exact repeats dropped',
  wpm            DECIMAL(12,2) NOT NULL COMMENT 'Words a minute: (characters typed - 1) / 5 / minutes between first and last press; 0 if nothing was typed or no time passed',
  error_percent  DECIMAL(5,2)  NOT NULL COMMENT 'Percent: Levenshtein distance of prompt and typed over the longer of the two; 0 if both are empty',
  kspc           DECIMAL(6,2)  NULL COMMENT 'Presses per character typed; NULL if nothing was typed',
  iki_mean       DECIMAL(13,2) NULL COMMENT 'Mean milliseconds from press to press, pauses included; NULL of a single press',
  iki_sd         DECIMAL(13,2) NULL COMMENT 'Standard deviation of the same, of the population; NULL of a single press',
  hold_mean      DECIMAL(13,2) NULL COMMENT 'Mean milliseconds from press to release; NULL if no release is known',
  hold_sd        DECIMAL(13,2) NULL COMMENT 'Standard deviation of the same, of the population; NULL if no release is known',
  rollovers      BIGINT        NOT NULL COMMENT 'Successive pairs of presses of which the second came before the release of the first; none where that is not known',
  rollover_ratio DECIMAL(5,2)  NULL COMMENT 'rollovers over all successive pairs, 0 to 1; NULL of a single press',
  corrections    BIGINT        NOT NULL COMMENT 'Presses of code 8 (backspace) or 46 (delete)',
  duration_ms    BIGINT        NOT NULL COMMENT 'From first to last press, in milliseconds',
  body_hash      BIGINT        NOT NULL COMMENT 'XXH3-64 of the event without its repeats of keys: tells an event sent twice from another event with the same identity',
  PRIMARY KEY (user_id, occurred_at, event_id)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin
COMMENT 'One row a KeystrokeSession that was accepted: its figures; no row changes after it was written. Kept for 90 days'
-- One partition until the command migrate splits months off it.
PARTITION BY RANGE COLUMNS (occurred_at) (PARTITION later VALUES LESS THAN (MAXVALUE));

CREATE TABLE keystroke_stats (
  user_id        BIGINT      NOT NULL COMMENT 'KeystrokeSession.user_id: whose statistics',
  layout         VARCHAR(32) NOT NULL COMMENT 'KeystrokeSession.layout: of the keyboard; empty where not known',
  sessions       BIGINT      NOT NULL COMMENT 'Sessions of this user and layout',
  key_stats      LONGTEXT    NOT NULL COMMENT 'JSON array in the order of keys, read by the view of this name: [key, [n, errors, latency, hold]]; latency and hold: [n, sum, sum of squares, twice p50, twice p95, histogram] of milliseconds',
  digraph_stats  LONGTEXT    NOT NULL COMMENT 'JSON array in the order of keys, read by the view of this name: [[first_key, second_key], [n, rollovers, latency]]; latency as in key_stats',
  key_confusions LONGTEXT    NOT NULL COMMENT 'JSON array in the order of keys, summed over layouts by the view of this name: [[expected, typed], n]',
  last_event_at  DATETIME(3) NOT NULL COMMENT 'Greatest occurred_at of the sessions, UTC',
  PRIMARY KEY (user_id, layout),
  CHECK (JSON_VALID(key_stats)),
  CHECK (JSON_VALID(digraph_stats)),
  CHECK (JSON_VALID(key_confusions))
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin
COMMENT 'One row a user and layout: the statistics of all keys, digraphs and confusions. Read key_stats, digraph_stats, key_confusions'
PARTITION BY HASH (user_id) PARTITIONS 16;

-- One row a user, layout and key. All of milliseconds: latency from the press before to this one, without gaps over 1,500;
-- hold from press to release. n: presses; errors: wrong ones. p50 and p95: of n values in order and h = n * percent / 100 the mean
-- of values h and h + 1 if h is whole, else the value ceil(h); NULL of nothing; 2,000 is 2 s or more.
-- A histogram has a bucket a millisecond up to 2 s and one for all from there on. For each that is not empty, in order, a number: two
-- times the empty buckets before it, + 1 if it holds more than one value; then a second number, how many more than two. Digits:
-- 0-9 a-z A-Z - _ are 0 to 63; a number is of base 32, its lowest digit first, + 32 on each digit but the last.
CREATE VIEW key_stats AS
SELECT s.user_id, s.layout, j.`key`, j.n, j.errors,
       j.latency_n, j.latency_sum_ms, j.latency_sum_sq,
       CAST(j.latency_p50 / 2 AS DECIMAL(5,1)) AS latency_p50_ms, CAST(j.latency_p95 / 2 AS DECIMAL(5,1)) AS latency_p95_ms, j.latency_histogram,
       j.hold_n, j.hold_sum_ms, j.hold_sum_sq,
       CAST(j.hold_p50 / 2 AS DECIMAL(5,1)) AS hold_p50_ms, CAST(j.hold_p95 / 2 AS DECIMAL(5,1)) AS hold_p95_ms, j.hold_histogram
FROM keystroke_stats s
JOIN JSON_TABLE(s.key_stats, '$[*]' COLUMNS (
  `key` VARCHAR(16) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin PATH '$[0]',
  n BIGINT PATH '$[1][0]',
  errors BIGINT PATH '$[1][1]',
  latency_n BIGINT PATH '$[1][2][0]',
  latency_sum_ms BIGINT PATH '$[1][2][1]',
  latency_sum_sq BIGINT PATH '$[1][2][2]',
  latency_p50 BIGINT PATH '$[1][2][3]',
  latency_p95 BIGINT PATH '$[1][2][4]',
  latency_histogram TEXT CHARACTER SET ascii COLLATE ascii_bin PATH '$[1][2][5]',
  hold_n BIGINT PATH '$[1][3][0]',
  hold_sum_ms BIGINT PATH '$[1][3][1]',
  hold_sum_sq BIGINT PATH '$[1][3][2]',
  hold_p50 BIGINT PATH '$[1][3][3]',
  hold_p95 BIGINT PATH '$[1][3][4]',
  hold_histogram TEXT CHARACTER SET ascii COLLATE ascii_bin PATH '$[1][3][5]'
)) j;

-- One row a user, layout and two successive keys, likewise. rollovers: pairs of which the second was pressed before the first was released.
CREATE VIEW digraph_stats AS
SELECT s.user_id, s.layout, j.first_key, j.second_key, j.n, j.rollovers,
       j.latency_n, j.latency_sum_ms, j.latency_sum_sq,
       CAST(j.latency_p50 / 2 AS DECIMAL(5,1)) AS latency_p50_ms, CAST(j.latency_p95 / 2 AS DECIMAL(5,1)) AS latency_p95_ms, j.latency_histogram
FROM keystroke_stats s
JOIN JSON_TABLE(s.digraph_stats, '$[*]' COLUMNS (
  first_key VARCHAR(16) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin PATH '$[0][0]',
  second_key VARCHAR(16) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin PATH '$[0][1]',
  n BIGINT PATH '$[1][0]',
  rollovers BIGINT PATH '$[1][1]',
  latency_n BIGINT PATH '$[1][2][0]',
  latency_sum_ms BIGINT PATH '$[1][2][1]',
  latency_sum_sq BIGINT PATH '$[1][2][2]',
  latency_p50 BIGINT PATH '$[1][2][3]',
  latency_p95 BIGINT PATH '$[1][2][4]',
  latency_histogram TEXT CHARACTER SET ascii COLLATE ascii_bin PATH '$[1][2][5]'
)) j;

-- How often a user, on any layout, pressed `typed`, and it was wrong, where `expected` was wanted.
CREATE VIEW key_confusions AS
SELECT s.user_id, j.expected, j.typed, CAST(SUM(j.n) AS SIGNED) AS n
FROM keystroke_stats s
JOIN JSON_TABLE(s.key_confusions, '$[*]' COLUMNS (
  expected VARCHAR(16) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin PATH '$[0][0]',
  typed VARCHAR(16) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin PATH '$[0][1]',
  n BIGINT PATH '$[1]'
)) j
GROUP BY s.user_id, j.expected, j.typed;

CREATE TABLE user_insights (
  user_id         BIGINT      NOT NULL COMMENT 'KeystrokeSession.user_id: whose insights',
  insights        LONGTEXT    NOT NULL COMMENT 'JSON: layout, slowest_keys, slowest_digraphs, most_missed, confidence, trend_wpm. The bytes under user:{user_id}:insights',
  layout          VARCHAR(32) NOT NULL COMMENT 'Layout of the newest session, which the lists of insights are of',
  recent_sessions LONGTEXT    NOT NULL COMMENT 'JSON: the last 20 sessions by (occurred_at, event_id), newest first: occurred_at (milliseconds since 1970), event_id, wpm. The trend is theirs',
  last_event_at   DATETIME(3) NOT NULL COMMENT 'Greatest occurred_at of the sessions, UTC',
  PRIMARY KEY (user_id),
  CHECK (JSON_VALID(insights)),
  CHECK (JSON_VALID(recent_sessions))
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin
COMMENT 'One row a user: what slows them down, and whether they get faster'
PARTITION BY HASH (user_id) PARTITIONS 16;

CREATE TABLE keystroke_analytics_ledger LIKE test_results_ledger;
ALTER TABLE keystroke_analytics_ledger COMMENT 'One row a partition of keystroke-analytics: who works it, and how far the tables above are';

INSERT INTO keystroke_analytics_ledger (partition_id, shard)
VALUES (0, 0), (1, 0), (2, 0), (3, 0), (4, 0), (5, 0), (6, 0), (7, 0), (8, 0), (9, 0),
       (10, 0), (11, 0), (12, 0), (13, 0), (14, 0), (15, 0), (16, 0), (17, 0), (18, 0), (19, 0);
