//! Email: the topic of mails to be sent and of what became of them.
//!
//! It sends nothing: the fold makes rows of a queue, and a drain sends what lies there.

mod event;
#[cfg(test)]
mod tests;

use crate::fold::{Parsed, Topic};

pub use event::{Attempted, Body, BounceKind, Bounced, Category, ContactSet, EmailEvent, Mail, Outcome, SendRequested, Unsubscribed};

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
