//! Disputes: one case a `dispute_id`, judged on the whole set of a payment's events.
//!
//! A dispute without an opening, or of a payment without a capture, has no row; what contradicts itself is set aside all the same.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    event::{Body, Outcome},
    facts::Fact,
    machine::{Effect, Reason},
    rows::Dispute,
    standing::{Judgement, Key, sum},
};
use crate::fold::{Reject, Time};

/// All that is said of one dispute.
#[derive(Default)]
struct Case<'f> {
    opened: Option<(&'f Fact, i64)>,
    closed: Option<(&'f Fact, Outcome)>,
    last_event_at: Time,
}

/// What the disputes of a payment come to.
#[derive(Default)]
pub struct Disputes {
    pub rows: Vec<Dispute>,
    /// The sum of those that are not won.
    pub disputed: i64,
}

/// Judges a payment's disputes.
pub fn judge<'f>(facts: &[&'f Fact], key: &Key, is_captured: Captured, judgement: &mut Judgement<'f>) -> Result<Disputes, Reject> {
    let mut disputes = Disputes::default();
    for (dispute_id, case) in cases(facts, judgement) {
        let (Some((opened, amount)), Captured::Yes) = (case.opened, is_captured) else { continue };
        judgement.post(Effect::DisputeOpened, opened, amount);
        match case.closed {
            Some((fact, Outcome::Won)) => judgement.post(Effect::DisputeWon, fact, amount),
            _ => disputes.disputed = sum(disputes.disputed, amount)?,
        }
        disputes.rows.push(case.row(key, dispute_id, (opened, amount)));
    }
    Ok(disputes)
}

/// Whether money was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Captured {
    Yes,
    No,
}

/// The cases by dispute; what contradicts its first opening or closing is set aside.
fn cases<'f>(facts: &[&'f Fact], judgement: &mut Judgement<'f>) -> BTreeMap<&'f Arc<str>, Case<'f>> {
    let mut cases: BTreeMap<&'f Arc<str>, Case<'f>> = BTreeMap::new();
    for fact in facts {
        let (Body::DisputeOpened { dispute_id, .. } | Body::DisputeClosed { dispute_id, .. }) = &fact.body else { continue };
        let case = cases.entry(dispute_id).or_default();
        case.last_event_at = case.last_event_at.max(fact.occurred_at);
        match (&fact.body, case.opened, case.closed) {
            (Body::DisputeOpened { amount, .. }, None, _) => case.opened = Some((fact, *amount)),
            (Body::DisputeOpened { amount, .. }, Some((first, known)), _) if *amount != known => {
                judgement.set_aside(fact, Reason::AmountConflict, first);
            }
            (Body::DisputeClosed { outcome, .. }, _, None) => case.closed = Some((fact, *outcome)),
            (Body::DisputeClosed { outcome, .. }, _, Some((first, known))) if *outcome != known => {
                judgement.set_aside(fact, Reason::DisputeClosed, first);
            }
            _ => {}
        }
    }
    cases
}

impl<'f> Case<'f> {
    fn row(&self, key: &Key, dispute_id: &Arc<str>, (opened, amount): (&'f Fact, i64)) -> Dispute {
        let state = match self.closed {
            None => "open",
            Some((_, Outcome::Won)) => "won",
            Some((_, Outcome::Lost)) => "lost",
        };
        Dispute {
            payment_id: Arc::clone(&key.payment_id),
            created_at: key.created_at,
            dispute_id: Arc::clone(dispute_id),
            amount,
            state: state.into(),
            opened_at: opened.occurred_at,
            closed_at: self.closed.map(|it| it.0.occurred_at),
            last_event_at: self.last_event_at,
        }
    }
}
