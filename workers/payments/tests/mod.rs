//! Payments' tests: events of one payment, and what they come to.
//!
//! Events are made at minutes of one day; their ids follow from their place, so that each is another event.

mod any_order;
mod bounds;
mod judged;
mod told;
mod whole;

use uuid::Uuid;

use super::{rows::*, *};
use crate::fold::{Changes, Entry, Fold, Model, Presume, Progress, Time};

/// 2024-05-13T12:00:00Z.
const NOON: Time = Time(1_715_601_600_000);
const MINUTE: i64 = 60_000;

/// An event of payment `p`, of user 1 in EUR, at a minute after noon.
fn event(id: u128, minute: i64, body: Body) -> PaymentEvent {
    PaymentEvent {
        event_id: Uuid::from_u128(id),
        occurred_at: NOON.plus(minute * MINUTE),
        payment_id: "p".into(),
        created_at: NOON,
        order_id: "o".into(),
        user_id: 1,
        currency: "EUR".into(),
        body,
    }
}

/// Events of payment `p`, a minute apart, the first at noon.
fn events(bodies: &[Body]) -> Vec<PaymentEvent> {
    (0..).zip(bodies).map(|(minute, body)| event(minute as u128 + 1, minute, body.clone())).collect()
}

fn created(amount: i64) -> Body {
    Body::Created { amount }
}
fn authorised(amount: i64) -> Body {
    Body::Authorised { amount }
}
fn succeeded(amount: i64) -> Body {
    Body::Succeeded { amount, provider_ref: format!("ref {amount}").into() }
}
fn failed(code: &str) -> Body {
    Body::Failed { code: code.into(), message: "no".into() }
}
fn canceled() -> Body {
    Body::Canceled { reason: "no".into() }
}
fn requested(id: &str, amount: i64) -> Body {
    Body::RefundRequested { refund_id: id.into(), amount }
}
fn refunded(id: &str) -> Body {
    Body::RefundSucceeded { refund_id: id.into() }
}
fn refund_failed(id: &str) -> Body {
    Body::RefundFailed { refund_id: id.into(), code: "closed".into() }
}
fn opened(id: &str, amount: i64) -> Body {
    Body::DisputeOpened { dispute_id: id.into(), amount }
}
fn closed(id: &str, outcome: Outcome) -> Body {
    Body::DisputeClosed { dispute_id: id.into(), outcome }
}

fn entry(event: &PaymentEvent) -> Entry {
    Entry { offset: 0, timestamp: event.occurred_at, event: Ok(Box::new(event.clone())) }
}

/// One batch of events, from nothing.
fn changes(events: &[PaymentEvent]) -> Changes {
    let batch: Vec<Entry> = events.iter().map(entry).collect();
    let mut fold = Fold::new(&ROLE, 0, Presume::Everything, usize::MAX);
    assert_eq!(fold.advance(&batch), Progress::Done);
    fold.take()
}

/// The tables after events that are all accepted.
fn after(events: &[PaymentEvent]) -> Model {
    let changes = changes(events);
    assert_eq!(changes.rejects, []);
    let mut model = Model::new(&ROLE);
    model.apply(&changes).unwrap();
    model
}

/// All rows of a table.
fn rows<R: Row>(model: &Model) -> Vec<R> {
    let place = ROLE.tables.iter().position(|it| it.name == R::TABLE.name).unwrap();
    model.rows(place).map(|it| R::from_values(it).unwrap()).collect()
}

/// The one payment after these.
fn payment(bodies: &[Body]) -> Payment {
    let mut rows = rows::<Payment>(&after(&events(bodies)));
    assert_eq!(rows.len(), 1);
    rows.remove(0)
}

/// Which events are set aside, by the number that their id is of, and why.
fn aside(model: &Model) -> Vec<(u128, String)> {
    rows::<Quarantined>(model).iter().map(|it| (it.event_id.as_u128(), it.reason.to_string())).collect()
}

/// The lines of the books: `event line account debit credit`.
fn lines(model: &Model) -> Vec<String> {
    let line = |it: &LedgerEntry| format!("{} {} {} {} {}", it.event_id.as_u128(), it.line, it.account, it.debit, it.credit);
    rows::<LedgerEntry>(model).iter().map(line).collect()
}

/// States of refunds: `id state amount`.
fn refunds(model: &Model) -> Vec<String> {
    let row = |it: &Refund| format!("{} {} {:?}", it.refund_id, it.state, it.amount);
    rows::<Refund>(model).iter().map(row).collect()
}

/// Gross, refunds, disputes and net by day of the month.
fn revenue(model: &Model) -> Vec<(u8, [i64; 4])> {
    let row = |it: &RevenueDay| (it.day.date().unwrap().day(), [it.gross, it.refunds, it.disputes, it.net]);
    let mut days = Vec::new();
    let place = ROLE.tables.iter().position(|it| it.name == "revenue_days").unwrap();
    for values in model.rows(place) {
        // A counter's row has its lane between key and steps.
        let values: Vec<_> = values.iter().enumerate().filter(|(at, _)| *at != RevenueDay::TABLE.key - 1).map(|it| it.1.clone()).collect();
        days.push(row(&RevenueDay::from_values(&values).unwrap()));
    }
    days
}
