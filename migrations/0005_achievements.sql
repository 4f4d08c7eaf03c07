-- The role achievements: its facts' identities, progress, what is unlocked, users' documents, the catalogue, and its ledger.

CREATE TABLE achievement_facts (
  user_id     BIGINT      NOT NULL COMMENT 'The user, above 0; AchievementFact.user_id',
  occurred_at DATETIME(3) NOT NULL COMMENT 'When it was done, UTC; AchievementFact.occurred_at',
  event_id    CHAR(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'UUID, lower case; AchievementFact.event_id',
  body_hash   BIGINT      NOT NULL COMMENT 'XXH3-64 of fact, value and tags: the same identity with another hash is refused',
  PRIMARY KEY (user_id, occurred_at, event_id)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin
COMMENT 'One row an applied fact that some rule names: its identity, so that a repeat changes nothing'
PARTITION BY RANGE COLUMNS (occurred_at) (PARTITION later VALUES LESS THAN (MAXVALUE));

CREATE TABLE achievement_progress (
  user_id         BIGINT      NOT NULL COMMENT 'The user, above 0; AchievementFact.user_id',
  achievement_id  VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'The achievement, as in achievements',
  version         BIGINT      NOT NULL COMMENT 'Version of its rule, from 1: a new one counts anew',
  value           BIGINT      NOT NULL COMMENT 'How far, by the rule: facts, the sum or the greatest of AchievementFact.value, different values of a tag (at most the top target), or the longest run of days',
  distinct_values LONGTEXT    NULL COMMENT 'JSON array of the values of the tag in order, the least where there are more than the top target; NULL of rules that count otherwise',
  days            LONGTEXT    NULL COMMENT 'JSON object of all days, for runs of days: bit n of the number under b is day 32 b + n since 1970; NULL of rules that count otherwise',
  last_event_at   DATETIME(3) NOT NULL COMMENT 'Greatest occurred_at, UTC, of the facts that counted',
  PRIMARY KEY (user_id, achievement_id, version),
  CHECK (JSON_VALID(distinct_values)),
  CHECK (JSON_VALID(days))
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin
COMMENT 'One row a user, achievement and version of its rule: how far the user is'
PARTITION BY HASH (user_id) PARTITIONS 16;

CREATE TABLE user_achievements (
  user_id        BIGINT      NOT NULL COMMENT 'The user, above 0; AchievementFact.user_id',
  achievement_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'The achievement, as in achievements',
  tier           BIGINT      NOT NULL COMMENT 'The tier, from 1, as in achievements',
  version        BIGINT      NOT NULL COMMENT 'Version of the rule that unlocked it',
  points         BIGINT      NOT NULL COMMENT 'What it was worth when it was unlocked',
  unlocked_at    DATETIME(3) NOT NULL COMMENT 'occurred_at, UTC, of the fact that unlocked it when it arrived; facts that arrived later may lie before it',
  event_id       CHAR(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'UUID of that fact',
  last_event_at  DATETIME(3) NOT NULL COMMENT 'As unlocked_at: the row never changes',
  PRIMARY KEY (user_id, achievement_id, tier)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin
COMMENT 'One row a tier that a user unlocked: once and for good, whatever the rules say later'
PARTITION BY HASH (user_id) PARTITIONS 4;

CREATE TABLE achievement_standings (
  user_id       BIGINT      NOT NULL COMMENT 'The user, above 0; AchievementFact.user_id',
  progress      LONGTEXT    NOT NULL COMMENT 'JSON object by achievement_id: version, value, tier (the highest reached, 0: none), target (of the next tier, null: none), last_event_at (ms since 1970)',
  last_event_at DATETIME(3) NOT NULL COMMENT 'Greatest occurred_at, UTC, of the facts that counted',
  PRIMARY KEY (user_id),
  CHECK (JSON_VALID(progress))
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin
COMMENT 'One row a user: the document of all progress, as it stands in Redis; figures are in achievement_progress'
PARTITION BY HASH (user_id) PARTITIONS 16;

CREATE TABLE achievement_totals (
  user_id       BIGINT      NOT NULL COMMENT 'The user, above 0; AchievementFact.user_id',
  points        BIGINT      NOT NULL COMMENT 'Sum of user_achievements.points',
  tiers         BIGINT      NOT NULL COMMENT 'Rows of user_achievements',
  unlocked      LONGTEXT    NOT NULL COMMENT 'JSON object by achievement_id of arrays in the order of tiers: tier, points, unlocked_at (ms since 1970), event_id',
  last_event_at DATETIME(3) NOT NULL COMMENT 'Greatest user_achievements.unlocked_at, UTC',
  PRIMARY KEY (user_id),
  CHECK (JSON_VALID(unlocked))
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin
COMMENT 'One row a user with anything unlocked: what it adds up to, and the document of it as it stands in Redis'
PARTITION BY HASH (user_id) PARTITIONS 16;

CREATE TABLE achievements (
  achievement_id VARCHAR(64)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'The achievement: a name for good',
  tier           BIGINT       NOT NULL COMMENT 'The tier, from 1',
  version        BIGINT       NOT NULL COMMENT 'Version of the rule, from 1',
  title          VARCHAR(255) NOT NULL COMMENT 'For people',
  description    VARCHAR(255) NOT NULL COMMENT 'For people: what is to be done',
  fact           VARCHAR(64)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'The AchievementFact.fact that counts',
  conditions     LONGTEXT     NOT NULL COMMENT 'JSON object of what must hold of it: tags (equal), min and max of its value (null: no bound)',
  progress       VARCHAR(16)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'How facts add up: count, sum, max, distinct or day_streak',
  tag            VARCHAR(32)  NULL COMMENT 'The tag whose different values are counted; NULL of rules that count otherwise',
  target         BIGINT       NOT NULL COMMENT 'The value of achievement_progress that reaches the tier',
  points         BIGINT       NOT NULL COMMENT 'What it is worth',
  retired        BOOLEAN      NOT NULL COMMENT 'Whether the rules have it no more: then nobody unlocks it, and those who did keep it',
  PRIMARY KEY (achievement_id, tier),
  CHECK (JSON_VALID(conditions))
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin
COMMENT 'The catalogue: one row a tier of an achievement. `fleet migrate` makes it from the rules of the program; nothing else writes it';

CREATE TABLE achievements_ledger LIKE test_results_ledger;
ALTER TABLE achievements_ledger COMMENT 'One row a partition of achievement-events: who works it, and how far the tables above are';

INSERT INTO achievements_ledger (partition_id, shard)
VALUES (0, 0), (1, 0), (2, 0), (3, 0), (4, 0), (5, 0), (6, 0), (7, 0), (8, 0), (9, 0);
