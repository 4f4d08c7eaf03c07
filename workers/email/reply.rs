//! What servers say in their replies, as far as it decides something.
//!
//! Replies are written by strangers: what is not understood is taken for nothing.

/// Characters of a reply that are kept.
const KEPT: usize = 512;

/// A reply as it is kept: one line, without control characters.
pub(super) fn one_line(reply: &str) -> String {
    let plain: String = reply.chars().map(|it| if it.is_control() { ' ' } else { it }).take(KEPT).collect();
    plain.trim().to_owned()
}

/// Whether a refusal means that there is nobody of that address (RFC 3463: no mailbox, no host, bad syntax, moved; RFC 7505: no mail
/// there). Other 5.1 codes are about the sender, 5.7 about our reputation.
pub(super) fn is_no_such_address(reply: &str) -> bool {
    let code = reply.split_ascii_whitespace().next().unwrap_or_default();
    ["5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10"].contains(&code)
}

/// The wait that a server asks for, in milliseconds: "try again in 20 seconds", "retry after 5 min", "wait 1 hour".
pub(super) fn asked_wait_ms(reply: &str) -> Option<i64> {
    let reply = reply.to_ascii_lowercase();
    let words: Vec<&str> = reply.split(|it: char| !it.is_ascii_alphanumeric()).filter(|it| !it.is_empty()).collect();
    let asks = words.iter().position(|it| ["again", "retry", "wait", "retrying"].contains(it))?;
    let rest = words.get(asks + 1..)?;
    rest.iter().enumerate().find_map(|(place, word)| {
        let digits = word.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = word.split_at(digits);
        let unit = if unit.is_empty() { rest.get(place + 1).copied().unwrap_or_default() } else { unit };
        number.parse::<i64>().ok()?.checked_mul(unit_ms(unit)?)
    })
}

fn unit_ms(unit: &str) -> Option<i64> {
    match unit {
        "s" | "sec" | "secs" | "second" | "seconds" => Some(1_000),
        "m" | "min" | "mins" | "minute" | "minutes" => Some(60_000),
        "h" | "hour" | "hours" => Some(3_600_000),
        _ => None,
    }
}
