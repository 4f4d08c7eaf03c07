//! The events of `email-send`: what producers ask for, what the drain and providers tell.
//!
//! Bounds that need a template are checked with the templates; nothing here reads a row.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    render::render,
    templates::{LINE, Template, check_line, check_locale, check_params},
};
use crate::{
    fold::{self, END_OF_TIME, FIRST_TIME, Reject, Time, check_text, check_within},
    symbols,
};

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
symbols!(Category, { Transactional: "transactional", Bulk: "bulk" });

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
    /// The connection was lost after the mail, which may have been taken.
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

/// Milliseconds after its request at which a mail is too late, unless the request says another time: 24 hours.
const LIFE_MS: i64 = 86_400_000;

impl EmailEvent {
    /// Whether every value lies within the contract's bounds, and the mail can be rendered.
    ///
    /// # Errors
    /// The first field that does not.
    pub fn check(&self) -> Result<(), Reject> {
        check_recipient(&self.recipient)?;
        match &self.body {
            Body::ContactSet(it) => self.check_contact(it),
            Body::SendRequested(it) => it.check(),
            Body::Attempted(it) => it.check(),
            Body::Bounced(it) => {
                check_line("code", &it.code, 64)?;
                check_text("detail", &it.detail, 0..=512)
            }
            Body::Unsubscribed(it) => check_list(&it.list),
            Body::Delivered(_) | Body::Complained(_) | Body::Opened(_) | Body::Clicked(_) => Ok(()),
        }
    }

    fn check_contact(&self, contact: &ContactSet) -> Result<(), Reject> {
        check_within("user_id", contact.user_id, 1..=i64::MAX)?;
        check_address("address", &contact.address)?;
        check_locale("locale", &contact.locale)?;
        match user(&self.recipient) {
            Some(user_id) if user_id != contact.user_id => Err(Reject::new("user_id is not the recipient's")),
            None if self.recipient != contact.address => Err(Reject::new("address is not the recipient, which is one")),
            _ => Ok(()),
        }
    }
}

impl SendRequested {
    fn check(&self) -> Result<(), Reject> {
        check_text("template", &self.template, 1..=64)?;
        check_within("user_id", self.user_id, 0..=i64::MAX)?;
        check_locale("locale", &self.locale)?;
        check_params(&self.params)?;
        if let Some(list) = &self.list {
            check_list(list)?;
        }
        if let Some(at) = self.not_after {
            check_within("not_after", at.0, FIRST_TIME.0..=END_OF_TIME.0 - 1)?;
        }
        self.check_words()
    }

    /// Whether it can be rendered: in its language, or in all where the contact's decides.
    fn check_words(&self) -> Result<(), Reject> {
        let template = Template::find(&self.template)?;
        if !self.locale.is_empty() {
            return render(template, template.texts(&self.locale)?, &self.params).map(drop);
        }
        template.texts.iter().try_for_each(|texts| render(template, texts, &self.params).map(drop))
    }

    /// When it is too late to send it.
    pub(super) fn last_time(&self, occurred_at: Time) -> Time {
        self.not_after.unwrap_or_else(|| Time(occurred_at.plus(LIFE_MS).0.min(END_OF_TIME.0 - 1)))
    }
}

impl Attempted {
    fn check(&self) -> Result<(), Reject> {
        check_within("attempt", self.attempt, 1..=i64::from(i32::MAX))?;
        check_text("reply", &self.reply, 0..=512)?;
        check_text("template", self.template.as_deref().unwrap_or_default(), 0..=64)?;
        check_within("user_id", self.user_id.unwrap_or_default(), 0..=i64::MAX)
    }
}

/// The user of a recipient `user:<id>`.
fn user(recipient: &str) -> Option<i64> {
    let id = recipient.strip_prefix("user:")?;
    id.parse().ok().filter(|it: &i64| *it > 0 && it.to_string() == id)
}

fn check_recipient(recipient: &str) -> Result<(), Reject> {
    if user(recipient).is_some() {
        return Ok(());
    }
    check_address("recipient", recipient)
}

/// Whether a text is an address in lower case: dot-atoms of ASCII before the @, labels of a host's name after it (RFC 5321).
fn check_address(field: &str, address: &str) -> Result<(), Reject> {
    check_line(field, address, LINE)?;
    let is_atom =
        |it: &str| !it.is_empty() && it.bytes().all(|it| matches!(it, b'a'..=b'z' | b'0'..=b'9') || b"!#$%&'*+/=?^_`{|}~-".contains(&it));
    let is_label = |it: &str| {
        let fits = (1..=63).contains(&it.len()) && !it.starts_with('-') && !it.ends_with('-');
        fits && it.bytes().all(|it| matches!(it, b'a'..=b'z' | b'0'..=b'9' | b'-'))
    };
    let fits = address
        .split_once('@')
        .is_some_and(|(local, domain)| local.len() <= 64 && local.split('.').all(is_atom) && domain.split('.').all(is_label));
    if fits { Ok(()) } else { Err(Reject::new(format!("{field} is not an address in lower case"))) }
}

/// Whether a text may name a list. `all` may not: it is the scope of everything.
fn check_list(list: &str) -> Result<(), Reject> {
    let is_plain = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'_' || it == b'-';
    if (1..=64).contains(&list.len()) && list.bytes().all(is_plain) && list != super::rows::EVERYTHING {
        return Ok(());
    }
    Err(Reject::new("list is not 1..64 of a-z 0-9 _ -, or is all"))
}
