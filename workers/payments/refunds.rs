//! Refunds: one case a `refund_id`, judged on the whole set of a payment's events.
//!
//! It writes no row of the books: it says which effects there are, and `standing` posts them.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    event::Body,
    facts::Fact,
    machine::{Effect, Progress, Reason, Reply, Step},
    rows::Refund,
    standing::{Judgement, Key, sum},
};
use crate::fold::{Reject, Time};

/// All that is said of one refund.
#[derive(Default)]
struct Case<'f> {
    request: Option<(&'f Fact, i64)>,
    progress: Progress,
    succeeded: Option<&'f Fact>,
    failed: Option<&'f Fact>,
    /// Successes after a failure.
    closed: Vec<&'f Fact>,
    last_event_at: Time,
}

/// What the refunds of a payment come to.
#[derive(Default)]
pub struct Refunds {
    pub rows: Vec<Refund>,
    /// The sum of those that succeeded.
    pub refunded: i64,
    /// The sum of those that are requested.
    pub pending: i64,
}

/// Judges a payment's refunds. `capture` is the event that took the money, and how much.
pub fn judge<'f>(
    facts: &[&'f Fact],
    key: &Key,
    capture: Option<(&'f Fact, i64)>,
    judgement: &mut Judgement<'f>,
) -> Result<Refunds, Reject> {
    let mut cases: Vec<(&Arc<str>, Case<'f>)> = cases(facts, judgement).into_iter().collect();
    // A refund without a request has no turn, and none of what follows depends on the order of such.
    cases.sort_by_key(|(_, case)| case.request.map(|it| it.0.order()));
    let mut refunds = Refunds::default();
    // Of what was taken: what refunds before this one have claimed and not given back.
    let mut claimed = 0;
    for (refund_id, case) in cases {
        let verdict = match (case.request, capture) {
            (Some((request, amount)), Some((capture, captured))) => {
                if sum(claimed, amount)? <= captured {
                    Verdict::Applies(request, amount)
                } else {
                    judgement.set_aside(request, Reason::OverRefund, capture);
                    Verdict::Refused
                }
            }
            _ => Verdict::Waits,
        };
        if !matches!(verdict, Verdict::Refused)
            && let Some(failed) = case.failed
        {
            case.closed.iter().for_each(|it| judgement.set_aside(it, Reason::RefundClosed, failed));
        }
        if let Verdict::Applies(request, amount) = verdict {
            case.post((request, amount), judgement);
            match case.progress {
                Progress::Requested => refunds.pending = sum(refunds.pending, amount)?,
                Progress::Succeeded => refunds.refunded = sum(refunds.refunded, amount)?,
                Progress::Failed | Progress::FailedAfterSuccess => {}
            }
            claimed = sum(refunds.refunded, refunds.pending)?;
        }
        refunds.rows.push(case.row(key, refund_id, &verdict));
    }
    Ok(refunds)
}

/// What becomes of a refund.
enum Verdict<'f> {
    Applies(&'f Fact, i64),
    Refused,
    Waits,
}

/// The cases by refund; requests of another amount are set aside at once.
fn cases<'f>(facts: &[&'f Fact], judgement: &mut Judgement<'f>) -> BTreeMap<&'f Arc<str>, Case<'f>> {
    let mut cases: BTreeMap<&'f Arc<str>, Case<'f>> = BTreeMap::new();
    for fact in facts {
        let (Body::RefundRequested { refund_id, .. } | Body::RefundSucceeded { refund_id } | Body::RefundFailed { refund_id, .. }) =
            &fact.body
        else {
            continue;
        };
        let case = cases.entry(refund_id).or_default();
        case.last_event_at = case.last_event_at.max(fact.occurred_at);
        match fact.body {
            Body::RefundRequested { amount, .. } => match case.request {
                None => case.request = Some((fact, amount)),
                Some((first, known)) if amount != known => judgement.set_aside(fact, Reason::AmountConflict, first),
                Some(_) => {}
            },
            Body::RefundSucceeded { .. } => case.hear(Reply::Success, fact),
            _ => case.hear(Reply::Failure, fact),
        }
    }
    cases
}

impl<'f> Case<'f> {
    fn hear(&mut self, reply: Reply, fact: &'f Fact) {
        match self.progress.after(reply) {
            Step::To(progress) => {
                self.progress = progress;
                match reply {
                    Reply::Success => self.succeeded = Some(fact),
                    Reply::Failure => self.failed = Some(fact),
                }
            }
            Step::Same => {}
            Step::SetAside(_) => self.closed.push(fact),
        }
    }

    /// The effects of a refund that applies.
    fn post(&self, (request, amount): (&'f Fact, i64), judgement: &mut Judgement<'f>) {
        judgement.post(Effect::RefundRequested, request, amount);
        if let Some(fact) = self.succeeded {
            judgement.post(Effect::RefundSucceeded, fact, amount);
        }
        let failure = if self.succeeded.is_some() { Effect::RefundFailedAfterSuccess } else { Effect::RefundFailed };
        if let Some(fact) = self.failed {
            judgement.post(failure, fact, amount);
        }
    }

    fn row(&self, key: &Key, refund_id: &Arc<str>, verdict: &Verdict<'f>) -> Refund {
        let state = match verdict {
            Verdict::Applies(..) => self.progress.name(),
            Verdict::Refused => "refused",
            Verdict::Waits => "waiting",
        };
        let settled = if matches!(verdict, Verdict::Applies(..)) { self.failed.or(self.succeeded) } else { None };
        Refund {
            payment_id: Arc::clone(&key.payment_id),
            created_at: key.created_at,
            refund_id: Arc::clone(refund_id),
            amount: self.request.map(|it| it.1),
            state: state.into(),
            requested_at: self.request.map(|it| it.0.occurred_at),
            settled_at: settled.map(|it| it.occurred_at),
            last_event_at: self.last_event_at,
        }
    }
}
