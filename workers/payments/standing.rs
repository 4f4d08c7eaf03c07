//! The standing of a payment: every row that a set of its events comes to, whatever order they arrived in.
//!
//! It is a pure function of the set: no row that is there is looked at, and nothing is said to anybody.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    disputes::{self, Captured},
    event::{Body, PaymentEvent},
    facts::{Fact, Facts},
    machine::{Account, Effect, Figure, Reason},
    refunds,
    rows::{Dispute, LedgerEntry, Payment, Quarantined, Refund},
};
use crate::fold::{Day, Json, Reject, Time};

/// Which payment: its id, and when it was created.
#[derive(Clone, Debug)]
pub struct Key {
    pub payment_id: Arc<str>,
    pub created_at: Time,
}

impl Key {
    pub fn of(event: &PaymentEvent) -> Self {
        Self { payment_id: Arc::clone(&event.payment_id), created_at: event.created_at }
    }
}

/// All rows of a payment. Empty for an empty set.
#[derive(Default)]
pub struct Standing {
    pub payment: Option<Payment>,
    pub refunds: Vec<Refund>,
    pub disputes: Vec<Dispute>,
    pub quarantine: Vec<Quarantined>,
    pub entries: Vec<LedgerEntry>,
    /// Its share of each day's gross, refunds and disputes, by day and currency.
    pub revenue: BTreeMap<(Day, Arc<str>), [i64; 3]>,
}

/// What is judged of a payment's events on the way.
#[derive(Default)]
pub struct Judgement<'f> {
    effects: Vec<(&'f Fact, Effect, i64)>,
    aside: Vec<(&'f Fact, Reason, &'f Fact)>,
}

impl<'f> Judgement<'f> {
    /// An event takes effect with an amount.
    pub fn post(&mut self, effect: Effect, fact: &'f Fact, amount: i64) {
        self.effects.push((fact, effect, amount));
    }

    /// An event is set aside for what it contradicts.
    pub fn set_aside(&mut self, fact: &'f Fact, reason: Reason, against: &'f Fact) {
        self.aside.push((fact, reason, against));
    }
}

/// A sum of money.
///
/// # Errors
/// One that no column holds.
pub fn sum(one: i64, other: i64) -> Result<i64, Reject> {
    one.checked_add(other).ok_or_else(|| Reject::new("a sum of money overflows"))
}

impl Standing {
    /// That of a payment's events.
    pub fn of(key: &Key, facts: &Facts) -> Result<Self, Reject> {
        let Some(first) = facts.iter().next() else { return Ok(Self::default()) };
        let mut judgement = Judgement::default();
        let (own, others): (Vec<&Fact>, Vec<&Fact>) = facts.iter().partition(|it| it.parties() == first.parties());
        others.into_iter().for_each(|it| judgement.set_aside(it, Reason::Mismatch, first));
        let amount = first_amount(&own, created, &mut judgement);
        let authorised = first_amount(&own, authorised, &mut judgement);
        let capture = capture(&own, authorised.or(amount), &mut judgement);
        let refunds = refunds::judge(&own, key, capture, &mut judgement)?;
        let is_captured = if capture.is_some() { Captured::Yes } else { Captured::No };
        let disputes = disputes::judge(&own, key, is_captured, &mut judgement)?;
        let payment = Payment {
            amount: amount.map(|it| it.1),
            authorised: authorised.map(|it| it.1),
            captured: capture.map(|it| it.1),
            succeeded_at: capture.map(|it| it.0.occurred_at),
            provider_ref: capture.and_then(|(it, _)| provider_ref(it)),
            refunded: refunds.refunded,
            refund_pending: refunds.pending,
            disputed: disputes.disputed,
            facts: facts.json()?,
            last_event_at: facts.iter().map(|it| it.occurred_at).max().unwrap_or_default(),
            ..head(key, first, &own, capture.is_some())
        };
        let (entries, revenue) = books(key, judgement.effects)?;
        let quarantine = quarantine(key, judgement.aside)?;
        Ok(Self { payment: Some(payment), refunds: refunds.rows, disputes: disputes.rows, quarantine, entries, revenue })
    }
}

/// The columns of a payment that need no amount.
fn head(key: &Key, first: &Fact, own: &[&Fact], captured: bool) -> Payment {
    let canceled_at = own.iter().find(|it| matches!(it.body, Body::Canceled { .. })).map(|it| it.occurred_at);
    let last_status = own.iter().rev().find_map(|it| it.body.status());
    let status = match (captured, canceled_at) {
        (true, _) => "succeeded",
        (false, Some(_)) => "canceled",
        (false, None) => last_status.unwrap_or("unknown"),
    };
    let failures = own.iter().filter_map(|it| if let Body::Failed { code, .. } = &it.body { Some(code) } else { None });
    Payment {
        payment_id: Arc::clone(&key.payment_id),
        created_at: key.created_at,
        user_id: first.user_id,
        order_id: Arc::clone(&first.order_id),
        currency: Arc::clone(&first.currency),
        status: status.into(),
        failures: i64::try_from(failures.clone().count()).unwrap_or(i64::MAX),
        last_failure_code: failures.last().cloned(),
        canceled_at,
        amount: None,
        authorised: None,
        captured: None,
        refunded: 0,
        refund_pending: 0,
        disputed: 0,
        provider_ref: None,
        succeeded_at: None,
        facts: Json("[]".into()),
        announced: Json("{}".into()),
        last_event_at: first.occurred_at,
    }
}

