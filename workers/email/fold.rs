//! The fold: what one event changes.
//!
//! Any order of a recipient's events comes to the same rows: each event is a row of its own, and rows of one key merge.

use std::sync::Arc;

use uuid::Uuid;

use super::{
    TOPIC,
    event::{Body, BounceKind, Category, EmailEvent, Outcome, SendRequested},
    rows::{EVERYTHING, EmailContact, EmailDay, EmailHistory, EmailMessage, EmailOutbox, EmailSuppression, Kind, MessageState, Reason},
    templates::{Params, Template},
};
use crate::fold::{Field, Json, Reject, Stop, Tables, Time, Value, body_hash, drain::State};

/// Applies an event that is within its bounds.
pub(super) fn apply(event: &EmailEvent, tables: &mut Tables<'_>) -> Result<(), Stop> {
    let identity = identity(event)?;
    if tables.seen(&identity)? {
        return Ok(());
    }
    tables.append(&identity)?;
    match &event.body {
        Body::ContactSet(contact) => {
            let contact = EmailContact::of(event, contact);
            let held = tables.get::<EmailContact>((Arc::clone(&event.recipient),))?;
            tables.put(&held.map_or(contact.clone(), |it| it.merge(contact)))?;
        }
        Body::Unsubscribed(it) => suppress(event, &it.list, Reason::Unsubscribed, tables)?,
        body => {
            if let Some(message_id) = message_id(body) {
                keep(message(event, message_id), tables)?;
            }
        }
    }
    if let Some(reason) = ends_all(&event.body) {
        suppress(event, &EVERYTHING.into(), reason, tables)?;
    }
    if let Body::SendRequested(request) = &event.body {
        tables.enqueue(&queued(event, request)?)?;
    }
    Ok(())
}

/// The mail that a kind of event is about.
fn message_id(body: &Body) -> Option<Uuid> {
    match body {
        Body::ContactSet(_) | Body::Unsubscribed(_) => None,
        Body::SendRequested(it) => Some(it.message_id),
        Body::Attempted(it) => Some(it.message_id),
        Body::Bounced(it) => Some(it.message_id),
        Body::Delivered(it) | Body::Complained(it) | Body::Opened(it) | Body::Clicked(it) => Some(it.message_id),
    }
}

/// What one event says of a mail.
fn message(event: &EmailEvent, message_id: Uuid) -> EmailMessage {
    let at = event.occurred_at;
    let unknown = EmailMessage::unknown(&event.recipient, message_id, at);
    let now = Some(at);
    match &event.body {
        Body::SendRequested(it) => EmailMessage {
            template: Some(Arc::clone(&it.template)),
            category: Some(it.category),
            list: it.list.clone(),
            user_id: user_of(it.user_id),
            requested_at: now,
            request_event_id: Some(event.event_id),
            not_after: Some(it.last_time(at)),
            ..unknown
        },
        Body::Attempted(it) => EmailMessage {
            state: state_of(it.outcome),
            attempts: it.attempt,
            last_attempt_at: now,
            last_reply: Some(Arc::clone(&it.reply)),
            sent_at: (it.outcome == Outcome::Sent).then_some(at),
            bounced_at: (it.outcome == Outcome::Bounced).then_some(at),
            ..unknown
        },
        Body::Delivered(_) => EmailMessage { state: MessageState::Delivered, delivered_at: now, ..unknown },
        Body::Bounced(it) => {
            let state = if it.kind == BounceKind::Hard { MessageState::BouncedHard } else { MessageState::BouncedSoft };
            EmailMessage { state, bounced_at: now, ..unknown }
        }
        Body::Complained(_) => EmailMessage { complained_at: now, ..unknown },
        Body::Opened(_) => EmailMessage { opened_at: now, ..unknown },
        Body::Clicked(_) => EmailMessage { clicked_at: now, ..unknown },
        Body::ContactSet(_) | Body::Unsubscribed(_) => unknown,
    }
}

fn state_of(outcome: Outcome) -> MessageState {
    match outcome {
        Outcome::Retry => MessageState::Retry,
        Outcome::InDoubt => MessageState::InDoubt,
        Outcome::Suppressed => MessageState::Suppressed,
        Outcome::Expired => MessageState::Expired,
        Outcome::Failed => MessageState::Failed,
        Outcome::Sent => MessageState::Sent,
        Outcome::Bounced => MessageState::BouncedHard,
    }
}

/// Merges what an event says of a mail into what is known, and counts what that changes.
fn keep(said: EmailMessage, tables: &mut Tables<'_>) -> Result<(), Stop> {
    let held = tables.get::<EmailMessage>((Arc::clone(&said.recipient), said.message_id))?;
    let before = held.as_ref().map(EmailMessage::outcomes).unwrap_or_default();
    let known = match held {
        Some(held) => held.merge(said),
        None => said,
    };
    let after = known.outcomes();
    let gone = before.iter().filter(|it| !after.contains(it)).map(|it| (it, -1));
    let new = after.iter().filter(|it| !before.contains(it)).map(|it| (it, 1));
    for ((day, outcome), mails) in gone.chain(new) {
        let template = known.template.clone().unwrap_or_default();
        tables.add(&EmailDay { day: *day, template, outcome: (*outcome).into(), mails })?;
    }
    tables.put(&known)
}

