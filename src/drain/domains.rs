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
pub struct Domains(HashMap<String, (u32, Instant)>);

impl Domains {
    /// How long a domain still has rest.
    pub fn rest(&self, domain: &str, now: Instant) -> Option<Duration> {
        let (put_off, until) = self.0.get(domain)?;
        if *put_off < PUT_OFF { None } else { until.checked_duration_since(now).filter(|it| !it.is_zero()) }
    }

    /// A domain put a mail off.
    pub fn put_off(&mut self, domain: &str, now: Instant) {
        if self.0.len() >= MOST {
            self.0.retain(|_, (_, until)| *until > now);
        }
        let (put_off, until) = self.0.entry(domain.to_owned()).or_insert((0, now));
        *put_off += 1;
        let doubled = FIRST.saturating_mul(1 << put_off.saturating_sub(PUT_OFF).min(10));
        *until = now + doubled.min(LONGEST);
    }

    /// A domain took a mail, or refused it for good.
    pub fn answered(&mut self, domain: &str) {
        self.0.remove(domain);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rests_after_some_mails_and_longer_after_more() {
        let (mut domains, now) = (Domains::default(), Instant::now());
        for _ in 1..PUT_OFF {
            domains.put_off("a", now);
        }
        assert_eq!(domains.rest("a", now), None);
        domains.put_off("a", now);
        assert_eq!(domains.rest("a", now), Some(FIRST));
        assert_eq!(domains.rest("b", now), None);
        domains.put_off("a", now);
        assert_eq!(domains.rest("a", now), Some(FIRST * 2));
        assert_eq!(domains.rest("a", now + FIRST * 2), None);
        (0..40).for_each(|_| domains.put_off("a", now));
        assert_eq!(domains.rest("a", now), Some(LONGEST));
        domains.answered("a");
        assert_eq!(domains.rest("a", now), None);
    }

    #[test]
    fn remembers_only_so_many() {
        let (mut domains, now) = (Domains::default(), Instant::now());
        (0..MOST).for_each(|it| domains.put_off(&it.to_string(), now));
        domains.put_off("late", now + FIRST);
        assert_eq!(domains.0.len(), 1);
    }
}
