-- The tables of the role copy (feature `bench`), for ops/bench alone: no migration makes them.
-- bench_copy has the columns, types and indexes that other systems are measured with.

CREATE TABLE IF NOT EXISTS bench_copy (
  event_id      CHAR(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'UUID, lower case',
  user_id       BIGINT      NOT NULL COMMENT 'The user',
  occurred_at   DATETIME(3) NOT NULL COMMENT 'End of the test, UTC',
  produced_at   DATETIME(3) NOT NULL COMMENT 'When the event was produced, UTC',
  mode          VARCHAR(16) NOT NULL COMMENT 'Kind of test',
  mode2         VARCHAR(16) NOT NULL COMMENT 'Its length',
  language      VARCHAR(32) NOT NULL COMMENT 'Language of the words',
  wpm           DOUBLE      NOT NULL COMMENT 'Words a minute',
  raw_wpm       DOUBLE      NOT NULL COMMENT 'Words a minute without errors',
  accuracy      DOUBLE      NOT NULL COMMENT 'Percent',
  consistency   DOUBLE      NOT NULL COMMENT 'Percent',
  char_stats    JSON        NULL COMMENT 'Correct, incorrect, extra and missed characters; never NULL here',
  test_duration DOUBLE      NOT NULL COMMENT 'Seconds',
  restart_count INT         NOT NULL COMMENT 'Tests broken off before this one',
  is_pb         BOOLEAN     NOT NULL COMMENT 'Whether it was a personal best',
  inserted_at   DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) COMMENT 'When the row was written, in the time zone of the connection',
  PRIMARY KEY (event_id),
  KEY user_time (user_id, occurred_at)
) COMMENT 'One row an event of bench-copy';

CREATE TABLE IF NOT EXISTS copy_ledger (
  partition_id     INT          NOT NULL COMMENT 'Partition of bench-copy',
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
COMMENT 'One row a partition of bench-copy: who works it, and how far bench_copy is';

INSERT IGNORE INTO copy_ledger (partition_id, shard)
VALUES (0, 0), (1, 0), (2, 0), (3, 0), (4, 0), (5, 0), (6, 0), (7, 0), (8, 0), (9, 0);
