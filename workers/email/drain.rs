//! The drain's decisions: whether a due mail is sent, what a server's answer means, and how that is told.
//!
//! It never sends. What was sent is never sent again by a replay: the log's outcomes are the facts, and old mail is too late.

use std::sync::Arc;

use serde_json::from_str;

use super::{
    TOPIC,
    event::{Attempted, Body, EmailEvent, Outcome as Told},
    reply::{asked_wait_ms, is_no_such_address, one_line},
    rows::{EVERYTHING, EmailOutbox, MessageState},
    schedule,
    templates::{Class, Params, Template},
    words,
};
use crate::fold::{
    Column, Field, Kind, Reject, Row, Value, derived_id,
    drain::{Answer, Channel, Drain, Due, Facts, Mail, Outcome, Prepared, Report, Sender, State},
    to_datum,
};

/// What takes `email_outbox`.
pub(super) static DRAIN: Drain = Drain {
    name: "email",
    queue: EmailOutbox::TABLE,
    facts: Facts {
        query: include_str!("facts.sql"),
        columns: &[
            Column { name: "state", kind: Kind::Text, nullable: false },
            Column { name: "address", kind: Kind::Text, nullable: true },
            Column { name: "locale", kind: Kind::Text, nullable: true },
            Column { name: "scopes", kind: Kind::Json, nullable: true },
        ],
    },
    reports: &TOPIC,
    channel: Channel::Mail(&Mail { prepare, judge, report }),
};

/// What the fold's tables know of a mail.
struct Known {
    state: MessageState,
    address: Option<Arc<str>>,
    locale: Option<Arc<str>>,
    /// What the recipient does not get.
    scopes: Vec<Arc<str>>,
}

impl Known {
    fn of(facts: &[Value]) -> Result<Self, Reject> {
        let read = || {
            let [state, address, locale, scopes] = facts else { return None };
            let scopes: Option<Arc<str>> = Field::from_value(scopes)?;
            Some(Self {
                state: Field::from_value(state)?,
                address: Field::from_value(address)?,
                locale: Field::from_value(locale)?,
                scopes: scopes.map_or(Some(Vec::new()), |it| from_str(&it).ok())?,
            })
        };
        read().ok_or_else(|| Reject::new("what is known of the mail cannot be read"))
    }
}

fn row_of(values: &[Value]) -> Result<EmailOutbox, Reject> {
    EmailOutbox::from_values(values).ok_or_else(|| Reject::new("the row of email_outbox cannot be read"))
}

/// What is to be done with a mail that is due.
fn prepare(due: &Due<'_>, sender: &Sender) -> Result<Prepared, Reject> {
    let (row, now) = (row_of(due.row)?, due.now);
    let template = Template::find(&row.template)?;
    let known = due.facts.map(Known::of).transpose()?;
    let close = |state, why: &str| Ok(Prepared::Close(done(state, why)));
    if known.as_ref().is_some_and(|it| is_over(it.state, template.class)) {
        return Ok(Prepared::Close(Outcome { report: false, ..done(State::Closed, "the log knows what became of it") }));
    }
    // A worker died with it: it may have been taken.
    let is_lost = row.state == State::Sending;
    if is_lost && template.class == Class::AtMostOnce {
        return close(State::InDoubt, "the worker that sent it was lost");
    }
    if now >= row.not_after {
        let state = too_late(&row, known.as_ref());
        // A doubt that was told needs no telling again.
        let report = is_lost || state == State::Expired;
        return Ok(Prepared::Close(Outcome { report, ..done(state, "not sent before it was too late") }));
    }
    // Without the mail's own row the fold is behind this queue; without an address there is no contact yet.
    let Some(known) = known else { return Ok(Prepared::Later(schedule::next_look(&row, now))) };
    if known.scopes.iter().any(|it| **it == *EVERYTHING || Some(it) == row.list.as_ref()) {
        return close(State::Suppressed, "the recipient gets no such mail");
    }
    let address = if row.recipient.contains('@') { Some(Arc::clone(&row.recipient)) } else { known.address };
    let Some(address) = address else { return Ok(Prepared::Later(schedule::next_look(&row, now))) };
    let locale = if row.locale.is_empty() { known.locale.unwrap_or_default() } else { Arc::clone(&row.locale) };
    let params: Params = from_str(&row.params.0).map_err(|_| Reject::new("the params of email_outbox cannot be read"))?;
    let rendered = super::render::render(template, template.texts(&locale)?, &params)?;
    Ok(Prepared::Send(Box::new(words::message(&row, &address, rendered, sender))))
}