fn created(body: &Body) -> Option<i64> {
    if let Body::Created { amount } = body { Some(*amount) } else { None }
}

fn authorised(body: &Body) -> Option<i64> {
    if let Body::Authorised { amount } = body { Some(*amount) } else { None }
}

fn succeeded(body: &Body) -> Option<i64> {
    if let Body::Succeeded { amount, .. } = body { Some(*amount) } else { None }
}

fn provider_ref(fact: &Fact) -> Option<Arc<str>> {
    if let Body::Succeeded { provider_ref, .. } = &fact.body { Some(Arc::clone(provider_ref)) } else { None }
}

/// The first event of a kind and its amount; later ones of another amount are set aside.
fn first_amount<'f>(own: &[&'f Fact], of: fn(&Body) -> Option<i64>, judgement: &mut Judgement<'f>) -> Option<(&'f Fact, i64)> {
    let mut all = own.iter().filter_map(|it| Some((*it, of(&it.body)?)));
    let (first, amount) = all.next()?;
    all.filter(|it| it.1 != amount).for_each(|it| judgement.set_aside(it.0, Reason::AmountConflict, first));
    Some((first, amount))
}

/// The event that took the money, and how much: the first success within the limit. Cancellations beside it are set aside.
fn capture<'f>(own: &[&'f Fact], limit: Option<(&'f Fact, i64)>, judgement: &mut Judgement<'f>) -> Option<(&'f Fact, i64)> {
    let mut within = Vec::new();
    for fact in own {
        match (succeeded(&fact.body), limit) {
            (Some(amount), Some((against, most))) if amount > most => judgement.set_aside(fact, Reason::OverCapture, against),
            (Some(_), _) => within.push(*fact),
            (None, _) => {}
        }
    }
    let (fact, amount) = first_amount(&within, succeeded, judgement)?;
    judgement.post(Effect::Captured, fact, amount);
    let canceled = own.iter().filter(|it| matches!(it.body, Body::Canceled { .. }));
    canceled.for_each(|it| judgement.set_aside(it, Reason::SucceededAndCanceled, fact));
    Some((fact, amount))
}

/// The lines that effects post, and what they do to revenue.
fn books(key: &Key, mut effects: Vec<(&Fact, Effect, i64)>) -> Result<(Vec<LedgerEntry>, BTreeMap<(Day, Arc<str>), [i64; 3]>), Reject> {
    effects.sort_by_key(|(fact, ..)| fact.order());
    // Two events of one id at two times share a key: the later one's lines go on where the earlier one's end.
    let mut lines = BTreeMap::new();
    let (mut entries, mut revenue) = (Vec::new(), BTreeMap::new());
    for (fact, effect, amount) in effects {
        let posting = effect.posting();
        for (debit, credit) in posting.pairs {
            for (account, debit, credit) in [(debit, amount, 0), (credit, 0, amount)] {
                let line = lines.entry(fact.event_id).or_insert(0);
                *line += 1;
                entries.push(LedgerEntry { debit, credit, ..entry(key, fact, *account, *line) });
            }
        }
        if let Some((figure, sign)) = posting.figure {
            let [gross, refunds, disputes] = revenue.entry((fact.occurred_at.day(), Arc::clone(&fact.currency))).or_insert([0; 3]);
            let held = match figure {
                Figure::Gross => gross,
                Figure::Refunds => refunds,
                Figure::Disputes => disputes,
            };
            *held = sum(*held, sign * amount)?;
        }
    }
    Ok((entries, revenue))
}

fn entry(key: &Key, fact: &Fact, account: Account, line: i32) -> LedgerEntry {
    LedgerEntry {
        payment_id: Arc::clone(&key.payment_id),
        created_at: key.created_at,
        event_id: fact.event_id,
        line,
        account: account.name().into(),
        debit: 0,
        credit: 0,
        currency: Arc::clone(&fact.currency),
        occurred_at: fact.occurred_at,
        last_event_at: fact.occurred_at,
    }
}

/// The events set aside, of one id at several times the first.
fn quarantine(key: &Key, mut aside: Vec<(&Fact, Reason, &Fact)>) -> Result<Vec<Quarantined>, Reject> {
    aside.sort_by_key(|(fact, ..)| fact.order());
    let mut known = BTreeSet::new();
    aside.retain(|(fact, ..)| known.insert(fact.event_id));
    let row = |(fact, reason, against): (&Fact, Reason, &Fact)| {
        Ok(Quarantined {
            payment_id: Arc::clone(&key.payment_id),
            created_at: key.created_at,
            event_id: fact.event_id,
            reason: reason.name().into(),
            event: fact.json()?,
            conflicts_with: against.json()?,
            last_event_at: fact.occurred_at,
        })
    };
    aside.into_iter().map(row).collect()
}
