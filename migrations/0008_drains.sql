-- Drains: how much may leave a queue now. One row a queue, which every worker locks when it takes rows, so that all share one limit.

CREATE TABLE drain_limits (
  drain       VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'Whose limit: the drain by name',
  parts       BIGINT      NOT NULL COMMENT 'What may leave now, in 3600000ths of a row',
  bulk_parts  BIGINT      NOT NULL COMMENT 'What of bulk may leave now, in 3600000ths of a row',
  refilled_at DATETIME(3) NOT NULL COMMENT 'When both were refilled last, UTC',
  PRIMARY KEY (drain)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin
COMMENT 'Rate limits of drains, shared by all workers; the first claim makes the row';