/// Why a recipient gets no mail at all after an event.
fn ends_all(body: &Body) -> Option<Reason> {
    match body {
        Body::Bounced(it) if it.kind == BounceKind::Hard => Some(Reason::HardBounce),
        Body::Attempted(it) if it.outcome == Outcome::Bounced => Some(Reason::HardBounce),
        Body::Complained(_) => Some(Reason::Complaint),
        _ => None,
    }
}

fn suppress(event: &EmailEvent, scope: &Arc<str>, reason: Reason, tables: &mut Tables<'_>) -> Result<(), Stop> {
    let (recipient, scope) = (Arc::clone(&event.recipient), Arc::clone(scope));
    let held = tables.get::<EmailSuppression>((Arc::clone(&recipient), Arc::clone(&scope)))?;
    let at = event.occurred_at;
    let new = EmailSuppression { recipient, scope, reason, suppressed_at: at, event_id: event.event_id, last_event_at: at };
    tables.put(&held.map_or(new.clone(), |it| it.merge(new)))
}

/// The row of the queue that a request makes.
fn queued(event: &EmailEvent, request: &SendRequested) -> Result<EmailOutbox, Reject> {
    let template = Template::find(&request.template)?;
    let asked: Params = request.params.clone().into_iter().filter(|(name, _)| template.params.iter().any(|it| *it.0 == **name)).collect();
    let bulk = request.category == Category::Bulk;
    Ok(EmailOutbox {
        recipient: Arc::clone(&event.recipient),
        message_id: request.message_id,
        template: Arc::clone(&request.template),
        locale: Arc::clone(&request.locale),
        params: json(&asked)?,
        user_id: user_of(request.user_id),
        list: bulk.then(|| request.list.clone().unwrap_or_else(|| Arc::clone(&request.template))),
        not_after: request.last_time(event.occurred_at),
        lane: TOPIC.partition_of(event.recipient.as_bytes()),
        bulk,
        queued_at: event.occurred_at,
        state: State::Queued,
        attempts: 0,
        due_at: Some(event.occurred_at),
        lease: None,
        smtp_reply: None,
        settled_at: None,
        reported: true,
    })
}

fn json(params: &Params) -> Result<Json, Reject> {
    serde_json::to_string(params).map(|it| Json(it.into())).map_err(|_| Reject::new("params have no JSON form"))
}

/// A user's id as a column has it: none for 0.
fn user_of(user_id: i64) -> Option<i64> {
    (user_id != 0).then_some(user_id)
}

/// The history row of an event: only what the event itself says, so that no order shows.
fn identity(event: &EmailEvent) -> Result<EmailHistory, Reject> {
    let (email_type, user_id) = match &event.body {
        Body::SendRequested(it) => (Some(Arc::clone(&it.template)), user_of(it.user_id)),
        Body::Attempted(it) => (it.template.clone(), it.user_id.and_then(user_of)),
        Body::ContactSet(it) => (None, user_of(it.user_id)),
        _ => (None, None),
    };
    let sent = matches!(&event.body, Body::Attempted(it) if it.outcome == Outcome::Sent);
    Ok(EmailHistory {
        recipient: Arc::clone(&event.recipient),
        occurred_at: event.occurred_at,
        event_id: event.event_id,
        kind: Kind::of(&event.body),
        user_id,
        email_type,
        message_id: message_id(&event.body),
        sent_at: sent.then_some(event.occurred_at),
        body_hash: body_hash(&body(event)?),
    })
}

/// All that the body says, as stored.
fn body(event: &EmailEvent) -> Result<Vec<Value>, Reject> {
    let mut values = vec![Kind::of(&event.body).to_value(), message_id(&event.body).to_value()];
    match &event.body {
        Body::ContactSet(it) => values.extend([it.user_id.to_value(), it.address.to_value(), it.locale.to_value()]),
        Body::SendRequested(it) => values.extend([
            it.template.to_value(),
            it.locale.to_value(),
            json(&it.params)?.to_value(),
            it.user_id.to_value(),
            it.category.to_value(),
            it.list.to_value(),
            last_time(it, event.occurred_at),
        ]),
        Body::Attempted(it) => values.extend([
            it.attempt.to_value(),
            state_of(it.outcome).to_value(),
            it.reply.to_value(),
            it.template.to_value(),
            it.user_id.to_value(),
        ]),
        Body::Bounced(it) => values.extend([(it.kind == BounceKind::Hard).to_value(), it.code.to_value(), it.detail.to_value()]),
        Body::Unsubscribed(it) => values.push(it.list.to_value()),
        Body::Delivered(_) | Body::Complained(_) | Body::Opened(_) | Body::Clicked(_) => {}
    }
    Ok(values)
}

fn last_time(request: &SendRequested, occurred_at: Time) -> Value {
    request.last_time(occurred_at).to_value()
}
