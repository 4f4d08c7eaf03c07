//! When a mail is tried again, and when one that cannot be sent yet is looked at again.
//!
//! In whole milliseconds; no clock: the time is given.

use super::rows::EmailOutbox;
use crate::fold::Time;

/// The wait after the first attempt: 5 minutes.
const FIRST_WAIT_MS: i64 = 300_000;
/// The wait after any attempt at most: a day.
const LONGEST_WAIT_MS: i64 = 86_400_000;
/// Added to a wait that the server asks for: 10 s.
const MARGIN_MS: i64 = 10_000;
/// The least and the most time between two looks for a contact.
const LOOK_MS: std::ops::RangeInclusive<i64> = 15_000..=3_600_000;

/// When a mail is tried after the attempt that now failed: when the server asked for it, else 5 min * 1.3^(n - 1) after attempt n.
/// `None` if that is too late.
pub(super) fn retry(row: &EmailOutbox, now: Time, asked_ms: Option<i64>) -> Option<Time> {
    let wait = asked_ms.map_or_else(|| wait_ms(row.attempts.saturating_add(1)), |it| it.saturating_add(MARGIN_MS));
    Some(now.plus(wait)).filter(|it| *it < row.not_after)
}

/// Milliseconds to wait after attempt n, each step rounded down.
fn wait_ms(attempt: i64) -> i64 {
    let mut wait = FIRST_WAIT_MS;
    for _ in 1..attempt {
        wait = wait / 10 * 13 + wait % 10 * 13 / 10;
        if wait >= LONGEST_WAIT_MS {
            return LONGEST_WAIT_MS;
        }
    }
    wait
}

/// When a mail without an address is looked at again: after half its age, so that many that never get one cost little. At the
/// latest when it is too late for it.
pub(super) fn next_look(row: &EmailOutbox, now: Time) -> Time {
    let age = now.0.saturating_sub(row.queued_at.0);
    now.plus((age / 2).clamp(*LOOK_MS.start(), *LOOK_MS.end())).min(row.not_after)
}
