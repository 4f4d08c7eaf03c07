//! The events of `email-send`: what producers ask for, what the drain and providers tell.
//!
//! Bounds that need a template are checked with the templates; nothing here reads a row.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::fold::{self, Time};

/// One event. Its key is `recipient`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EmailEvent {
    /// Its id.
    #[serde(deserialize_with = "fold::event_id", serialize_with = "fold::write_event_id")]
    pub event_id: Uuid,
    /// When it happened.
    pub occurred_at: Time,
    /// A lower-case address of at most 254 characters, or `user:<id>`.
    pub recipient: Arc<str>,
    /// What happened.
    pub body: Body,
}

/// What happened. The variants are the records of the schema's union, by their full names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Body {
    /// Where mail for the recipient goes.
    #[serde(rename = "fleet.ContactSet", alias = "ContactSet")]
    ContactSet(ContactSet),
    /// A mail is to be sent.
    #[serde(rename = "fleet.SendRequested", alias = "SendRequested")]
    SendRequested(SendRequested),
    /// What came of an attempt to send it.
    #[serde(rename = "fleet.Attempted", alias = "Attempted")]
    Attempted(Attempted),
    /// The recipient's server took it.
    #[serde(rename = "fleet.Delivered", alias = "Delivered")]
    Delivered(Mail),
    /// It came back.
    #[serde(rename = "fleet.Bounced", alias = "Bounced")]
    Bounced(Bounced),
    /// The recipient called it spam.
    #[serde(rename = "fleet.Complained", alias = "Complained")]
    Complained(Mail),
    /// No bulk mail of a list any more.
    #[serde(rename = "fleet.Unsubscribed", alias = "Unsubscribed")]
    Unsubscribed(Unsubscribed),
    /// The recipient looked at it.
    #[serde(rename = "fleet.Opened", alias = "Opened")]
    Opened(Mail),
    /// The recipient followed a link of it.
    #[serde(rename = "fleet.Clicked", alias = "Clicked")]
    Clicked(Mail),
}

/// Where mail for a recipient goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContactSet {
    /// The user, above 0.
    pub user_id: i64,
    /// A lower-case address.
    pub address: Arc<str>,
    /// A language tag; empty where not known.
    #[serde(default)]
    pub locale: Arc<str>,
}

/// A mail to be sent, once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SendRequested {
    /// The mail: the same id is the same mail, whoever asks for it and when.
    #[serde(deserialize_with = "fold::other_id", serialize_with = "fold::write_event_id")]
    pub message_id: Uuid,
    /// A template's name.
    pub template: Arc<str>,
    /// A language tag; empty: the contact's.
    #[serde(default)]
    pub locale: Arc<str>,
    /// What the template asks for. In order, so that a repeat is the same bytes.
    #[serde(default)]
    pub params: BTreeMap<Arc<str>, Arc<str>>,
    /// The user, 0 where there is none.
    pub user_id: i64,
    /// What goes first, and what may be unsubscribed from.
    pub category: Category,
    /// The list that bulk mail belongs to; `None`: the template's name.
    #[serde(default)]
    pub list: Option<Arc<str>>,
    /// When it is too late; `None`: 24 hours after `occurred_at`.
    #[serde(default)]
    pub not_after: Option<Time>,
}

/// What a mail is to its recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Category {
    /// Something the recipient waits for: it goes first.
    Transactional,
    /// Something the recipient may unsubscribe from.
    Bulk,
}

/// What came of an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempted {
    /// The mail.
    #[serde(deserialize_with = "fold::other_id", serialize_with = "fold::write_event_id")]
    pub message_id: Uuid,
    /// Which attempt, from 1.
    pub attempt: i64,
    /// What came of it.
    pub outcome: Outcome,
    /// What the server said, or why there is nothing.
    #[serde(default)]
    pub reply: Arc<str>,
    /// The mail's template.
    #[serde(default)]
    pub template: Option<Arc<str>>,
    /// The mail's user.
    #[serde(default)]
    pub user_id: Option<i64>,
}

/// What came of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is tried again later.
    Retry,
    /// The connection was lost after the mail, which is not sent again.
    InDoubt,
    /// It was not tried: the recipient wants or gets none.
    Suppressed,
    /// It was not tried: too late.
    Expired,
    /// The server refused it for good.
    Failed,
    /// The server took it.
    Sent,
    /// The server refused it for good: there is no such address.
    Bounced,
}

/// What names a mail and nothing else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mail {
    /// The mail.
    #[serde(deserialize_with = "fold::other_id", serialize_with = "fold::write_event_id")]
    pub message_id: Uuid,
}

/// A mail that came back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounced {
    /// The mail.
    #[serde(deserialize_with = "fold::other_id", serialize_with = "fold::write_event_id")]
    pub message_id: Uuid,
    /// Whether there is such an address.
    pub kind: BounceKind,
    /// The enhanced status code, such as 5.1.1.
    #[serde(default)]
    pub code: Arc<str>,
    /// What the other server said.
    #[serde(default)]
    pub detail: Arc<str>,
}

/// Whether an address that a mail came back from is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BounceKind {
    /// There is no such address.
    Hard,
    /// All else: full, away, refused.
    Soft,
}

/// No bulk mail of a list any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unsubscribed {
    /// The list.
    pub list: Arc<str>,
}
