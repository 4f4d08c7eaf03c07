-- What people need to run fleet: letters, open breakers, moves of a ledger, and how fresh every projection is.

CREATE TABLE letters (
  role            VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'the role that rejected the record',
  topic           VARCHAR(249) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'the topic as the cluster names it',
  partition_id    INT NOT NULL COMMENT 'the partition',
  record_offset   BIGINT NOT NULL COMMENT 'the offset',
  schema_id       INT UNSIGNED NULL COMMENT 'the schema id on the envelope; NULL: the bytes have no envelope',
  kafka_timestamp DATETIME(3) NULL COMMENT 'the Kafka timestamp, UTC; NULL: outside the calendar',
  record_key      LONGBLOB NULL COMMENT 'the key, byte for byte; NULL: the record has none',
  value           LONGBLOB NULL COMMENT 'the value, byte for byte; NULL: a tombstone',
  headers         LONGTEXT NULL COMMENT 'the headers in order: JSON pairs of name and value in base 16; NULL: none',
  reason          VARCHAR(255) COLLATE utf8mb4_0900_bin NOT NULL COMMENT 'why it can never be applied; names fields, never their values',
  cause           VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'data: every replay rejects it again; environment: the cause lay outside its bytes',
  lettered_at     DATETIME(3) NOT NULL COMMENT 'when it was first lettered, UTC',
  PRIMARY KEY (role, topic, partition_id, record_offset),
  KEY lettered_at (lettered_at)
) COMMENT 'records that can never be applied, written in the transaction that moved past them';

CREATE TABLE breakers (
  role          VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'the role',
  topic         VARCHAR(249) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'the topic as the cluster names it',
  partition_id  INT NOT NULL COMMENT 'the partition',
  opened_at     DATETIME(3) NOT NULL COMMENT 'when it opened last, UTC',
  from_offset   BIGINT NOT NULL COMMENT 'the record that it holds back; none before it is lost or skipped',
  reason        VARCHAR(255) COLLATE utf8mb4_0900_bin NOT NULL COMMENT 'why that record cannot be applied',
  accepted_to   BIGINT NULL COMMENT 'records below this offset may become letters; NULL: nobody accepted',
  accepted_at   DATETIME(3) NULL COMMENT 'when it was accepted, UTC; NULL: nobody accepted',
  accepted_by   VARCHAR(255) COLLATE utf8mb4_0900_bin NULL COMMENT 'who accepted; NULL: nobody',
  accept_reason VARCHAR(255) COLLATE utf8mb4_0900_bin NULL COMMENT 'why it was accepted; NULL: nobody accepted',
  PRIMARY KEY (role, topic, partition_id)
) COMMENT 'lanes that stopped because too many records could not be applied, the last time a lane';

CREATE TABLE ledger_moves (
  role         VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'the role',
  partition_id INT NOT NULL COMMENT 'the partition',
  epoch        BIGINT NOT NULL COMMENT 'the epoch that the move began',
  moved_at     DATETIME(3) NOT NULL COMMENT 'when, UTC',
  from_offset  BIGINT NULL COMMENT 'next_offset before; NULL: the lane was never claimed',
  to_offset    BIGINT NOT NULL COMMENT 'next_offset after',
  moved_by     VARCHAR(255) COLLATE utf8mb4_0900_bin NOT NULL COMMENT 'who moved it',
  reason       VARCHAR(255) COLLATE utf8mb4_0900_bin NOT NULL COMMENT 'why',
  PRIMARY KEY (role, partition_id, epoch)
) COMMENT 'every time a ledger was moved by hand';
