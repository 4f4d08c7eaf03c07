-- What is kept for how long, said rightly; and the last event behind each suppression.

-- Letters of a topic whose records go after a time go with them: the workers of its role look for them by this index.
ALTER TABLE letters
  ADD KEY expiry (role, topic, kafka_timestamp),
  COMMENT 'records that can never be applied, written in the transaction that moved past them; gone when their topic''s retention is over';

ALTER TABLE email_suppressions
  ADD COLUMN last_event_at DATETIME(3) NULL COMMENT 'Greatest occurred_at of the events that say so, UTC';
-- Of events before this migration, the first of each row is known: later ones of the same row count from now on.
UPDATE email_suppressions SET last_event_at = suppressed_at;
ALTER TABLE email_suppressions
  MODIFY COLUMN last_event_at DATETIME(3) NOT NULL COMMENT 'Greatest occurred_at of the events that say so, UTC';

ALTER TABLE keystroke_sessions
  COMMENT 'One row a KeystrokeSession that was accepted: its figures; no row changes after it was written. Nothing drops its months: after 90 days that may be done by hand';

ALTER TABLE keystroke_stats
  MODIFY COLUMN key_stats LONGTEXT NOT NULL COMMENT 'JSON array in the order of keys, read by the view of this name: [key, [n, errors, latency, hold]]; latency and hold: [n, sum, sum of squares, twice p50, twice p95, histogram] of milliseconds; a sum stops at 9223372036854775807';
