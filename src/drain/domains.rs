//! Domains that are not sent to for a while: one that puts off mail after mail wants rest.
//!
//! It is this process's memory alone; what a single mail does next stands in its row.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

/// Mails put off in a row before a domain has rest.
const PUT_OFF: u32 = 5;
/// The first rest; each further mail put off doubles it.
const FIRST: Duration = Duration::from_secs(30);
/// The longest rest.
const LONGEST: Duration = Duration::from_secs(15 * 60);
/// Domains remembered.
const MOST: usize = 10_000;

/// What is known of domains.
#[derive(Debug, Default)]
pub struct Domains(HashMap<String, Known>);

/// What is known of one.
#[derive(Debug)]
struct Known {
    /// Mails put off in a row.
    put_off: u32,
    /// When the last of them was.
    last: Instant,
    /// Until when it has rest, if they are enough for that.
    until: Instant,
}

impl Domains {
    /// How long a domain still has rest.
    pub fn rest(&self, domain: &str, now: Instant) -> Option<Duration> {
        let known = self.0.get(domain)?;
        if known.put_off < PUT_OFF { None } else { known.until.checked_duration_since(now).filter(|it| !it.is_zero()) }
    }

    /// A domain put off a mail that was handed over at `since`. Of mails that are under way together one counts: the others say
    /// the same of the same moment.
    pub fn put_off(&mut self, domain: &str, since: Instant, now: Instant) {
        if self.0.len() >= MOST {
            self.0.retain(|_, it| it.until > now);
        }
        let put_off = match self.0.get(domain) {
            Some(known) if since < known.last => return,
            Some(known) => known.put_off + 1,
            None => 1,
        };
        let doubled = FIRST.saturating_mul(1 << put_off.saturating_sub(PUT_OFF).min(10));
        self.0.insert(domain.to_owned(), Known { put_off, last: now, until: now + doubled.min(LONGEST) });
    }

    /// A domain took a mail, or refused it for good.
    pub fn answered(&mut self, domain: &str) {
        self.0.remove(domain);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many mails put off one after the other, each handed over when the one before had been.
    fn put_off(domains: &mut Domains, domain: &str, times: u32, now: Instant) {
        (0..times).for_each(|_| domains.put_off(domain, now, now));
    }

    #[test]
    fn rests_after_some_mails_and_longer_after_more() {
        let (mut domains, now) = (Domains::default(), Instant::now());
        put_off(&mut domains, "a", PUT_OFF - 1, now);
        assert_eq!(domains.rest("a", now), None);
        put_off(&mut domains, "a", 1, now);
        assert_eq!(domains.rest("a", now), Some(FIRST));
        assert_eq!(domains.rest("b", now), None);
        put_off(&mut domains, "a", 1, now);
        assert_eq!(domains.rest("a", now), Some(FIRST * 2));
        assert_eq!(domains.rest("a", now + FIRST * 2), None);
        put_off(&mut domains, "a", 40, now);
        assert_eq!(domains.rest("a", now), Some(LONGEST));
        domains.answered("a");
        assert_eq!(domains.rest("a", now), None);
    }

    #[test]
    fn of_mails_that_are_under_way_together_one_counts() {
        let (mut domains, start, step) = (Domains::default(), Instant::now(), Duration::from_millis(10));
        for burst in 1..PUT_OFF {
            let since = start + step * burst;
            (1..=32).for_each(|it| domains.put_off("a", since, since + step * it / 64));
            assert_eq!(domains.rest("a", since), None, "after {burst}");
        }
        let (since, now) = (start + step * PUT_OFF, start + step * (PUT_OFF + 1));
        (0..32).for_each(|_| domains.put_off("a", since, now));
        assert_eq!(domains.rest("a", now), Some(FIRST));
    }

    #[test]
    fn remembers_only_so_many() {
        let (mut domains, now) = (Domains::default(), Instant::now());
        (0..MOST).for_each(|it| domains.put_off(&it.to_string(), now, now));
        domains.put_off("late", now, now + FIRST);
        assert_eq!(domains.0.len(), 1);
    }
}