/// Whether the log says that a mail is done with. One in doubt is sent again where it may be.
fn is_over(state: MessageState, class: Class) -> bool {
    state > MessageState::InDoubt || (state == MessageState::InDoubt && class == Class::AtMostOnce)
}

/// How a mail stands that cannot be tried any more: whatever may have been taken is not known to be too late.
fn too_late(row: &EmailOutbox, known: Option<&Known>) -> State {
    let is_doubtful = matches!(row.state, State::Sending | State::InDoubt) || known.is_some_and(|it| it.state == MessageState::InDoubt);
    if is_doubtful { State::InDoubt } else { State::Expired }
}

/// What a server's answer means.
fn judge(due: &Due<'_>, answer: &Answer) -> Result<Outcome, Reject> {
    let row = row_of(due.row)?;
    let class = Template::find(&row.template)?.class;
    let known = due.facts.map(Known::of).transpose()?;
    let retry = |state, why: &str, asked_ms| match schedule::retry(&row, due.now, asked_ms) {
        Some(at) => Ok(Outcome { due_at: Some(at), ..done(state, why) }),
        None if state == State::InDoubt => Ok(done(state, why)),
        None => Ok(done(too_late(&row, known.as_ref()), why)),
    };
    match answer {
        Answer::Reply { code, text } => {
            let said = format!("{code} {text}");
            match code {
                200..=299 => Ok(done(State::Sent, &said)),
                // Our password or right to send is wrong: that is nobody's mail's fault.
                530 | 534 | 535 | 538 => retry(State::Retry, &said, None),
                500..=599 if is_no_such_address(text) => Ok(done(State::Bounced, &said)),
                500..=599 => Ok(done(State::Failed, &said)),
                _ => retry(State::Retry, &said, asked_wait_ms(text)),
            }
        }
        Answer::Lost(why) if class == Class::AtMostOnce => Ok(done(State::InDoubt, why)),
        Answer::Lost(why) => retry(State::InDoubt, why, None),
        Answer::Unreached(why) => retry(State::Retry, why, None),
    }
}

fn done(state: State, why: &str) -> Outcome {
    Outcome { state, due_at: None, reply: one_line(why), report: true }
}

/// The event that tells what a row records.
fn report(row: &[Value]) -> Result<Report, Reject> {
    let row = row_of(row)?;
    let outcome = match row.state {
        State::Retry => Told::Retry,
        State::InDoubt => Told::InDoubt,
        State::Suppressed => Told::Suppressed,
        State::Expired => Told::Expired,
        State::Failed => Told::Failed,
        State::Sent => Told::Sent,
        State::Bounced => Told::Bounced,
        State::Queued | State::Sending | State::Closed => return Err(Reject::new("the row of email_outbox has no outcome")),
    };
    let occurred_at = row.settled_at.ok_or_else(|| Reject::new("the row of email_outbox has no settled_at"))?;
    let attempted = Attempted {
        message_id: row.message_id,
        attempt: row.attempts,
        outcome,
        reply: row.smtp_reply.unwrap_or_default(),
        template: Some(row.template),
        user_id: row.user_id,
    };
    let event_id = derived_id(&[&row.message_id.to_string(), &row.attempts.to_string()]);
    let event = EmailEvent { event_id, occurred_at, recipient: Arc::clone(&row.recipient), body: Body::Attempted(attempted) };
    Ok(Report { key: row.recipient.to_string(), datum: to_datum("attempted", &TOPIC, &event)? })
}
