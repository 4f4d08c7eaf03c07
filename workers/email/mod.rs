//! Email: mails to be sent, what became of them, and whom not to write to, from `email-send`.
//!
//! It sends nothing: the fold makes rows of a queue, and the shell's drain asks here what to do with each.

mod drain;
mod event;
mod fold;
mod render;
mod reply;
mod rows;
mod schedule;
mod templates;
#[cfg(test)]
mod tests;
mod words;

use uuid::Uuid;

use rows::{EmailContact, EmailDay, EmailHistory, EmailMessage, EmailOutbox, EmailSuppression};

use crate::fold::{Event, Parsed, Reject, Role, Row, Stop, Tables, Time, Topic, decode};

pub use event::{Attempted, Body, BounceKind, Bounced, Category, ContactSet, EmailEvent, Mail, Outcome, SendRequested, Unsubscribed};

/// The role.
pub static ROLE: Role = Role {
    name: "email",
    about: "mails, what became of each, contacts and suppressions; its drain sends them",
    topic: &TOPIC,
    decode: decode::<EmailEvent>,
    ledger: "email_ledger",
    tables: &[EmailHistory::TABLE, EmailContact::TABLE, EmailMessage::TABLE, EmailSuppression::TABLE, EmailDay::TABLE, EmailOutbox::TABLE],
    caches: &[],
    emits: &[&TOPIC],
    catalogues: &[],
    drains: &[&drain::DRAIN],
    counts: &[],
};

/// The topic of mails, also derived by other roles.
pub static TOPIC: Topic = Topic {
    name: "email-send",
    key: "recipient",
    partitions: 20,
    retention_ms: -1,
    schema: include_str!("../../schemas/email-send.avsc"),
    examples: include_str!("../../schemas/email-send.examples.ndjson"),
    rate: 1_000,
    freshness_ms: 5_000,
    parsed: Parsed::new(),
};

impl Event for EmailEvent {
    fn event_id(&self) -> Uuid {
        self.event_id
    }

    fn occurred_at(&self) -> Time {
        self.occurred_at
    }

    fn key(&self) -> String {
        self.recipient.to_string()
    }

    fn check(&self) -> Result<(), Reject> {
        self.check()
    }

    fn apply(&self, tables: &mut Tables<'_>) -> Result<(), Stop> {
        fold::apply(self, tables)
    }
}
