-- The role email: what happened to every mail, whom not to write to, the queue of what is to be sent, and its ledger.

CREATE TABLE email_history (
  recipient   VARCHAR(254) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'EmailEvent.recipient: an address in lower case, or user:<id>',
  occurred_at DATETIME(3) NOT NULL COMMENT 'When it happened, UTC; EmailEvent.occurred_at',
  event_id    CHAR(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'UUID, lower case; EmailEvent.event_id',
  kind        VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'What happened: contact_set, send_requested, attempted, delivered, bounced, complained, unsubscribed, opened, clicked',
  user_id     BIGINT NULL COMMENT 'The user that the event names; NULL where it names none: email_messages has it by message_id',
  email_type  VARCHAR(64) NULL COMMENT 'The template that the event names; NULL where it names none: email_messages has it by message_id',
  message_id  CHAR(36) CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'The mail that it is about; NULL of contact_set and unsubscribed',
  sent_at     DATETIME(3) NULL COMMENT 'occurred_at, UTC, of an attempt that the server took; NULL of all else',
  body_hash   BIGINT NOT NULL COMMENT 'XXH3-64 of all else the event says, as stored: the same identity with another hash is refused',
  PRIMARY KEY (recipient, occurred_at, event_id)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin
COMMENT 'One row an applied event of email-send: its identity, so that a repeat changes nothing'
PARTITION BY RANGE COLUMNS (occurred_at) (PARTITION later VALUES LESS THAN (MAXVALUE));

CREATE TABLE email_contacts (
  recipient     VARCHAR(254) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'EmailEvent.recipient: an address in lower case, or user:<id>',
  user_id       BIGINT NOT NULL COMMENT 'The user, above 0; ContactSet.user_id',
  address       VARCHAR(254) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'Where mail goes: ContactSet.address of the greatest occurred_at',
  locale        VARCHAR(35) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'The language of mail that names none: ContactSet.locale; empty: not known',
  last_event_at DATETIME(3) NOT NULL COMMENT 'occurred_at, UTC, of that ContactSet',
  event_id      CHAR(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'UUID of that ContactSet; it settles which of one millisecond holds',
  PRIMARY KEY (recipient)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin
COMMENT 'One row a recipient with a ContactSet: where mail for it goes'
PARTITION BY KEY (recipient) PARTITIONS 16;

CREATE TABLE email_messages (
  recipient        VARCHAR(254) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'EmailEvent.recipient: an address in lower case, or user:<id>',
  message_id       CHAR(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'The mail: SendRequested.message_id',
  template         VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'SendRequested.template; NULL while only feedback is known, like all to not_after',
  category         VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'SendRequested.category: transactional or bulk',
  list             VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'SendRequested.list; NULL: the template is its own list',
  user_id          BIGINT NULL COMMENT 'SendRequested.user_id; NULL: the recipient is no user',
  requested_at     DATETIME(3) NULL COMMENT 'occurred_at, UTC, of the first SendRequested',
  request_event_id CHAR(36) CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'UUID of that SendRequested',
  not_after        DATETIME(3) NULL COMMENT 'When it is too late to send it, UTC: SendRequested.not_after, or 24 hours after requested_at',
  state            VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'How far it came, the highest of queued, retry, in_doubt, suppressed, expired, failed, sent, bounced_soft, delivered, bounced_hard',
  state_at         DATETIME(3) NOT NULL COMMENT 'occurred_at, UTC, of the first event that said so',
  attempts         BIGINT NOT NULL COMMENT 'The greatest Attempted.attempt; 0 before the first',
  last_attempt_at  DATETIME(3) NULL COMMENT 'occurred_at, UTC, of that attempt; NULL before the first',
  last_reply       VARCHAR(512) NULL COMMENT 'Attempted.reply of that attempt: what the server said; NULL before the first',
  sent_at          DATETIME(3) NULL COMMENT 'When a server took it first, UTC; NULL: none did',
  delivered_at     DATETIME(3) NULL COMMENT 'Of the first Delivered, UTC; NULL: there is none',
  bounced_at       DATETIME(3) NULL COMMENT 'Of the first Bounced of either kind, or attempt refused for its address, UTC; NULL: there is none',
  complained_at    DATETIME(3) NULL COMMENT 'Of the first Complained, UTC; NULL: there is none',
  opened_at        DATETIME(3) NULL COMMENT 'Of the first Opened, UTC; NULL: there is none',
  clicked_at       DATETIME(3) NULL COMMENT 'Of the first Clicked, UTC; NULL: there is none',
  last_event_at    DATETIME(3) NOT NULL COMMENT 'Greatest occurred_at of its events, UTC',
  PRIMARY KEY (recipient, message_id)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin
COMMENT 'One row a mail: what was asked for, and what the log says became of it'
PARTITION BY KEY (recipient) PARTITIONS 16;

CREATE TABLE email_suppressions (
  recipient     VARCHAR(254) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'EmailEvent.recipient: an address in lower case, or user:<id>',
  scope         VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'What the recipient does not get: all, or bulk mail of the list of this name',
  reason        VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'Why: hard_bounce, complaint (of all), unsubscribed (of a list)',
  suppressed_at DATETIME(3) NOT NULL COMMENT 'occurred_at, UTC, of the first event that says so',
  event_id      CHAR(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'UUID of that event',
  PRIMARY KEY (recipient, scope)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin
COMMENT 'One row a recipient and what it does not get; whether a mail is kept back is judged when it would be sent'
PARTITION BY KEY (recipient) PARTITIONS 16;

CREATE TABLE email_days (
  day      DATE NOT NULL COMMENT 'UTC day of the event that said so',
  template VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'SendRequested.template',
  outcome  VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'requested, sent, delivered, bounced_soft, bounced_hard, complained, opened, clicked; of mails that came no further in_doubt, suppressed, expired, failed',
  lane     INT NOT NULL COMMENT 'Partition of email-send that the events came by: one writer a row',
  mails    BIGINT NOT NULL COMMENT 'Mails, each once an outcome; mails whose SendRequested is not known count nowhere',
  PRIMARY KEY (day, template, outcome, lane)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin
COMMENT 'Mails by UTC day, template and outcome, a row a lane: read email_days_total';

CREATE TABLE email_outbox (
  recipient  VARCHAR(254) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'EmailEvent.recipient: an address in lower case, or user:<id>',
  message_id CHAR(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'The mail: SendRequested.message_id',
  template   VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'What it says: SendRequested.template',
  locale     VARCHAR(35) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'SendRequested.locale; empty: the contact decides',
  params     LONGTEXT NOT NULL COMMENT 'What the template asks for, of SendRequested.params, as a JSON object',
  user_id    BIGINT NULL COMMENT 'SendRequested.user_id; NULL: the recipient is no user',
  list       VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'The list of bulk mail: SendRequested.list, or the template; NULL: transactional',
  not_after  DATETIME(3) NOT NULL COMMENT 'When it is too late to send it, UTC',
  lane       INT NOT NULL COMMENT 'Partition of email-send that it came by: left alone while that lane is behind its log',
  bulk       BOOLEAN NOT NULL COMMENT 'Whether SendRequested.category is bulk: it goes last, with at most 80 percent of the rate',
  queued_at  DATETIME(3) NOT NULL COMMENT 'occurred_at of SendRequested, UTC',
  state      VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'queued, sending, retry, in_doubt (perhaps taken: tried again if there is a due_at); for good: sent, failed, bounced (no such address), expired, suppressed, closed (the log knows)',
  attempts   BIGINT NOT NULL COMMENT 'Attempts that began, and outcomes without one',
  due_at     DATETIME(3) NULL COMMENT 'When it is looked at next, UTC; while sending, when the lease ends; NULL: done with',
  lease      CHAR(36) CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'Drawn by the worker that sends it; NULL: nobody does',
  smtp_reply VARCHAR(512) NULL COMMENT 'What the server said last, or why there is nothing; NULL before the first outcome',
  settled_at DATETIME(3) NULL COMMENT 'When the last outcome was written, UTC: occurred_at of its Attempted; NULL before the first',
  reported   BOOLEAN NOT NULL COMMENT 'Whether the log acknowledged the Attempted of every outcome so far',
  PRIMARY KEY (recipient, message_id),
  KEY due (bulk, due_at, lane, reported),
  KEY unreported (reported, settled_at),
  CHECK (JSON_VALID(params))
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin
COMMENT 'One row a mail to be sent: the fold inserts it, and then it is the sender of mail who changes it. It stands outside rebuilds';

-- Mails by UTC day, template and outcome.
CREATE VIEW email_days_total AS
SELECT day, template, outcome, CAST(SUM(mails) AS SIGNED) AS mails
FROM email_days
GROUP BY day, template, outcome
HAVING SUM(mails) <> 0;

-- Every mail: what the log says of it, and how it stands in the queue (NULL: it is not there).
CREATE VIEW email_deliveries AS
SELECT message.recipient, message.message_id, message.template, message.category, message.list, message.user_id, message.requested_at,
       message.not_after, message.state, message.attempts, message.last_reply, message.sent_at, message.delivered_at, message.bounced_at,
       message.complained_at, message.opened_at, message.clicked_at, outbox.state AS queue_state, outbox.attempts AS queue_attempts,
       outbox.due_at, outbox.smtp_reply, outbox.settled_at, outbox.reported
FROM email_messages AS message
LEFT JOIN email_outbox AS outbox ON outbox.recipient = message.recipient AND outbox.message_id = message.message_id;

CREATE TABLE email_ledger LIKE test_results_ledger;
ALTER TABLE email_ledger COMMENT 'One row a partition of email-send: who works it, and how far the tables above are';

INSERT INTO email_ledger (partition_id, shard)
VALUES (0, 0), (1, 0), (2, 0), (3, 0), (4, 0), (5, 0), (6, 0), (7, 0), (8, 0), (9, 0),
       (10, 0), (11, 0), (12, 0), (13, 0), (14, 0), (15, 0), (16, 0), (17, 0), (18, 0), (19, 0);
