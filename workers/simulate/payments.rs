//! Payments as events of `payment-events`: lives of payments that begin evenly over the span, told late, mixed up and sometimes wrong.
//!
//! It judges nothing: what contradicts itself here is for the role to find.

use std::{cmp::Reverse, collections::BinaryHeap, sync::Arc};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, LogNormal};
use serde_avro_fast::{Schema, ser::SerializerConfig};
use uuid::Uuid;

use super::{
    Plan, Simulated,
    crowd::{self, HOUR, SECOND, delay, pick},
    typing::id,
};
use crate::{
    fold::Time,
    payments::{Body, Outcome, PaymentEvent},
};

/// What the help text says.
pub(super) const ABOUT: &str = "\
payments   begin evenly over the span, 3.4 events each on average; a fifth are those of the first 5 % of the users
amounts    log-normal, median 20.00, sigma 1, within 0.50..5000.00; 60 % EUR, 20 % USD, 10 % GBP, 5 % JPY, 3 % PLN, 2 % KWD
lives      3 % are abandoned, 3 % canceled, 8 % fail at first and 3 in 5 of those succeed later, all others succeed
refunds    10 % are refunded within a quarter of the span, a third of them in parts; 6 % of the refunds fail, 2 % after they succeeded
disputes   1 % are disputed; of those half are won, 2 in 5 lost, 1 in 10 stay open
wrong      1 % are captured twice, 1 % canceled beside a capture, 1 % refunded by too much, 1 % told of another user
disordered 1 in 10 events is told 1 s to 1 h later than it happened, 1 in 100 up to 3 days later
doubled    1 % come again, byte for byte, within the next 500 events; what would lie past the span's end lies at it";

/// Events of ten payments, on average.
const EVENTS: u64 = 34;

/// The events of a plan.
pub(super) struct Payments {
    plan: Plan,
    schema: &'static Schema,
    chance: ChaCha8Rng,
    /// When the next payment begins, in microseconds after the start.
    begins_us: i64,
    /// Events of payments that did not begin yet.
    unborn: u64,
    payments: u64,
    /// Events by when they are told; the number keeps those of one instant in order.
    told: BinaryHeap<Reverse<(Time, u64)>>,
    events: Vec<Option<PaymentEvent>>,
}

impl Payments {
    pub(super) fn new(plan: Plan, schema: &'static Schema) -> Self {
        let chance = ChaCha8Rng::seed_from_u64(plan.seed);
        let (told, events) = (BinaryHeap::new(), Vec::new());
        Self { plan, schema, chance, begins_us: 0, unborn: plan.events, payments: 0, told, events }
    }

    /// Begins every payment that begins before the next event is told.
    fn begin_payments(&mut self) {
        while self.unborn > 0 {
            let begin = self.plan.start.plus(self.begins_us / 1_000);
            if self.told.peek().is_some_and(|Reverse((told, _))| *told < begin) {
                return;
            }
            let last_us = self.plan.span_ms.max(0).saturating_mul(950);
            let payments = i64::try_from((self.unborn * 10 / EVENTS).max(1)).unwrap_or(i64::MAX);
            self.begins_us += (last_us - self.begins_us).max(0) / payments;
            self.payments += 1;
            let life = Life::draw(&self.plan, (self.payments, begin), &mut self.chance);
            for event in life.events.into_iter().take(usize::try_from(self.unborn).unwrap_or(usize::MAX)) {
                self.unborn -= 1;
                self.tell(event);
            }
        }
    }

    fn tell(&mut self, event: PaymentEvent) {
        let late = delay(&mut self.chance);
        self.told.push(Reverse((event.occurred_at.plus(late), self.events.len() as u64)));
        self.events.push(Some(event));
    }
}

impl Iterator for Payments {
    type Item = Simulated;

    fn next(&mut self) -> Option<Simulated> {
        self.begin_payments();
        let Reverse((_, place)) = self.told.pop()?;
        let event = self.events.get_mut(usize::try_from(place).ok()?)?.take()?;
        let datum = serde_avro_fast::to_datum_vec(&event, &mut SerializerConfig::new(self.schema)).ok()?;
        Some(Simulated { key: event.payment_id.to_string(), datum, occurred_at: event.occurred_at })
    }
}

/// A payment's events, as they happened.
struct Life<'p> {
    plan: &'p Plan,
    /// What all its events share.
    first: PaymentEvent,
    amount: i64,
    events: Vec<PaymentEvent>,
}

const CURRENCIES: [(u32, &str); 6] = [(60, "EUR"), (20, "USD"), (10, "GBP"), (5, "JPY"), (3, "PLN"), (2, "KWD")];

