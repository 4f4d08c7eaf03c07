//! The rows of payments: one struct a table, as the migration has them, where the columns are explained.
//!
//! Nothing is computed here.

use std::sync::Arc;

use uuid::Uuid;

use crate::{
    fold::{Day, Json, Time},
    row,
};

/// A payment: what its events come to, and the events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    pub payment_id: Arc<str>,
    pub created_at: Time,
    pub user_id: i64,
    pub order_id: Arc<str>,
    pub currency: Arc<str>,
    pub status: Arc<str>,
    pub amount: Option<i64>,
    pub authorised: Option<i64>,
    pub captured: Option<i64>,
    pub refunded: i64,
    pub refund_pending: i64,
    pub disputed: i64,
    pub provider_ref: Option<Arc<str>>,
    pub failures: i64,
    pub last_failure_code: Option<Arc<str>>,
    pub succeeded_at: Option<Time>,
    pub canceled_at: Option<Time>,
    pub facts: Json,
    pub announced: Json,
    pub last_event_at: Time,
}
row!(
    Payment,
    State,
    "payments",
    [payment_id, created_at],
    [
        user_id,
        order_id,
        currency,
        status,
        amount,
        authorised,
        captured,
        refunded,
        refund_pending,
        disputed,
        provider_ref,
        failures,
        last_failure_code,
        succeeded_at,
        canceled_at,
        facts,
        announced,
        last_event_at,
    ]
);

/// A refund of a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refund {
    pub payment_id: Arc<str>,
    pub created_at: Time,
    pub refund_id: Arc<str>,
    pub amount: Option<i64>,
    pub state: Arc<str>,
    pub requested_at: Option<Time>,
    pub settled_at: Option<Time>,
    pub last_event_at: Time,
}
row!(Refund, State, "payment_refunds", [payment_id, created_at, refund_id], [amount, state, requested_at, settled_at, last_event_at]);

/// A dispute of a captured payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dispute {
    pub payment_id: Arc<str>,
    pub created_at: Time,
    pub dispute_id: Arc<str>,
    pub amount: i64,
    pub state: Arc<str>,
    pub opened_at: Time,
    pub closed_at: Option<Time>,
    pub last_event_at: Time,
}
row!(Dispute, State, "payment_disputes", [payment_id, created_at, dispute_id], [amount, state, opened_at, closed_at, last_event_at]);

/// An event that was set aside, beside the one that it contradicts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantined {
    pub payment_id: Arc<str>,
    pub created_at: Time,
    pub event_id: Uuid,
    pub reason: Arc<str>,
    pub event: Json,
    pub conflicts_with: Json,
    pub last_event_at: Time,
}
row!(Quarantined, State, "payment_quarantine", [payment_id, created_at, event_id], [reason, event, conflicts_with, last_event_at]);

/// A line of the books: a debit or a credit of one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerEntry {
    pub payment_id: Arc<str>,
    pub created_at: Time,
    pub event_id: Uuid,
    pub line: i32,
    pub account: Arc<str>,
    pub debit: i64,
    pub credit: i64,
    pub currency: Arc<str>,
    pub occurred_at: Time,
    pub last_event_at: Time,
}
row!(
    LedgerEntry,
    State,
    "ledger_entries",
    [payment_id, created_at, event_id, line],
    [account, debit, credit, currency, occurred_at, last_event_at]
);

/// Steps of a day's revenue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevenueDay {
    pub day: Day,
    pub currency: Arc<str>,
    pub gross: i64,
    pub refunds: i64,
    pub disputes: i64,
    pub net: i64,
}
row!(RevenueDay, Counter, "revenue_days", [day, currency], [gross, refunds, disputes, net]);
