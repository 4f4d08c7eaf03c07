//! Mails as events of `email-send`: every user's contact first, then mails over the span with what became of them.
//!
//! Nothing is sent by it, and nobody could be reached: all addresses lie under `example.org`.

use std::{collections::BTreeMap, sync::Arc};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_avro_fast::{Schema, ser::SerializerConfig};
use uuid::Uuid;

use super::{
    Plan, Simulated,
    crowd::{self, HOUR, SECOND, delay, pick},
    typing::id,
};
use crate::{
    email::{Attempted, Body, BounceKind, Bounced, Category, ContactSet, EmailEvent, Mail, Outcome, SendRequested, Unsubscribed},
    fold::Time,
};

/// What the help text says.
pub(super) const ABOUT: &str = "\
contacts   every user's at the start of the span, a tenth in German, a twentieth in French; with as many events as users there is
           little else (a repeat takes the place of a contact)
mails      begin evenly over the span, 3.1 events each on average; 9 in 10 to user:<id>, else to an address; a fifth are those of the
           first 5 % of the users; 40 % achievement, 20 % receipt, 15 % weekly-summary, 10 % welcome, 10 % password-reset, 5 % refund
outcomes   1 in 8 has none; 1 in 10 others is tried again first; 1 % fails, 1 % is bounced, all others are sent
feedback   of those sent 85 % are delivered, 30 % of these opened, a fifth of these followed; 2 % bounce (half of them hard), 1 in 500
           complains, 1 in 100 of bulk unsubscribes
changes    1 in 50 mails follows on a new address of its user
disordered 1 in 10 events is told 1 s to 1 h later than it happened, 1 in 100 up to 3 days later
doubled    1 % come again, byte for byte, within the next 500 events; what would lie past the span's end lies at it";

/// Events of ten mails, on average.
const EVENTS: u64 = 31;

/// The events of a plan.
pub(super) struct Mails {
    plan: Plan,
    schema: &'static Schema,
    chance: ChaCha8Rng,
    /// Users whose contact is set.
    known: u64,
    /// When the next mail begins, in microseconds after the start.
    begins_us: i64,
    /// Events of mails that did not begin yet.
    unborn: u64,
    /// Events by when they are told; the number keeps those of one instant in order.
    told: BTreeMap<(Time, u64), EmailEvent>,
}

impl Mails {
    pub(super) fn new(plan: Plan, schema: &'static Schema) -> Self {
        let chance = ChaCha8Rng::seed_from_u64(plan.seed);
        let unborn = plan.events.saturating_sub(plan.users);
        Self { plan, schema, chance, known: 0, begins_us: 0, unborn, told: BTreeMap::new() }
    }

    /// The next user's contact.
    fn contact(&mut self) -> Option<EmailEvent> {
        if self.known == self.plan.users {
            return None;
        }
        self.known += 1;
        let body = contact(number(self.known), "", &mut self.chance);
        Some(event(&user(self.known), self.plan.start, body, &mut self.chance))
    }

    /// Begins every mail that begins before the next event is told.
    fn begin_mails(&mut self) {
        while self.unborn > 0 {
            let begin = self.plan.start.plus(self.begins_us / 1_000);
            if self.told.first_key_value().is_some_and(|((told, _), _)| *told < begin) {
                return;
            }
            let last_us = self.plan.span_ms.max(0).saturating_mul(950);
            let mails = i64::try_from((self.unborn * 10 / EVENTS).max(1)).unwrap_or(i64::MAX);
            self.begins_us += (last_us - self.begins_us).max(0) / mails;
            let life = Life::draw(&self.plan, begin, &mut self.chance);
            for event in life.events.into_iter().take(usize::try_from(self.unborn).unwrap_or(usize::MAX)) {
                self.unborn -= 1;
                self.tell(event);
            }
        }
    }

