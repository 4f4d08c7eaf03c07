//! What is remembered of one schema id, also that it is not known.
//!
//! It asks nobody and reads no clock.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, OnceLock, atomic::AtomicU64},
    time::{Duration, Instant},
};

use workers::fold::{Topic, plain};

use super::{Lookup, Writer, lock};
use crate::fault::Fault;

/// The wait before an id is asked for again, at first.
const SHORTEST: Duration = Duration::from_millis(100);
/// The wait before an id is asked for again, at most.
const LONGEST: Duration = Duration::from_secs(1);

/// A schema that decodes, or why it does not.
type Known = Result<Arc<Writer>, String>;

/// One id.
#[derive(Default)]
pub(super) struct Slot {
    /// Held by the one who asks.
    pub(super) flight: tokio::sync::Mutex<Waiting>,
    /// A count that says when it was used last.
    pub(super) used: AtomicU64,
    known: OnceLock<Known>,
    /// By topic: why its schema cannot read this one, if it cannot.
    verdicts: Mutex<HashMap<&'static str, Option<String>>>,
}

impl Slot {
    pub(super) fn known(&self) -> Option<&Known> {
        self.known.get()
    }

    pub(super) fn found(&self, schema: Known) {
        // Only the one who holds the flight comes here, and only while nothing is known.
        let _ = self.known.set(schema);
    }

    pub(super) fn verdict(&self, known: &Known, topic: &'static Topic) -> Lookup {
        let writer = match known {
            Ok(writer) => writer,
            Err(why) => return Lookup::Incompatible(why.clone()),
        };
        let mut verdicts = lock(&self.verdicts);
        let against = verdicts.entry(topic.name).or_insert_with(|| plain::can_read(topic.schema, &writer.json).err());
        match against {
            Some(why) => Lookup::Incompatible(why.clone()),
            None => Lookup::Known(Arc::clone(writer)),
        }
    }
}

/// What the registry last said of an id that is not known, and when it may be asked again.
#[derive(Default)]
pub(super) struct Waiting {
    absent_since: Option<Instant>,
    failure: Option<Fault>,
    pause: Duration,
    ask_at: Option<Instant>,
}

impl Waiting {
    /// The last answer, until the registry may be asked again.
    pub(super) fn last_answer(&self, now: Instant, patience: Duration) -> Option<Result<Lookup, Fault>> {
        if self.ask_at.is_none_or(|at| now >= at) {
            return None;
        }
        if let Some(fault) = &self.failure {
            return Some(Err(fault.clone()));
        }
        let since = self.absent_since?;
        Some(Ok(if now.duration_since(since) >= patience { Lookup::Never } else { Lookup::Unknown }))
    }

    /// The registry does not know it.
    pub(super) fn absent(&mut self, now: Instant) {
        self.absent_since.get_or_insert(now);
        self.failure = None;
        self.pause(now);
    }

    /// The registry did not answer.
    pub(super) fn failed(&mut self, now: Instant, fault: Fault) {
        self.failure = Some(fault);
        self.pause(now);
    }

    fn pause(&mut self, now: Instant) {
        self.pause = (self.pause * 2).clamp(SHORTEST, LONGEST);
        self.ask_at = Some(now + self.pause);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(60);

    fn kind(waiting: &Waiting, at: Instant) -> &'static str {
        match waiting.last_answer(at, PATIENCE) {
            None => "ask",
            Some(Ok(Lookup::Unknown)) => "unknown",
            Some(Ok(Lookup::Never)) => "never",
            Some(Ok(_)) => "known",
            Some(Err(_)) => "failed",
        }
    }

    #[test]
    fn an_absent_id_is_asked_for_again_once_a_second_and_given_up_after_a_minute() {
        let start = Instant::now();
        let mut waiting = Waiting::default();
        assert_eq!(kind(&waiting, start), "ask");
        let (mut now, mut asked) = (start, 0);
        while now < start + PATIENCE {
            waiting.absent(now);
            assert_eq!(kind(&waiting, now), "unknown");
            assert_eq!(kind(&waiting, now + LONGEST), "ask");
            now += LONGEST;
            asked += 1;
        }
        assert_eq!(asked, 60);
        waiting.absent(now);
        assert_eq!(kind(&waiting, now), "never");
        assert_eq!(kind(&waiting, now + LONGEST), "ask");
    }

    #[test]
    fn the_first_pauses_are_short() {
        let now = Instant::now();
        let mut waiting = Waiting::default();
        waiting.absent(now);
        assert_eq!(kind(&waiting, now + SHORTEST / 2), "unknown");
        assert_eq!(kind(&waiting, now + SHORTEST), "ask");
    }

    #[test]
    fn an_outage_neither_gives_up_nor_forgets_since_when_an_id_is_absent() {
        let start = Instant::now();
        let mut waiting = Waiting::default();
        waiting.absent(start);
        let later = start + PATIENCE * 2;
        waiting.failed(later, Fault::transient("away"));
        assert_eq!(kind(&waiting, later), "failed");
        waiting.absent(later + LONGEST);
        assert_eq!(kind(&waiting, later + LONGEST), "never");
    }
}
