//! A role of the tests alone, which uses every verb: the fold machine is tested by it, and no role of the product has to bend.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;
use workers::{
    fold::{
        Day, Document, Event, Family, Field, Form, Json, Parsed, Reject, Role, Row, Stop, Tables, Time, Topic, body_hash, check_within,
        decode, event_id,
    },
    row,
};

pub static THINGS: Topic = Topic {
    name: "things",
    key: "user_id",
    partitions: 3,
    retention_ms: -1,
    schema: r#"{"type": "record", "name": "Thing", "namespace": "fleet", "fields": [
        {"name": "event_id", "type": "string"},
        {"name": "occurred_at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "user_id", "type": "long"},
        {"name": "what", "type": {"type": "enum", "name": "What", "symbols": ["best", "clear", "drop", "spend"]}},
        {"name": "category", "type": "string"},
        {"name": "score", "type": "long", "default": 1}
    ]}"#,
    examples: "",
    rate: 1,
    freshness_ms: 1,
    parsed: Parsed::new(),
};

pub static ECHOES: Topic = Topic {
    name: "echoes",
    schema: r#"{"type": "record", "name": "Echo", "namespace": "fleet", "fields": [
        {"name": "event_id", "type": "string"}, {"name": "user_id", "type": "long"}, {"name": "score", "type": "long"}
    ]}"#,
    key: "user_id",
    partitions: 3,
    retention_ms: -1,
    examples: "",
    rate: 1,
    freshness_ms: 1,
    parsed: Parsed::new(),
};

static PURSE: Family = Family {
    name: "purse",
    table: Purse::TABLE,
    form: Form::Document(Document { key: "user:{user_id}:purse", column: "document", ttl_s: 60 }),
};

pub static ROLE: Role = Role {
    name: "things",
    about: "what the fold machine is tested by",
    topic: &THINGS,
    decode: decode::<Thing>,
    ledger: "things_ledger",
    tables: &[Seen::TABLE, Best::TABLE, Purse::TABLE, ThingDays::TABLE, Outbox::TABLE],
    caches: &[&PURSE],
    emits: &[&ECHOES],
    drains: &[],
    counts: &["not_better"],
    catalogues: &[],
};

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum What {
    Best,
    Clear,
    Drop,
    Spend,
}

fn one() -> i64 {
    1
}

#[derive(Deserialize)]
pub struct Thing {
    #[serde(deserialize_with = "event_id")]
    event_id: Uuid,
    occurred_at: Time,
    user_id: i64,
    what: What,
    category: String,
    #[serde(default = "one")]
    score: i64,
}

struct Seen {
    user_id: i64,
    occurred_at: Time,
    event_id: Uuid,
    body_hash: i64,
}
row!(Seen, History, "thing_events", [user_id, occurred_at, event_id], [body_hash]);

struct Best {
    user_id: i64,
    category: Arc<str>,
    score: i64,
    event_id: Uuid,
}
row!(Best, State, "thing_bests", [user_id, category], [score, event_id]);

struct Purse {
    user_id: i64,
    sum: i64,
    document: Json,
}
row!(Purse, State, "thing_purses", [user_id], [sum, document]);

struct ThingDays {
    day: Day,
    category: Arc<str>,
    score: i64,
    events: i64,
}
row!(ThingDays, Counter, "thing_days", [day, category], [score, events]);

struct Outbox {
    user_id: i64,
    event_id: Uuid,
    score: i64,
}
row!(Outbox, Queue, "thing_outbox", [user_id, event_id], [score]);

#[derive(Serialize)]
struct Echo {
    event_id: String,
    user_id: i64,
    score: i64,
}

impl Event for Thing {
    fn event_id(&self) -> Uuid {
        self.event_id
    }
    fn occurred_at(&self) -> Time {
        self.occurred_at
    }
    fn key(&self) -> String {
        self.user_id.to_string()
    }
    fn check(&self) -> Result<(), Reject> {
        check_within("score", self.score, 0..=1_000)
    }
    fn apply(&self, tables: &mut Tables<'_>) -> Result<(), Stop> {
        let hash = body_hash(&[(self.what as i64).to_value(), self.category().to_value(), self.score.to_value()]);
        let seen = Seen { user_id: self.user_id, occurred_at: self.occurred_at, event_id: self.event_id, body_hash: hash };
        if tables.seen(&seen)? {
            return Ok(());
        }
        match self.what {
            What::Best => self.best(tables)?,
            What::Clear => self.clear(tables)?,
            // Blind: whether there is such a row is not asked.
            What::Drop => tables.delete::<Best>((self.user_id, self.category()))?,
            What::Spend => self.spend(tables)?,
        }
        tables.append(&seen)
    }
}

impl Thing {
    fn category(&self) -> Arc<str> {
        self.category.as_str().into()
    }

    fn best(&self, tables: &mut Tables<'_>) -> Result<(), Stop> {
        let held = tables.get::<Best>((self.user_id, self.category()))?;
        if held.is_some_and(|it| it.score >= self.score) {
            tables.count("not_better");
        } else {
            tables.put(&Best { user_id: self.user_id, category: self.category(), score: self.score, event_id: self.event_id })?;
        }
        tables.add(&ThingDays { day: self.occurred_at.day(), category: self.category(), score: self.score, events: 1 })?;
        self.earn(tables, self.score)
    }

    /// Deletes the best, and takes its score back from the day of this event.
    fn clear(&self, tables: &mut Tables<'_>) -> Result<(), Stop> {
        let Some(best) = tables.get::<Best>((self.user_id, self.category()))? else { return Ok(()) };
        tables.delete::<Best>((self.user_id, self.category()))?;
        tables.add(&ThingDays { day: self.occurred_at.day(), category: self.category(), score: -best.score, events: -1 })
    }

    /// Refused where the purse does not hold as much: whether it does depends on rows.
    fn spend(&self, tables: &mut Tables<'_>) -> Result<(), Stop> {
        self.earn(tables, -self.score)?;
        tables.enqueue(&Outbox { user_id: self.user_id, event_id: self.event_id, score: self.score })?;
        tables.emit("spent", &ECHOES, |id| {
            (self.user_id.to_string(), Echo { event_id: id.to_string(), user_id: self.user_id, score: self.score })
        })
    }

    fn earn(&self, tables: &mut Tables<'_>, step: i64) -> Result<(), Stop> {
        let sum = tables.get::<Purse>((self.user_id,))?.map_or(0, |it| it.sum) + step;
        if sum < 0 {
            return Err(Reject::new("the purse does not hold as much").into());
        }
        let document = Json(format!("{{\"sum\":{sum}}}").into());
        tables.put(&Purse { user_id: self.user_id, sum, document })?;
        tables.cache(&PURSE, (self.user_id,))
    }
}