    fn tell(&mut self, event: EmailEvent) {
        let late = delay(&mut self.chance);
        self.told.insert((event.occurred_at.plus(late), self.plan.events - self.unborn), event);
    }
}

impl Iterator for Mails {
    type Item = Simulated;

    fn next(&mut self) -> Option<Simulated> {
        let event = match self.contact() {
            Some(contact) => contact,
            None => {
                self.begin_mails();
                self.told.pop_first()?.1
            }
        };
        let datum = serde_avro_fast::to_datum_vec(&event, &mut SerializerConfig::new(self.schema)).ok()?;
        Some(Simulated { key: event.recipient.to_string(), datum, occurred_at: event.occurred_at })
    }
}

fn number(user: u64) -> i64 {
    i64::try_from(user).unwrap_or(i64::MAX)
}

fn user(number: u64) -> Arc<str> {
    format!("user:{number}").into()
}

/// The contact of a user; `tag` makes another address.
fn contact(user_id: i64, tag: &str, chance: &mut ChaCha8Rng) -> Body {
    let locale = pick(&[(85, "en"), (7, "de"), (3, "de-AT"), (5, "fr")], chance);
    Body::ContactSet(ContactSet { user_id, address: format!("typist{user_id}{tag}@example.org").into(), locale: locale.into() })
}

fn event(recipient: &Arc<str>, occurred_at: Time, body: Body, chance: &mut ChaCha8Rng) -> EmailEvent {
    EmailEvent { event_id: id(occurred_at, chance), occurred_at, recipient: Arc::clone(recipient), body }
}

/// What became of a mail.
struct Life {
    recipient: Arc<str>,
    user_id: i64,
    message_id: Uuid,
    template: &'static str,
    category: Category,
    end: Time,
    events: Vec<EmailEvent>,
}

const TEMPLATES: [(u32, &str); 6] =
    [(40, "achievement"), (20, "receipt"), (15, "weekly-summary"), (10, "welcome"), (10, "password-reset"), (5, "refund")];

impl Life {
    fn draw(plan: &Plan, begin: Time, chance: &mut ChaCha8Rng) -> Self {
        let number = crowd::draw(plan.users, chance);
        let recipient = if chance.random_ratio(9, 10) { user(number) } else { format!("guest{number}@example.org").into() };
        let template = pick(&TEMPLATES, chance);
        let bulk = matches!(template, "achievement" | "weekly-summary");
        let mut life = Self {
            user_id: if recipient.starts_with("user:") { self::number(number) } else { 0 },
            recipient,
            message_id: id(begin, chance),
            template,
            category: if bulk { Category::Bulk } else { Category::Transactional },
            end: plan.start.plus(plan.span_ms.max(0)),
            events: Vec::new(),
        };
        if life.user_id > 0 && chance.random_ratio(1, 50) {
            let tag = format!(".{}", chance.random_range(2..1_000));
            let moved = contact(life.user_id, &tag, chance);
            life.happen(begin, moved, chance);
        }
        let request = life.request(begin, chance);
        life.happen(begin, Body::SendRequested(request), chance);
        if !chance.random_ratio(1, 8) {
            life.attempt(begin.plus(chance.random_range(100..5 * SECOND)), chance);
        }
        life
    }

    /// Something happens at a time, or at the span's end.
    fn happen(&mut self, at: Time, body: Body, chance: &mut ChaCha8Rng) {
        let event = event(&self.recipient, at.min(self.end), body, chance);
        self.events.push(event);
    }

