//! The rows of the fold and of the queue: one struct a table, as `migrations/0007_email.sql` and `0009_kept.sql` have them.
//!
//! Rows of one key merge: [`EmailMessage::merge`] and its like mind no order, so that feedback may come before its cause.

use std::sync::Arc;

use uuid::Uuid;

use super::event::{Body, Category, ContactSet, EmailEvent};
use crate::{
    fold::{Day, Json, Time, drain::State},
    row, symbols,
};

/// The scope of a suppression that keeps back every mail.
pub(super) const EVERYTHING: &str = "all";

/// Where mail for a recipient goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct EmailContact {
    pub(super) recipient: Arc<str>,
    pub(super) user_id: i64,
    pub(super) address: Arc<str>,
    pub(super) locale: Arc<str>,
    pub(super) last_event_at: Time,
    /// That event.
    pub(super) event_id: Uuid,
}
row!(EmailContact, State, "email_contacts", [recipient], [user_id, address, locale, last_event_at, event_id]);

impl EmailContact {
    pub(super) fn of(event: &EmailEvent, contact: &ContactSet) -> Self {
        Self {
            recipient: Arc::clone(&event.recipient),
            user_id: contact.user_id,
            address: Arc::clone(&contact.address),
            locale: Arc::clone(&contact.locale),
            last_event_at: event.occurred_at,
            event_id: event.event_id,
        }
    }

    /// The newer of both.
    pub(super) fn merge(self, other: Self) -> Self {
        if (other.last_event_at, other.event_id) > (self.last_event_at, self.event_id) { other } else { self }
    }
}

/// How far a mail came, from the least to the most that may be said of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum MessageState {
    /// Nothing was tried, or nothing is known.
    Queued,
    Retry,
    InDoubt,
    Suppressed,
    Expired,
    Failed,
    Sent,
    BouncedSoft,
    Delivered,
    BouncedHard,
}
symbols!(MessageState, {
    Queued: "queued",
    Retry: "retry",
    InDoubt: "in_doubt",
    Suppressed: "suppressed",
    Expired: "expired",
    Failed: "failed",
    Sent: "sent",
    BouncedSoft: "bounced_soft",
    Delivered: "delivered",
    BouncedHard: "bounced_hard",
});

/// What is known of a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct EmailMessage {
    pub(super) recipient: Arc<str>,
    pub(super) message_id: Uuid,
    /// From here to `not_after`, what the first request says; `None` while there is none.
    pub(super) template: Option<Arc<str>>,
    pub(super) category: Option<Category>,
    pub(super) list: Option<Arc<str>>,
    /// `None` where the recipient is no user, too.
    pub(super) user_id: Option<i64>,
    pub(super) requested_at: Option<Time>,
    pub(super) request_event_id: Option<Uuid>,
    pub(super) not_after: Option<Time>,
    pub(super) state: MessageState,
    /// The first event that said so.
    pub(super) state_at: Time,
    /// The greatest attempt's number, 0 while there is none.
    pub(super) attempts: i64,
    pub(super) last_attempt_at: Option<Time>,
    pub(super) last_reply: Option<Arc<str>>,
    /// The first event of each kind.
    pub(super) sent_at: Option<Time>,
    pub(super) delivered_at: Option<Time>,
    pub(super) bounced_at: Option<Time>,
    pub(super) complained_at: Option<Time>,
    pub(super) opened_at: Option<Time>,
    pub(super) clicked_at: Option<Time>,
    pub(super) last_event_at: Time,
}
row!(
    EmailMessage,
    State,
    "email_messages",
    [recipient, message_id],
    [
        template,
        category,
        list,
        user_id,
        requested_at,
        request_event_id,
        not_after,
        state,
        state_at,
        attempts,
        last_attempt_at,
        last_reply,
        sent_at,
        delivered_at,
        bounced_at,
        complained_at,
        opened_at,
        clicked_at,
        last_event_at,
    ]
);

