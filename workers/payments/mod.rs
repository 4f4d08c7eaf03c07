//! Payments: what each payment's events come to, its refunds and disputes, and the books, from `payment-events`.
//!
//! Events come late, twice and in any order; each new one folds the payment's whole set again, and the rows that differ are written.
//! It moves no money and asks no provider.

mod derived;
mod disputes;
mod event;
mod facts;
mod machine;
mod refunds;
mod rows;
mod standing;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

pub use event::{Body, Outcome, PaymentEvent};
use facts::{Fact, Facts};
use rows::{Dispute, LedgerEntry, Payment, Quarantined, Refund, RevenueDay};
use standing::{Key, Standing, sum};

use crate::{
    achievements, email,
    fold::{self, Family, Form, Gathered, Parsed, Reject, Role, Row, Stop, Tables, Topic, decode},
};

/// The role's line of the table.
pub static ROLE: Role = Role {
    name: "payments",
    about: "payments with their refunds and disputes, double-entry books, revenue by day",
    topic: &TOPIC,
    decode: decode::<PaymentEvent>,
    ledger: "payments_ledger",
    tables: &[Payment::TABLE, Refund::TABLE, Dispute::TABLE, Quarantined::TABLE, LedgerEntry::TABLE, RevenueDay::TABLE],
    caches: &[&TRANSACTIONS],
    emits: &[&achievements::TOPIC, &email::TOPIC],
    counts: &[],
    drains: &[],
    catalogues: &[],
};

/// The topic of what happens to payments.
pub static TOPIC: Topic = Topic {
    name: "payment-events",
    key: "payment_id",
    partitions: 10,
    retention_ms: -1,
    schema: include_str!("../../schemas/payment-events.avsc"),
    examples: include_str!("../../schemas/payment-events.examples.ndjson"),
    rate: 500,
    freshness_ms: 1_000,
    parsed: Parsed::new(),
};

/// `user:{user_id}:transactions`: the user's newest payments, for a quarter of an hour. They lie in many lanes.
static TRANSACTIONS: Family = Family {
    name: "transactions",
    table: Payment::TABLE,
    form: Form::Gathered(Gathered {
        key: "user:{user_id}:transactions",
        owner: "user_id",
        order: &["created_at", "payment_id"],
        most: 10,
        columns: &[
            "payment_id",
            "created_at",
            "order_id",
            "currency",
            "status",
            "amount",
            "captured",
            "refunded",
            "refund_pending",
            "disputed",
            "succeeded_at",
        ],
        ttl_s: 900,
    }),
};

/// The fold: the payment's set with this event, and every row that this changes.
fn apply(event: &PaymentEvent, tables: &mut Tables<'_>) -> Result<(), Stop> {
    let key = Key::of(event);
    let held = tables.get::<Payment>((key.payment_id.clone(), key.created_at))?;
    let facts = held.as_ref().map_or_else(|| Ok(Facts::default()), |it| Facts::read(&it.facts))?;
    let Some(more) = facts.with(Fact::of(event))? else {
        tables.repeated();
        return Ok(());
    };
    let (before, after) = (Standing::of(&key, &facts)?, Standing::of(&key, &more)?);
    replace(tables, &before.refunds, &after.refunds)?;
    replace(tables, &before.disputes, &after.disputes)?;
    replace(tables, &before.quarantine, &after.quarantine)?;
    replace(tables, &before.entries, &after.entries)?;
    step_revenue(&before, &after, tables)?;
    let announced = derived::announce(event, held.as_ref(), &after, tables)?;
    let payment = after.payment.ok_or_else(|| Reject::new("a set with an event has no payment"))?;
    tables.cache(&TRANSACTIONS, (payment.user_id,))?;
    // An earlier event that comes late may turn the payment over to another user.
    if let Some(held) = held.filter(|it| it.user_id != payment.user_id) {
        tables.cache(&TRANSACTIONS, (held.user_id,))?;
    }
    tables.put(&Payment { announced, ..payment })
}

/// Puts the rows that are new or differ, and deletes those that are no more.
fn replace<R: Row + PartialEq>(tables: &mut Tables<'_>, before: &[R], after: &[R]) -> Result<(), Stop> {
    let by_key = |rows: &[R]| -> BTreeMap<fold::Key, usize> {
        let key = |row: &R| row.to_values().into_iter().take(R::TABLE.key).collect();
        rows.iter().enumerate().map(|(place, row)| (key(row), place)).collect()
    };
    let (old, new) = (by_key(before), by_key(after));
    for key in old.keys().filter(|it| !new.contains_key(*it)) {
        tables.delete::<R>(key.clone())?;
    }
    for (key, place) in new {
        let was = old.get(&key).and_then(|it| before.get(*it));
        match after.get(place) {
            Some(row) if was != Some(row) => tables.put(row)?,
            _ => {}
        }
    }
    Ok(())
}

/// Adds to each day's revenue what this payment's share of it changed by.
fn step_revenue(before: &Standing, after: &Standing, tables: &mut Tables<'_>) -> Result<(), Stop> {
    let days: BTreeSet<_> = before.revenue.keys().chain(after.revenue.keys()).collect();
    for key in days {
        let share = |it: &Standing| it.revenue.get(key).copied().unwrap_or_default();
        let ([gross, refunds, disputes], [old_gross, old_refunds, old_disputes]) = (share(after), share(before));
        let (gross, refunds, disputes) = (sum(gross, -old_gross)?, sum(refunds, -old_refunds)?, sum(disputes, -old_disputes)?);
        if (gross, refunds, disputes) != (0, 0, 0) {
            let net = sum(gross, -sum(refunds, disputes)?)?;
            tables.add(&RevenueDay { day: key.0, currency: key.1.clone(), gross, refunds, disputes, net })?;
        }
    }
    Ok(())
}