    fn request(&self, at: Time, chance: &mut ChaCha8Rng) -> SendRequested {
        let day = || at.day().date().map_or_else(String::new, |it| it.to_string());
        let mut count = |most: i64| chance.random_range(1..most).to_string();
        let params: Vec<(&str, String)> = match self.template {
            "achievement" => vec![("title", format!("{} days", count(400))), ("description", "In a row.".into()), ("points", count(100))],
            "receipt" => vec![("order_id", count(1 << 40)), ("amount", count(500_000)), ("currency", "EUR".into()), ("paid_on", day())],
            "refund" => vec![("order_id", count(1 << 40)), ("amount", count(500_000)), ("currency", "JPY".into()), ("refunded_on", day())],
            "welcome" => vec![("name", format!("Zoë {}", self.user_id))],
            "password-reset" => {
                let url = format!("https://example.org/reset?token={}", count(i64::MAX));
                vec![("name", "typist".into()), ("url", url), ("minutes", "30".into())]
            }
            _ => vec![
                ("name", "typist".into()),
                ("week", day()),
                ("tests", count(200)),
                ("minutes", count(400)),
                ("best_wpm", count(20_000)),
            ],
        };
        SendRequested {
            message_id: self.message_id,
            template: self.template.into(),
            locale: pick(&[(80, ""), (10, "en"), (10, "de")], chance).into(),
            params: params.into_iter().map(|(name, value)| (name.into(), value.into())).collect(),
            user_id: self.user_id,
            category: self.category,
            list: (self.template == "achievement").then(|| "achievements".into()),
            not_after: None,
        }
    }

    fn attempt(&mut self, mut now: Time, chance: &mut ChaCha8Rng) {
        let mut attempt = 1;
        if chance.random_ratio(1, 10) {
            self.told(now, (attempt, Outcome::Retry, "451 4.7.1 Greylisted, try again in 300 seconds"), chance);
            (attempt, now) = (2, now.plus(310 * SECOND));
        }
        match chance.random_range(0..100_u32) {
            0 => self.told(now, (attempt, Outcome::Failed, "550 5.7.1 Blocked"), chance),
            1 => self.told(now, (attempt, Outcome::Bounced, "550 5.1.1 No such user"), chance),
            _ => {
                self.told(now, (attempt, Outcome::Sent, "250 2.0.0 OK"), chance);
                self.feedback(now.plus(chance.random_range(SECOND..60 * SECOND)), chance);
            }
        }
    }

    fn told(&mut self, at: Time, (attempt, outcome, reply): (i64, Outcome, &str), chance: &mut ChaCha8Rng) {
        let user_id = (self.user_id > 0).then_some(self.user_id);
        let (message_id, template) = (self.message_id, Some(self.template.into()));
        self.happen(at, Body::Attempted(Attempted { message_id, attempt, outcome, reply: reply.into(), template, user_id }), chance);
    }

    fn feedback(&mut self, now: Time, chance: &mut ChaCha8Rng) {
        let mail = Mail { message_id: self.message_id };
        let later = |chance: &mut ChaCha8Rng| now.plus(chance.random_range(60 * SECOND..24 * HOUR));
        match chance.random_range(0..100_u32) {
            bounced @ 0..2 => {
                let (kind, code) = if bounced == 0 { (BounceKind::Hard, "5.1.1") } else { (BounceKind::Soft, "4.2.2") };
                self.happen(
                    now,
                    Body::Bounced(Bounced { message_id: self.message_id, kind, code: code.into(), detail: "".into() }),
                    chance,
                );
            }
            2..87 => {
                self.happen(now, Body::Delivered(mail.clone()), chance);
                if chance.random_ratio(3, 10) {
                    let at = later(chance);
                    self.happen(at, Body::Opened(mail.clone()), chance);
                    if chance.random_ratio(1, 5) {
                        self.happen(at.plus(5 * SECOND), Body::Clicked(mail.clone()), chance);
                    }
                }
            }
            _ => {}
        }
        if chance.random_ratio(1, 500) {
            let at = later(chance);
            self.happen(at, Body::Complained(mail), chance);
        }
        if self.category == Category::Bulk && chance.random_ratio(1, 100) {
            let list = if self.template == "achievement" { "achievements" } else { self.template };
            let at = later(chance);
            self.happen(at, Body::Unsubscribed(Unsubscribed { list: list.into() }), chance);
        }
    }
}
