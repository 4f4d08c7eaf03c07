-- The role test-results: its tables, the sums over its counters, its ledger.
-- Hundredths are DECIMAL(n,2), durations milliseconds. Days of wpm_histogram and language_days are UTC, all others the user's.

CREATE TABLE test_results (
  user_id            BIGINT       NOT NULL COMMENT 'TestResult.user_id: whose test',
  occurred_at        DATETIME(3)  NOT NULL COMMENT 'TestResult.occurred_at: the end of the test, UTC',
  event_id           CHAR(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'TestResult.event_id: UUID, lower case',
  user_name          VARCHAR(64)  NOT NULL COMMENT 'TestResult.user_name: as it was then; empty where not known',
  mode               VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'TestResult.mode: what ends the test: time, words, quote, zen, custom',
  mode2              VARCHAR(32)  NOT NULL COMMENT 'TestResult.mode2: its size: seconds of time, words of words (0 = without end), the quote of quote',
  language           VARCHAR(64)  NOT NULL COMMENT 'TestResult.language: the language of its words',
  difficulty         VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'TestResult.difficulty: normal, expert, master',
  punctuation        TINYINT(1)   NOT NULL COMMENT 'TestResult.punctuation: 1 = with punctuation',
  numbers            TINYINT(1)   NOT NULL COMMENT 'TestResult.numbers: 1 = with numbers',
  lazy_mode          TINYINT(1)   NOT NULL COMMENT 'TestResult.lazy_mode: 1 = accents could be left out',
  bailed_out         TINYINT(1)   NOT NULL COMMENT 'TestResult.bailed_out: 1 = ended by the user before its end',
  stop_on_letter     TINYINT(1)   NOT NULL COMMENT 'TestResult.stop_on_letter: 1 = a wrong letter had to be corrected before the next',
  funbox             LONGTEXT     NOT NULL COMMENT 'TestResult.funbox: odd modes that were on, a JSON array of texts; [] for none',
  wpm                DECIMAL(6,2) NOT NULL COMMENT 'TestResult.wpm: words a minute of 5 correct characters, 0..1000',
  raw_wpm            DECIMAL(6,2) NOT NULL COMMENT 'TestResult.raw_wpm: the same with wrong characters counted, 0..1000',
  accuracy           DECIMAL(5,2) NOT NULL COMMENT 'TestResult.accuracy: percent of keys that were right, 0..100',
  consistency        DECIMAL(5,2) NOT NULL COMMENT 'TestResult.consistency: percent, how even the speed was, 0..100',
  correct_chars      INT          NOT NULL COMMENT 'TestResult.correct_chars: characters of correct words',
  incorrect_chars    INT          NOT NULL COMMENT 'TestResult.incorrect_chars: wrong characters',
  extra_chars        INT          NOT NULL COMMENT 'TestResult.extra_chars: characters past the end of a word',
  missed_chars       INT          NOT NULL COMMENT 'TestResult.missed_chars: characters left out',
  test_duration_ms   BIGINT       NOT NULL COMMENT 'TestResult.test_duration, in milliseconds',
  afk_duration_ms    BIGINT       NOT NULL COMMENT 'TestResult.afk_duration: time of it without a key, in milliseconds',
  incomplete_test_ms BIGINT       NOT NULL COMMENT 'TestResult.incomplete_test_seconds: time in tests begun and restarted before it, in milliseconds',
  restart_count      INT          NOT NULL COMMENT 'TestResult.restart_count: how many those were',
  day_offset_hours   INT          NOT NULL COMMENT 'TestResult.day_offset_hours: the UTC hour at which a day of the user begins, -12..14',
  verdict            VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'counted, too_short or implausible; only counted results make bests, boards, streaks, XP and totals',
  is_pb              TINYINT(1)   NOT NULL COMMENT '1 = was a personal best when it was applied',
  xp                 BIGINT       NOT NULL COMMENT 'XP that it earned, a daily bonus included; 0 unless counted',
  body_hash          BIGINT       NOT NULL COMMENT 'XXH3-64 of the columns before verdict: tells an event sent twice from another event with the same identity',
  PRIMARY KEY (user_id, occurred_at, event_id),
  CHECK (JSON_VALID(funbox))
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin
COMMENT 'One row a TestResult that was accepted, whatever its verdict; no row changes after it was written'
-- One partition until the command migrate splits months off it.
PARTITION BY RANGE COLUMNS (occurred_at) (PARTITION later VALUES LESS THAN (MAXVALUE));

CREATE TABLE personal_bests (
  user_id       BIGINT       NOT NULL COMMENT 'TestResult.user_id: whose best',
  mode          VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'TestResult.mode: time, words, zen or custom; quotes have no bests',
  mode2         VARCHAR(32)  NOT NULL COMMENT 'TestResult.mode2: the size of the test',
  language      VARCHAR(64)  NOT NULL COMMENT 'TestResult.language',
  difficulty    VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'TestResult.difficulty: normal, expert, master',
  punctuation   TINYINT(1)   NOT NULL COMMENT 'TestResult.punctuation: 1 = with punctuation',
  numbers       TINYINT(1)   NOT NULL COMMENT 'TestResult.numbers: 1 = with numbers',
  lazy_mode     TINYINT(1)   NOT NULL COMMENT 'TestResult.lazy_mode: 1 = accents could be left out',
  wpm           DECIMAL(6,2) NOT NULL COMMENT 'Words a minute of the best result',
  raw_wpm       DECIMAL(6,2) NOT NULL COMMENT 'Its words a minute with wrong characters counted',
  accuracy      DECIMAL(5,2) NOT NULL COMMENT 'Its accuracy, percent',
  consistency   DECIMAL(5,2) NOT NULL COMMENT 'Its consistency, percent',
  achieved_at   DATETIME(3)  NOT NULL COMMENT 'Its occurred_at, UTC',
  event_id      CHAR(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'Its event_id',
  last_event_at DATETIME(3)  NOT NULL COMMENT 'Greatest occurred_at of the results that were bests, UTC; later than achieved_at where a late result beat a newer one',
  PRIMARY KEY (user_id, mode, mode2, language, difficulty, punctuation, numbers, lazy_mode)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin
COMMENT 'One row a user and kind of test: the fastest counted result, the earlier applied of equals. Without quotes, tests bailed out of, odd modes, and stop_on_letter below 100 percent'
PARTITION BY HASH (user_id) PARTITIONS 16;

CREATE TABLE typing_profiles (
  user_id        BIGINT      NOT NULL COMMENT 'TestResult.user_id: whose profile',
  tests          BIGINT      NOT NULL COMMENT 'Counted results',
  time_typed_ms  BIGINT      NOT NULL COMMENT 'Their time at the keys, in milliseconds: test_duration + incomplete_test_seconds - afk_duration, at least 0 each',
  chars          BIGINT      NOT NULL COMMENT 'Their correct_chars',
  xp             BIGINT      NOT NULL COMMENT 'Their XP',
  level          BIGINT      NOT NULL COMMENT 'The level that the XP gives, from 1',
  streak         BIGINT      NOT NULL COMMENT 'Days in a row with a counted result, up to last_day',
  longest_streak BIGINT      NOT NULL COMMENT 'The greatest streak so far',
  last_day       DATE        NULL COMMENT 'Latest day with a counted result, on the clock of the user; NULL before the first',
  last_result_at DATETIME(3) NULL COMMENT 'Greatest occurred_at of the counted results, UTC; NULL before the first',
  recent         LONGTEXT    NOT NULL COMMENT 'The last 10 results of any verdict by (occurred_at, event_id), newest first, as JSON: event_id, occurred_at (milliseconds since 1970), mode, mode2, language, wpm, accuracy, verdict, is_pb. The bytes under user:{user_id}:recent-results',
  last_event_at  DATETIME(3) NOT NULL COMMENT 'Greatest occurred_at of all accepted results, UTC',
  PRIMARY KEY (user_id),
  CHECK (JSON_VALID(recent))
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin
COMMENT 'One row a user with an accepted result: what the counted ones add up to, and the latest of all'
PARTITION BY HASH (user_id) PARTITIONS 16;

CREATE TABLE typing_days (
  user_id       BIGINT        NOT NULL COMMENT 'TestResult.user_id: whose day',
  day           DATE          NOT NULL COMMENT 'The day on the clock of the user: of occurred_at less day_offset_hours',
  tests         BIGINT        NOT NULL COMMENT 'Counted results',
  time_typed_ms BIGINT        NOT NULL COMMENT 'Their time at the keys, in milliseconds, as in typing_profiles',
  best_wpm      DECIMAL(6,2)  NOT NULL COMMENT 'Their greatest words a minute',
  sum_wpm       DECIMAL(18,2) NOT NULL COMMENT 'Sum of their words a minute; the mean is sum_wpm / tests',
  sum_accuracy  DECIMAL(18,2) NOT NULL COMMENT 'Sum of their accuracy, percent; the mean is sum_accuracy / tests',
  xp            BIGINT        NOT NULL COMMENT 'XP that they earned',
  last_event_at DATETIME(3)   NOT NULL COMMENT 'Their greatest occurred_at, UTC',
  PRIMARY KEY (user_id, day)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin
COMMENT 'One row a user and day with a counted result'
PARTITION BY HASH (user_id) PARTITIONS 16;

CREATE TABLE wpm_histogram (
  day      DATE        NOT NULL COMMENT 'UTC day of occurred_at',
  mode     VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'TestResult.mode: time, words, quote, zen, custom',
  mode2    VARCHAR(32) NOT NULL COMMENT 'TestResult.mode2: the size of the test',
  language VARCHAR(64) NOT NULL COMMENT 'TestResult.language',
  bucket   BIGINT      NOT NULL COMMENT 'Whole tens of words a minute: 7 is 70.00 to 79.99',
  lane     INT         NOT NULL COMMENT 'Partition of test-results that the results came by: one writer a row',
  tests    BIGINT      NOT NULL COMMENT 'Counted results',
  PRIMARY KEY (day, mode, mode2, language, bucket, lane)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin
COMMENT 'Counted results by UTC day, kind and speed, a row a lane: read wpm_histogram_total';

CREATE TABLE language_days (
  day           DATE        NOT NULL COMMENT 'UTC day of occurred_at',
  language      VARCHAR(64) NOT NULL COMMENT 'TestResult.language',
  lane          INT         NOT NULL COMMENT 'Partition of test-results that the results came by: one writer a row',
  tests         BIGINT      NOT NULL COMMENT 'Counted results',
  time_typed_ms BIGINT      NOT NULL COMMENT 'Their time at the keys, in milliseconds, as in typing_profiles',
  PRIMARY KEY (day, language, lane)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin
COMMENT 'Counted results by UTC day and language, a row a lane: read language_days_total';

-- Counted results by UTC day, kind and tens of words a minute.
CREATE VIEW wpm_histogram_total AS
SELECT day, mode, mode2, language, bucket, CAST(SUM(tests) AS SIGNED) AS tests
FROM wpm_histogram
GROUP BY day, mode, mode2, language, bucket;

-- Counted results and their time at the keys, in milliseconds, by UTC day and language.
CREATE VIEW language_days_total AS
SELECT day, language, CAST(SUM(tests) AS SIGNED) AS tests, CAST(SUM(time_typed_ms) AS SIGNED) AS time_typed_ms
FROM language_days
GROUP BY day, language;

CREATE TABLE test_results_ledger (
  partition_id     INT          NOT NULL COMMENT 'Partition of the role''s topic',
  shard            INT          NOT NULL COMMENT 'Which database of those that the role is spread over; 0 is the first',
  token            BINARY(8)    NULL COMMENT 'Drawn at each claim: a flush under another token is fenced; NULL before the first claim',
  epoch            BIGINT       NOT NULL DEFAULT 0 COMMENT 'Goes up when something moves next_offset back',
  owner            VARCHAR(255) NULL COMMENT 'Host, process and HTTP address of the last claim; NULL before the first',
  topic_id         VARCHAR(64)  NULL COMMENT 'Kafka id of the topic that the offsets belong to; NULL before the first claim',
  origin_offset    BIGINT       NULL COMMENT 'Start of the log at the first claim; NULL before it',
  next_offset      BIGINT       NULL COMMENT 'All records before it are in the tables; NULL before the first claim',
  confirmed_offset BIGINT       NULL COMMENT 'All records before it are acknowledged outside MySQL too; NULL before the first claim',
  seen_end         BIGINT       NULL COMMENT 'End of the log at the last claim; NULL before the first',
  last_record      VARCHAR(255) NULL COMMENT 'Offset, Kafka timestamp and hash of the last record consumed; NULL while there is none',
  pending          LONGBLOB     NULL COMMENT 'What is not yet confirmed outside MySQL; NULL when all is',
  caches_behind    BOOLEAN      NOT NULL DEFAULT 0 COMMENT 'Whether more cache entries are unconfirmed than pending names, so that all are written again',
  last_event_at    DATETIME(3)  NULL COMMENT 'Greatest min(occurred_at, Kafka timestamp) of the events applied, UTC; NULL while there is none',
  applied_at       DATETIME(3)  NULL COMMENT 'When a worker last wrote this row, UTC; NULL before the first time',
  PRIMARY KEY (partition_id, shard)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin
COMMENT 'One row a partition of test-results: who works it, and how far the tables above are';

INSERT INTO test_results_ledger (partition_id, shard)
VALUES (0, 0), (1, 0), (2, 0), (3, 0), (4, 0), (5, 0), (6, 0), (7, 0), (8, 0), (9, 0);
