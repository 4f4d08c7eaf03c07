//! A mail's bytes: headers, and both parts in encodings that every server passes on.
//!
//! It knows no template: the core hands over finished text.

use std::time::{Duration, UNIX_EPOCH};

use lettre::{
    Address,
    address::Envelope,
    message::{
        Mailbox, MultiPart, SinglePart,
        header::{HeaderName, HeaderValue},
    },
};
use workers::fold::{Time, drain::Message};

/// A mail, ready to be handed over.
#[derive(Debug)]
pub struct Letter {
    /// From whom to whom.
    pub envelope: Envelope,
    /// All else.
    pub bytes: Vec<u8>,
}

/// Puts a mail together. The same message at the same time gives the same bytes.
///
/// # Errors
/// What about it no mail can have, in a line without its content.
pub fn letter(message: &Message, from: &Mailbox, at: Time) -> Result<Letter, String> {
    let to: Address = message.to.parse().map_err(|_| "the address is not one that mail can be sent to".to_owned())?;
    let date = UNIX_EPOCH + Duration::from_millis(u64::try_from(at.0).unwrap_or_default());
    let mut builder = lettre::Message::builder()
        .from(from.clone())
        .to(Mailbox::new(None, to))
        .subject(&message.subject)
        .message_id(Some(message.message_id.clone()))
        .date(date);
    for (name, value) in &message.headers {
        let name = HeaderName::new_from_ascii((*name).to_owned()).map_err(|_| "a header's name is none".to_owned())?;
        builder = builder.raw_header(HeaderValue::new(name, value.clone()));
    }
    let parts = MultiPart::alternative()
        .boundary(boundary(&message.message_id))
        .singlepart(SinglePart::plain(message.text.clone()))
        .singlepart(SinglePart::html(message.html.clone()));
    let mail = builder.multipart(parts).map_err(|it| it.to_string())?;
    Ok(Letter { envelope: mail.envelope().clone(), bytes: mail.formatted() })
}

/// What stands between the parts: made of the id, so that it does not change, and no text holds it by chance.
fn boundary(message_id: &str) -> String {
    format!(
        "{:016x}{:016x}",
        xxhash_rust::xxh3::xxh3_64_with_seed(message_id.as_bytes(), 1),
        xxhash_rust::xxh3::xxh3_64(message_id.as_bytes())
    )
}

#[cfg(test)]
mod tests {
    use mailparse::{MailHeaderMap as _, parse_mail};

    use super::*;

    fn message() -> Message {
        Message {
            to: "anna@example.org".to_owned(),
            to_domain: "example.org".to_owned(),
            subject: "Grüße, 日本語 und 🙂 — a subject that is longer than one line of a header may be, by far".to_owned(),
            text: "Grüße\n.\n..dots\nFrom here\n".to_owned(),
            html: format!("<p>{}</p>\n", "ü🙂".repeat(1_000)),
            message_id: "<1.2@example.org>".to_owned(),
            headers: vec![
                ("List-Unsubscribe", format!("<https://example.org/{}>", "u".repeat(300))),
                ("X-Fleet-Recipient", "user:42".to_owned()),
            ],
        }
    }

    fn bytes(message: &Message) -> Vec<u8> {
        letter(message, &"Fleet ✓ <fleet@example.org>".parse().unwrap(), Time(1_700_000_000_000)).unwrap().bytes
    }

    #[test]
    fn what_goes_in_comes_out() {
        let (message, bytes) = (message(), bytes(&message()));
        assert!(bytes.is_ascii());
        assert!(bytes.split(|it| *it == b'\n').all(|line| line.len() <= 998), "a line that is too long for SMTP");
        let mail = parse_mail(&bytes).unwrap();
        let header = |name| mail.headers.get_first_value(name).unwrap();
        assert_eq!(header("Subject"), message.subject);
        assert_eq!(header("From"), "Fleet ✓ <fleet@example.org>");
        assert_eq!((header("To"), header("Message-ID")), (message.to, message.message_id));
        assert_eq!(header("Date"), "Tue, 14 Nov 2023 22:13:20 +0000");
        assert_eq!((header("List-Unsubscribe"), header("X-Fleet-Recipient")), (message.headers[0].1.clone(), message.headers[1].1.clone()));
        assert_eq!(mail.ctype.mimetype, "multipart/alternative");
        let parts: Vec<(String, String)> =
            mail.subparts.iter().map(|it| (it.ctype.mimetype.clone(), it.get_body().unwrap().replace("\r\n", "\n"))).collect();
        assert_eq!(parts, [("text/plain".to_owned(), message.text), ("text/html".to_owned(), message.html)]);
    }

    #[test]
    fn the_same_mail_is_the_same_bytes() {
        assert_eq!(bytes(&message()), bytes(&message()));
    }

    #[test]
    fn a_line_end_in_a_header_makes_no_header() {
        let mut message = message();
        message.subject = "a\r\nBcc: all@example.org".to_owned();
        message.headers = vec![("X-Fleet-Recipient", "b\r\nBcc: all@example.org\r\n\r\nbody".to_owned())];
        let bytes = bytes(&message);
        let mail = parse_mail(&bytes).unwrap();
        assert_eq!(mail.headers.get_first_value("Bcc"), None);
        assert_eq!(mail.subparts.len(), 2);
    }
}