impl EmailMessage {
    /// A mail of which nothing is known but that there was an event.
    pub(super) fn unknown(recipient: &Arc<str>, message_id: Uuid, at: Time) -> Self {
        Self {
            recipient: Arc::clone(recipient),
            message_id,
            template: None,
            category: None,
            list: None,
            user_id: None,
            requested_at: None,
            request_event_id: None,
            not_after: None,
            state: MessageState::Queued,
            state_at: at,
            attempts: 0,
            last_attempt_at: None,
            last_reply: None,
            sent_at: None,
            delivered_at: None,
            bounced_at: None,
            complained_at: None,
            opened_at: None,
            clicked_at: None,
            last_event_at: at,
        }
    }

    /// What the events of both say.
    pub(super) fn merge(self, other: Self) -> Self {
        let asked = |it: &Self| (it.requested_at.is_none(), it.requested_at, it.request_event_id);
        let tried = |it: &Self| (it.attempts, it.last_attempt_at, it.last_reply.clone());
        let (first, second) = if asked(&other) < asked(&self) { (other, self) } else { (self, other) };
        let (attempts, last_attempt_at, last_reply) = tried(&first).max(tried(&second));
        let (state, state_at) = match first.state.cmp(&second.state) {
            std::cmp::Ordering::Equal => (first.state, first.state_at.min(second.state_at)),
            std::cmp::Ordering::Less => (second.state, second.state_at),
            std::cmp::Ordering::Greater => (first.state, first.state_at),
        };
        Self {
            state,
            state_at,
            attempts,
            last_attempt_at,
            last_reply,
            sent_at: earlier(first.sent_at, second.sent_at),
            delivered_at: earlier(first.delivered_at, second.delivered_at),
            bounced_at: earlier(first.bounced_at, second.bounced_at),
            complained_at: earlier(first.complained_at, second.complained_at),
            opened_at: earlier(first.opened_at, second.opened_at),
            clicked_at: earlier(first.clicked_at, second.clicked_at),
            last_event_at: first.last_event_at.max(second.last_event_at),
            ..first
        }
    }

    /// What it counts for: days and outcomes. Nothing while its template is not known.
    pub(super) fn outcomes(&self) -> Vec<(Day, &'static str)> {
        if self.template.is_none() {
            return Vec::new();
        }
        let bounced = if self.state == MessageState::BouncedHard { "bounced_hard" } else { "bounced_soft" };
        let unsent = matches!(self.state, MessageState::InDoubt | MessageState::Suppressed | MessageState::Expired | MessageState::Failed);
        let times = [
            (self.requested_at, "requested"),
            (unsent.then_some(self.state_at), self.state.name()),
            (self.sent_at, "sent"),
            (self.delivered_at, "delivered"),
            (self.bounced_at, bounced),
            (self.complained_at, "complained"),
            (self.opened_at, "opened"),
            (self.clicked_at, "clicked"),
        ];
        times.into_iter().filter_map(|(at, outcome)| Some((at?.day(), outcome))).collect()
    }
}

fn earlier(one: Option<Time>, other: Option<Time>) -> Option<Time> {
    one.into_iter().chain(other).min()
}

/// An event that was applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct EmailHistory {
    pub(super) recipient: Arc<str>,
    pub(super) occurred_at: Time,
    pub(super) event_id: Uuid,
    /// The kind of event.
    pub(super) kind: Kind,
    /// What the event itself says of it; `None` where it does not.
    pub(super) user_id: Option<i64>,
    pub(super) email_type: Option<Arc<str>>,
    pub(super) message_id: Option<Uuid>,
    /// `occurred_at`, where the event says that it was sent.
    pub(super) sent_at: Option<Time>,
    pub(super) body_hash: i64,
}
row!(
    EmailHistory,
    History,
    "email_history",
    [recipient, occurred_at, event_id],
    [kind, user_id, email_type, message_id, sent_at, body_hash]
);

