-- The role payments: payments with their refunds and disputes, what was set aside, the books, revenue by day, and its ledger.
-- Money is in minor units of the payment's currency: 1999 of EUR is 19.99.

CREATE TABLE payments (
  payment_id     VARCHAR(64) NOT NULL COMMENT 'PaymentEvent.payment_id',
  created_at     DATETIME(3) NOT NULL COMMENT 'PaymentEvent.created_at, UTC: with another it is another payment',
  user_id           BIGINT       NOT NULL COMMENT 'Who pays: user_id of the first event of the set, by occurred_at, kind and event_id',
  order_id          VARCHAR(64)  NOT NULL COMMENT 'What is paid: order_id of that event',
  currency          VARCHAR(3) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'ISO 4217 code: currency of that event',
  status            VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'succeeded if captured; else canceled if ever canceled; else created, authorised, action_required, processing or failed by the last such event; else unknown',
  amount            BIGINT       NULL COMMENT 'Minor units of the first Created; NULL while there is none',
  authorised        BIGINT       NULL COMMENT 'Minor units of the first Authorised; NULL while there is none',
  captured          BIGINT       NULL COMMENT 'Minor units of the first Succeeded that is within authorised, or else amount; NULL while there is none',
  refunded          BIGINT       NOT NULL COMMENT 'Minor units of the refunds that succeeded',
  refund_pending    BIGINT       NOT NULL COMMENT 'Minor units of the refunds that are requested',
  disputed          BIGINT       NOT NULL COMMENT 'Minor units of the disputes that are not won',
  provider_ref      VARCHAR(128) NULL COMMENT 'Succeeded.provider_ref of the capture; NULL without one',
  failures          BIGINT       NOT NULL COMMENT 'How many Failed there are',
  last_failure_code VARCHAR(128) NULL COMMENT 'Failed.code of the last of them; NULL without one',
  succeeded_at      DATETIME(3)  NULL COMMENT 'occurred_at of the capture, UTC; NULL without one',
  canceled_at       DATETIME(3)  NULL COMMENT 'occurred_at of the first Canceled, UTC, also beside a capture; NULL without one',
  facts             LONGTEXT     NOT NULL COMMENT 'Every event of the payment in order, as JSON, at most 200: occurred_at (milliseconds since 1970), event_id, user_id, order_id, currency, body',
  announced         LONGTEXT     NOT NULL COMMENT 'What was told to others, each once, as JSON: receipt (the mail and the fact of the first capture), refunds (ids whose mail was asked for). It alone depends on the order in which events arrived',
  last_event_at     DATETIME(3)  NOT NULL COMMENT 'Greatest occurred_at of its events, UTC',
  PRIMARY KEY (payment_id, created_at),
  KEY user_id (user_id, created_at, payment_id),
  KEY order_id (order_id),
  KEY status (status),
  CHECK (JSON_VALID(facts)),
  CHECK (JSON_VALID(announced))
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin
COMMENT 'One row a payment: what its events come to, in whatever order they arrived, and the events'
-- One partition until the command migrate splits months off it.
PARTITION BY RANGE COLUMNS (created_at) (PARTITION later VALUES LESS THAN (MAXVALUE));

CREATE TABLE payment_refunds (
  payment_id     VARCHAR(64) NOT NULL COMMENT 'PaymentEvent.payment_id',
  created_at     DATETIME(3) NOT NULL COMMENT 'PaymentEvent.created_at, UTC: with another it is another payment',
  refund_id      VARCHAR(64) NOT NULL COMMENT 'RefundRequested.refund_id',
  amount         BIGINT      NULL COMMENT 'Minor units of the first RefundRequested; NULL while there is none',
  state          VARCHAR(24) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'requested, succeeded, failed, failed_after_success; refused: more than is left of the capture; waiting: for its request or the capture',
  requested_at   DATETIME(3) NULL COMMENT 'occurred_at of the first RefundRequested, UTC; NULL while there is none',
  settled_at     DATETIME(3) NULL COMMENT 'occurred_at of the RefundSucceeded or RefundFailed that gave the state, UTC; NULL while requested, refused or waiting',
  last_event_at  DATETIME(3) NOT NULL COMMENT 'Greatest occurred_at of its events, UTC',
  PRIMARY KEY (payment_id, created_at, refund_id)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin
COMMENT 'One row a refund that any event of its payment names'
PARTITION BY KEY (payment_id) PARTITIONS 16;

CREATE TABLE payment_disputes (
  payment_id     VARCHAR(64) NOT NULL COMMENT 'PaymentEvent.payment_id',
  created_at     DATETIME(3) NOT NULL COMMENT 'PaymentEvent.created_at, UTC: with another it is another payment',
  dispute_id     VARCHAR(64) NOT NULL COMMENT 'DisputeOpened.dispute_id',
  amount         BIGINT      NOT NULL COMMENT 'Minor units of the first DisputeOpened',
  state          VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'open, or won or lost by the first DisputeClosed',
  opened_at      DATETIME(3) NOT NULL COMMENT 'occurred_at of the first DisputeOpened, UTC',
  closed_at      DATETIME(3) NULL COMMENT 'occurred_at of the first DisputeClosed, UTC; NULL while open',
  last_event_at  DATETIME(3) NOT NULL COMMENT 'Greatest occurred_at of its events, UTC',
  PRIMARY KEY (payment_id, created_at, dispute_id)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin
COMMENT 'One row a dispute that was opened, of a payment that was captured'
PARTITION BY KEY (payment_id) PARTITIONS 16;

CREATE TABLE payment_quarantine (
  payment_id     VARCHAR(64) NOT NULL COMMENT 'PaymentEvent.payment_id',
  created_at     DATETIME(3) NOT NULL COMMENT 'PaymentEvent.created_at, UTC: with another it is another payment',
  event_id       CHAR(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'PaymentEvent.event_id of the event set aside; of one id at several times the first',
  reason         VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'mismatch, amount_conflict, over_capture, succeeded_and_canceled, refund_closed, over_refund, dispute_closed',
  event          LONGTEXT    NOT NULL COMMENT 'The event set aside, as JSON as in payments.facts',
  conflicts_with LONGTEXT    NOT NULL COMMENT 'The event that it contradicts, as JSON as in payments.facts',
  last_event_at  DATETIME(3) NOT NULL COMMENT 'occurred_at of the event, UTC',
  PRIMARY KEY (payment_id, created_at, event_id),
  CHECK (JSON_VALID(event)),
  CHECK (JSON_VALID(conflicts_with))
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin
COMMENT 'One row an event that contradicts others of its payment and has no effect on its money'
PARTITION BY KEY (payment_id) PARTITIONS 16;

CREATE TABLE ledger_entries (
  payment_id     VARCHAR(64) NOT NULL COMMENT 'PaymentEvent.payment_id',
  created_at     DATETIME(3) NOT NULL COMMENT 'PaymentEvent.created_at, UTC: with another it is another payment',
  event_id       CHAR(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'PaymentEvent.event_id of the event that takes effect',
  line           INT         NOT NULL COMMENT '1..n within the event: debit, credit, debit, credit',
  account        VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'customer_receivable, processor_clearing, revenue, refunds, disputes',
  debit          BIGINT      NOT NULL COMMENT 'Minor units; 0 on a credit line',
  credit         BIGINT      NOT NULL COMMENT 'Minor units; 0 on a debit line',
  currency       VARCHAR(3) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'ISO 4217 code of the payment',
  occurred_at    DATETIME(3) NOT NULL COMMENT 'PaymentEvent.occurred_at, UTC',
  last_event_at  DATETIME(3) NOT NULL COMMENT 'The same',
  PRIMARY KEY (payment_id, created_at, event_id, line)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin
COMMENT 'Double-entry books: of every payment, event and currency the debits equal the credits'
PARTITION BY KEY (payment_id) PARTITIONS 16;

CREATE TABLE revenue_days (
  day      DATE   NOT NULL COMMENT 'UTC day of the event that counts',
  currency VARCHAR(3) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'ISO 4217 code',
  lane     INT    NOT NULL COMMENT 'Partition of payment-events that the events came by: one writer a row',
  gross    BIGINT NOT NULL COMMENT 'Minor units captured that day',
  refunds  BIGINT NOT NULL COMMENT 'Minor units of refunds that succeeded that day, less those that failed that day after they had succeeded',
  disputes BIGINT NOT NULL COMMENT 'Minor units of disputes opened that day, less those won that day',
  net      BIGINT NOT NULL COMMENT 'gross - refunds - disputes',
  PRIMARY KEY (day, currency, lane)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin
COMMENT 'Revenue by UTC day and currency, a row a lane: read revenue_days_total';

-- Revenue by UTC day and currency, in minor units.
CREATE VIEW revenue_days_total AS
SELECT day, currency, CAST(SUM(gross) AS SIGNED) AS gross, CAST(SUM(refunds) AS SIGNED) AS refunds,
       CAST(SUM(disputes) AS SIGNED) AS disputes, CAST(SUM(net) AS SIGNED) AS net
FROM revenue_days
GROUP BY day, currency;

CREATE TABLE payments_ledger LIKE test_results_ledger;
ALTER TABLE payments_ledger COMMENT 'One row a partition of payment-events: who works it, and how far the tables above are';

INSERT INTO payments_ledger (partition_id, shard)
VALUES (0, 0), (1, 0), (2, 0), (3, 0), (4, 0), (5, 0), (6, 0), (7, 0), (8, 0), (9, 0);
