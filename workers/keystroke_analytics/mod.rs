//! Keystroke analytics: how fast, how evenly and how rightly each user types, from `keystroke-analytics`.
//!
//! Sessions become figures, and steps of statistics that merge in any order. When a key was pressed is kept nowhere, and what a user
//! typed neither: nothing of it may stand in a row, a reason or a log.

mod distance;
mod event;
mod figures;
mod histogram;
mod insights;
mod rows;
mod statistics;
mod strokes;
#[cfg(test)]
mod tests;

use event::KeystrokeSession;
use rows::{Insights, Session, Statistics};
use statistics::Open;

use crate::fold::{Parsed, Role, Row, Stop, Tables, Topic, decode};

const DAY_MS: i64 = 86_400_000;

/// The topic of typing sessions. Its log is kept for 14 days only: it says when each key was pressed.
pub static TOPIC: Topic = Topic {
    name: "keystroke-analytics",
    key: "user_id",
    partitions: 20,
    retention_ms: 14 * DAY_MS,
    schema: include_str!("../../schemas/keystroke-analytics.avsc"),
    examples: include_str!("../../schemas/keystroke-analytics.examples.ndjson"),
    rate: 2_000,
    freshness_ms: 5_000,
    parsed: Parsed::new(),
};

/// The role's line of the table.
pub static ROLE: Role = Role {
    name: "keystroke-analytics",
    about: "figures of every typing session; statistics of each user's keys, digraphs and confusions; insights",
    topic: &TOPIC,
    decode: decode::<KeystrokeSession>,
    ledger: "keystroke_analytics_ledger",
    tables: &[Session::TABLE, Statistics::TABLE, Insights::TABLE],
    caches: &[&insights::FAMILY],
    emits: &[],
    counts: &[],
    drains: &[],
    catalogues: &[],
};

/// The fold: what one session changes.
fn apply(event: &KeystrokeSession, tables: &mut Tables<'_>) -> Result<(), Stop> {
    let presses = strokes::in_order(&event.keys);
    let mut session = Session::of(event, &presses);
    if tables.seen(&session)? {
        return Ok(());
    }
    let before = tables.get::<Statistics>((event.user_id, session.layout.clone()))?.unwrap_or_else(|| Statistics::new(&session));
    let insights = tables.get::<Insights>((event.user_id,))?.unwrap_or_else(|| Insights::new(&session));
    session.measure(event, &presses);
    let mut open = Open::of(&before)?;
    open.add(&presses)?;
    tables.put(&open.close(&session, &before)?)?;
    tables.put(&insights.after(&session, &open)?)?;
    tables.append(&session)?;
    tables.cache(&insights::FAMILY, (event.user_id,))
}