/// Kinds of events, as the history has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    ContactSet,
    SendRequested,
    Attempted,
    Delivered,
    Bounced,
    Complained,
    Unsubscribed,
    Opened,
    Clicked,
}
symbols!(Kind, {
    ContactSet: "contact_set",
    SendRequested: "send_requested",
    Attempted: "attempted",
    Delivered: "delivered",
    Bounced: "bounced",
    Complained: "complained",
    Unsubscribed: "unsubscribed",
    Opened: "opened",
    Clicked: "clicked",
});

impl Kind {
    pub(super) fn of(body: &Body) -> Self {
        match body {
            Body::ContactSet(_) => Self::ContactSet,
            Body::SendRequested(_) => Self::SendRequested,
            Body::Attempted(_) => Self::Attempted,
            Body::Delivered(_) => Self::Delivered,
            Body::Bounced(_) => Self::Bounced,
            Body::Complained(_) => Self::Complained,
            Body::Unsubscribed(_) => Self::Unsubscribed,
            Body::Opened(_) => Self::Opened,
            Body::Clicked(_) => Self::Clicked,
        }
    }
}

/// Mail that a recipient does not get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct EmailSuppression {
    pub(super) recipient: Arc<str>,
    /// `all`, or a list.
    pub(super) scope: Arc<str>,
    pub(super) reason: Reason,
    /// The first event that said so.
    pub(super) suppressed_at: Time,
    pub(super) event_id: Uuid,
    /// Of all events that said so.
    pub(super) last_event_at: Time,
}
row!(EmailSuppression, State, "email_suppressions", [recipient, scope], [reason, suppressed_at, event_id, last_event_at]);

/// Why mail is suppressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    HardBounce,
    Complaint,
    Unsubscribed,
}
symbols!(Reason, { HardBounce: "hard_bounce", Complaint: "complaint", Unsubscribed: "unsubscribed" });

impl EmailSuppression {
    /// The earlier of both, and when the later was.
    pub(super) fn merge(self, other: Self) -> Self {
        let last_event_at = self.last_event_at.max(other.last_event_at);
        let earlier = if (other.suppressed_at, other.event_id) < (self.suppressed_at, self.event_id) { other } else { self };
        Self { last_event_at, ..earlier }
    }
}

/// Mails of one UTC day, template and outcome.
pub(super) struct EmailDay {
    pub(super) day: Day,
    pub(super) template: Arc<str>,
    pub(super) outcome: Arc<str>,
    pub(super) mails: i64,
}
row!(EmailDay, Counter, "email_days", [day, template, outcome], [mails]);

/// A mail to be sent: what the drain needs of it, and how it stands there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct EmailOutbox {
    pub(super) recipient: Arc<str>,
    pub(super) message_id: Uuid,
    pub(super) template: Arc<str>,
    /// Empty: the contact's.
    pub(super) locale: Arc<str>,
    /// What the template asks for, as a JSON object.
    pub(super) params: Json,
    pub(super) user_id: Option<i64>,
    /// The list of bulk mail: the template's name, if the request says none.
    pub(super) list: Option<Arc<str>>,
    pub(super) not_after: Time,
    /// From here on, the drain's own: see [`crate::fold::drain::OWNED`].
    pub(super) lane: i32,
    pub(super) bulk: bool,
    pub(super) queued_at: Time,
    pub(super) state: State,
    pub(super) attempts: i64,
    pub(super) due_at: Option<Time>,
    pub(super) lease: Option<Uuid>,
    pub(super) smtp_reply: Option<Arc<str>>,
    pub(super) settled_at: Option<Time>,
    pub(super) reported: bool,
}
row!(
    EmailOutbox,
    Queue,
    "email_outbox",
    [recipient, message_id],
    [
        template, locale, params, user_id, list, not_after, lane, bulk, queued_at, state, attempts, due_at, lease, smtp_reply, settled_at,
        reported
    ]
);
