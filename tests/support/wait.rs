//! Waiting for a condition: the one place of the tests that sleeps.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

/// How long a thing may take that should come soon, on a machine that is busy with other tests.
pub const SOON: Duration = Duration::from_secs(60);

const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// Waits until a condition gives something, and hands it over.
///
/// The condition says why it does not hold yet; the last such word is in the message when the time is up.
pub fn wait_until<T>(what: &str, limit: Duration, mut condition: impl FnMut() -> Result<T, String>) -> T {
    let started = Instant::now();
    let mut pause = FIRST_PAUSE;
    loop {
        match condition() {
            Ok(it) => return it,
            Err(why) => assert!(started.elapsed() < limit, "waited {} s for this, in vain: {what}\n  at last: {why}", limit.as_secs()),
        }
        sleep(pause);
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// [`wait_until`], for what should come [`SOON`].
pub fn soon<T>(what: &str, condition: impl FnMut() -> Result<T, String>) -> T {
    wait_until(what, SOON, condition)
}

/// A condition of a yes or no, with the word for no.
#[expect(clippy::fn_params_excessive_bools, reason = "the condition itself is what is told")]
pub fn when(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise()) }
}

/// Holds for as long as it is watched, or fails with what it says: for what must not happen.
pub fn holds_for(time: Duration, mut condition: impl FnMut() -> Result<(), String>) {
    let started = Instant::now();
    while started.elapsed() < time {
        if let Err(why) = condition() {
            panic!("held for {:?} only: {why}", started.elapsed());
        }
        sleep(LONGEST_PAUSE);
    }
}

/// The rest between two beats of a load; never a wait for anything.
pub fn pause(time: Duration) {
    sleep(time);
}