impl<'p> Life<'p> {
    fn draw(plan: &'p Plan, (number, begin): (u64, Time), chance: &mut ChaCha8Rng) -> Self {
        let amount: f64 = LogNormal::new(7.6, 1.0).map_or(2_000.0, |it| it.sample(chance));
        // Rounded, so that the last bit of a logarithm differs on no machine.
        let amount = (amount.round() as i64).clamp(50, 500_000);
        let first = PaymentEvent {
            event_id: Uuid::nil(),
            occurred_at: begin,
            payment_id: format!("pay_{number:x}_{:08x}", chance.random::<u32>()).into(),
            created_at: begin,
            order_id: format!("order-{number}").into(),
            user_id: i64::try_from(crowd::draw(plan.users, chance)).unwrap_or(i64::MAX),
            currency: pick(&CURRENCIES, chance).into(),
            body: Body::Created { amount },
        };
        let mut life = Self { plan, first, amount, events: Vec::new() };
        life.live(begin, chance);
        life
    }

    /// Something happens at a time, or at the span's end.
    fn happen(&mut self, at: Time, body: Body, chance: &mut ChaCha8Rng) {
        let occurred_at = at.min(self.plan.start.plus(self.plan.span_ms.max(0)));
        self.events.push(PaymentEvent { event_id: id(occurred_at, chance), occurred_at, body, ..self.first.clone() });
    }

    fn live(&mut self, begin: Time, chance: &mut ChaCha8Rng) {
        let amount = self.amount;
        self.happen(begin, self.first.body.clone(), chance);
        let mut now = begin.plus(chance.random_range(SECOND..60 * SECOND));
        match chance.random_range(0..100_u32) {
            0..3 => return,
            3..6 => return self.happen(now, Body::Canceled { reason: "not wanted any more".into() }, chance),
            6..14 => {
                let code = pick(&[(6, "card_declined"), (3, "insufficient_funds"), (1, "expired_card")], chance);
                self.happen(now, Body::Failed { code: code.into(), message: "The bank refused the payment.".into() }, chance);
                if chance.random_ratio(2, 5) {
                    return;
                }
                now = now.plus(chance.random_range(10 * SECOND..HOUR));
            }
            14..20 => self.happen(now, Body::ActionRequired {}, chance),
            20..35 => self.happen(now, Body::Processing {}, chance),
            _ => {}
        }
        if chance.random_ratio(9, 10) {
            self.happen(now, Body::Authorised { amount }, chance);
        }
        now = now.plus(chance.random_range(100..5 * SECOND));
        let provider_ref: Arc<str> = format!("ch_{:016x}", chance.random::<u64>()).into();
        self.happen(now, Body::Succeeded { amount, provider_ref }, chance);
        self.go_wrong(now, chance);
        if chance.random_ratio(1, 10) {
            self.refund(now, chance);
        }
        if chance.random_ratio(1, 100) {
            self.dispute(now, chance);
        }
    }

    /// A time within a quarter of the span.
    fn later(&self, now: Time, chance: &mut ChaCha8Rng) -> Time {
        now.plus(chance.random_range(SECOND..(self.plan.span_ms / 4).max(2 * SECOND)))
    }

    fn go_wrong(&mut self, now: Time, chance: &mut ChaCha8Rng) {
        let amount = self.amount;
        match chance.random_range(0..100_u32) {
            0 => self.happen(now.plus(1), Body::Succeeded { amount: amount - 1, provider_ref: "again".into() }, chance),
            1 => self.happen(now.plus(-1), Body::Canceled { reason: "too late".into() }, chance),
            2 => {
                let at = self.later(now, chance);
                self.happen(at, Body::RefundRequested { refund_id: "too-much".into(), amount: amount + 1 }, chance);
            }
            3 => {
                self.happen(now.plus(1), Body::Processing {}, chance);
                if let Some(event) = self.events.last_mut() {
                    event.user_id = event.user_id.saturating_add(1);
                }
            }
            _ => {}
        }
    }

    fn refund(&mut self, now: Time, chance: &mut ChaCha8Rng) {
        let parts = if chance.random_ratio(1, 3) { chance.random_range(2..4_i64) } else { 1 };
        for part in 1..=parts {
            let refund_id: Arc<str> = format!("re-{part}").into();
            let amount = (self.amount / parts).max(1);
            let asked = self.later(now, chance);
            self.happen(asked, Body::RefundRequested { refund_id: Arc::clone(&refund_id), amount }, chance);
            let settled = asked.plus(chance.random_range(60 * SECOND..48 * HOUR));
            let fate = chance.random_range(0..100_u32);
            if fate >= 6 {
                self.happen(settled, Body::RefundSucceeded { refund_id: Arc::clone(&refund_id) }, chance);
            }
            if fate < 8 {
                self.happen(settled.plus(HOUR), Body::RefundFailed { refund_id, code: "account_closed".into() }, chance);
            }
        }
    }

    fn dispute(&mut self, now: Time, chance: &mut ChaCha8Rng) {
        let (amount, opened) = (self.amount, self.later(now, chance));
        let dispute_id: Arc<str> = "dp-1".into();
        self.happen(opened, Body::DisputeOpened { dispute_id: Arc::clone(&dispute_id), amount }, chance);
        let outcome = match chance.random_range(0..10_u32) {
            0 => return,
            1..5 => Outcome::Lost,
            _ => Outcome::Won,
        };
        let closed = self.later(opened, chance);
        self.happen(closed, Body::DisputeClosed { dispute_id, outcome }, chance);
    }
}
