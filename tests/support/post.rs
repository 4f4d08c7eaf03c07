//! A post: a world with a mail server, requests for mails, and what became of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{SystemTime, UNIX_EPOCH},
};

use serde_json::{Value as Json, json};

use super::{
    Seed, Worker, World, events, mails,
    smtp::{Smtp, Taken},
    soon,
    wait::when,
};

/// A template that may be sent again, and one that may not; with what each asks for.
pub const TWICE: &str = "receipt";
pub const ONCE: &str = "achievement";

/// A world and its mail server.
pub struct Post {
    pub world: World,
    pub server: Smtp,
}

/// A mail as asked for.
#[derive(Clone, Debug)]
pub struct Asked {
    pub recipient: String,
    pub message_id: String,
    pub event: Json,
}

/// A mail as its queue has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub state: String,
    pub attempts: i64,
    pub reply: String,
    /// From the outcome's record until the next try, in seconds.
    pub rest: Option<i64>,
    pub is_reported: bool,
}

/// The present, in milliseconds.
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock");
    i64::try_from(since.as_millis()).expect("a time")
}

/// An address that no other mail of the test goes to.
pub fn address(seed: &mut Seed) -> String {
    format!("{}@example.org", &events::id(seed)[..13])
}

/// A request for a mail.
pub fn ask(seed: &mut Seed, template: &str, recipient: &str) -> Asked {
    let message_id = events::id(seed);
    let params = match template {
        TWICE => json!({"order_id": "A-17", "amount": "1999", "currency": "EUR", "paid_on": "2026-05-13"}),
        _ => json!({"title": "Früh ✓ auf", "description": "Ten days <in> a row", "points": "50"}),
    };
    let category = if template == TWICE { "transactional" } else { "bulk" };
    let request = json!({
        "message_id": message_id, "template": template, "locale": "de", "params": params, "user_id": 0, "category": category,
    });
    let event = event(seed, recipient, now(), json!({ "SendRequested": request }));
    Asked { recipient: recipient.to_owned(), message_id, event }
}

/// Requests for so many mails, each to an address of its own.
pub fn ask_many(seed: &mut Seed, template: &str, count: usize) -> Vec<Asked> {
    (0..count)
        .map(|_| {
            let to = address(seed);
            ask(seed, template, &to)
        })
        .collect()
}

/// An event of the topic of mails.
pub fn event(seed: &mut Seed, recipient: &str, occurred_at: i64, body: Json) -> Json {
    json!({ "event_id": events::id(seed), "occurred_at": occurred_at, "recipient": recipient, "body": body })
}

impl Post {
    /// A world whose workers send through a server, and wait a second for it.
    pub fn new(name: &str) -> Self {
        let mut world = World::new(name);
        let server = world.mail_server();
        world.variables.insert("FLEET_SMTP_URL", server.url());
        world.variables.insert("FLEET_SMTP_FROM", "Fleet ✓ <fleet@example.org>".to_owned());
        world.variables.insert("FLEET_SMTP_UNSUBSCRIBE_URL", "https://example.org/unsubscribe".to_owned());
        world.variables.insert("FLEET_SMTP_TIMEOUT", "1".to_owned());
        world.variables.insert("FLEET_KAFKA_SESSION_TIMEOUT_MS", "2000".to_owned());
        Self { world, server }
    }

    pub fn worker(&self) -> Worker {
        self.world.worker(mails().name)
    }

    pub fn send(&self, asked: &[Asked]) {
        let events: Vec<Json> = asked.iter().map(|it| it.event.clone()).collect();
        self.world.send(mails().topic, &events);
    }

    /// The queue, by mail.
    pub fn queue(&self) -> Result<BTreeMap<String, Row>, String> {
        let rows = self.world.database.try_rows(
            "SELECT message_id, state, attempts, COALESCE(smtp_reply, ''), TIMESTAMPDIFF(SECOND, settled_at, due_at), reported FROM email_outbox",
        )?;
        let row = |mut row: Vec<Option<String>>| {
            let mut next = || row.remove(0);
            let (id, state, attempts) = (next().unwrap_or_default(), next().unwrap_or_default(), next().unwrap_or_default());
            let (reply, rest, reported) = (next().unwrap_or_default(), next(), next());
            let attempts = attempts.parse().expect("a number");
            let rest = rest.map(|it| it.parse().expect("a number"));
            (id, Row { state, attempts, reply, rest, is_reported: reported.as_deref() == Some("1") })
        };
        Ok(rows.into_iter().map(row).collect())
    }

    /// Waits until every one of these mails is in one of these states, and the log knows it.
    pub fn await_states(&self, asked: &[Asked], states: &[&str]) {
        soon(&format!("{} mails to be {states:?}", asked.len()), || {
            let queue = self.queue()?;
            let done = |it: &&Asked| queue.get(&it.message_id).is_some_and(|it| it.is_reported && states.contains(&it.state.as_str()));
            let undone: Vec<&Asked> = asked.iter().filter(|it| !done(it)).collect();
            when(undone.is_empty(), || {
                format!("{} are not, like {:?}", undone.len(), undone.first().and_then(|it| queue.get(&it.message_id)))
            })
        });
    }

    /// A column of a mail in the queue.
    pub fn column(&self, asked: &Asked, column: &str) -> Option<String> {
        let query = format!("SELECT {column} FROM email_outbox WHERE message_id = '{}'", asked.message_id);
        self.world.database.rows(&query).remove(0).remove(0)
    }

    /// Makes all that waits for a later try, or for a lease's end, due now, as if that time had passed.
    pub fn hurry(&self) {
        let hurry = "UPDATE email_outbox SET due_at = UTC_TIMESTAMP(3) WHERE due_at IS NOT NULL";
        self.world.database.run(hurry).expect("the queue");
    }

    /// The mails that arrived for a recipient.
    pub fn arrived(&self, recipient: &str) -> Vec<Taken> {
        self.server.taken().into_iter().filter(|it| it.to == recipient).collect()
    }

    /// Each of these mails arrived exactly once, and nothing else did.
    pub fn assert_once(&self, asked: &[Asked]) {
        let counts = self.server.counts();
        let more: Vec<_> = counts.iter().filter(|(_, count)| **count > 1).collect();
        assert!(more.is_empty(), "arrived more than once: {more:?}");
        let wanted: BTreeSet<&String> = asked.iter().map(|it| &it.recipient).collect();
        let found: BTreeSet<&String> = counts.keys().collect();
        assert_eq!(found.symmetric_difference(&wanted).count(), 0, "{} of {} arrived", found.len(), wanted.len());
    }

    /// Outcomes in the log, by mail: attempt and what came of it, each event once, in the log's order.
    pub fn told(&self) -> BTreeMap<String, Vec<(i64, String)>> {
        let topic = mails().topic;
        let mut seen = BTreeSet::new();
        let mut told: BTreeMap<String, Vec<(i64, String)>> = BTreeMap::new();
        for record in self.world.log.read(&self.world.topic(topic)) {
            let event = record.event(topic);
            let attempted = &event["body"]["Attempted"];
            if attempted.is_null() || !seen.insert(event["event_id"].to_string()) {
                continue;
            }
            let id = attempted["message_id"].as_str().expect("an id").to_owned();
            let outcome = attempted["outcome"].as_str().expect("an outcome").to_owned();
            told.entry(id).or_default().push((attempted["attempt"].as_i64().expect("a number"), outcome));
        }
        told
    }
}
