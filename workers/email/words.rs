//! The mail itself: addresses, headers and parts.
//!
//! Encoding is the shell's. Every header but the subject is ASCII: recipients, lists and ids were checked to be.

use super::{render::Rendered, rows::EmailOutbox};
use crate::fold::drain::{Message, Sender};

/// A rendered mail with its headers.
pub(super) fn message(row: &EmailOutbox, address: &str, rendered: Rendered, sender: &Sender) -> Message {
    let host = domain(&sender.address);
    let mut headers = vec![
        ("X-Fleet-Recipient", row.recipient.to_string()),
        ("X-Fleet-Message", row.message_id.to_string()),
        ("Auto-Submitted", "auto-generated".to_owned()),
    ];
    if let Some(list) = &row.list {
        headers.push(("List-Id", format!("<{list}.{host}>")));
        headers.push(("List-Unsubscribe", format!("<{}>", unsubscribe_url(row, list, &sender.unsubscribe_url))));
        headers.push(("List-Unsubscribe-Post", "List-Unsubscribe=One-Click".to_owned()));
    }
    Message {
        to: address.to_owned(),
        to_domain: domain(address).to_owned(),
        subject: rendered.subject,
        text: rendered.text,
        html: rendered.html,
        message_id: format!("<{}@{host}>", row.message_id),
        headers,
    }
}

/// What follows the last @.
fn domain(address: &str) -> &str {
    address.rsplit('@').next().unwrap_or_default()
}

/// Where a POST ends the subscription (RFC 8058). The mail's id shows that whoever posts has the mail.
fn unsubscribe_url(row: &EmailOutbox, list: &str, url: &str) -> String {
    let joint = if url.contains('?') { '&' } else { '?' };
    format!("{url}{joint}recipient={}&list={list}&message_id={}", escaped(&row.recipient), row.message_id)
}

/// A text as it stands in a URL's query (RFC 3986).
fn escaped(text: &str) -> String {
    let plain = |it: u8| it.is_ascii_alphanumeric() || b"-._~".contains(&it);
    text.bytes().map(|it| if plain(it) { char::from(it).to_string() } else { format!("%{it:02X}") }).collect()
}
