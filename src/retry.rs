//! Trying again: delays that double from about 100 ms to 10 s, each drawn by chance, without end.
//!
//! It counts and logs nothing: the caller's hook does, since it knows what failed. The only file that uses the crate backoff.

use std::{pin::pin, time::Duration};

use backoff::{SystemClock, backoff::Backoff, exponential::ExponentialBackoff};

use crate::fault::Fault;

/// No delay is shorter.
const SHORTEST: Duration = Duration::from_millis(50);
/// No delay is longer.
const LONGEST: Duration = Duration::from_secs(10);
/// A delay lies within its middle ± this share.
const JITTER: f64 = 0.5;

/// The delays between tries of one thing.
#[derive(Debug)]
pub struct Retry(ExponentialBackoff<SystemClock>);

impl Default for Retry {
    fn default() -> Self {
        Self::new()
    }
}

impl Retry {
    /// From the shortest delay on.
    pub fn new() -> Self {
        let mut delays = ExponentialBackoff {
            initial_interval: SHORTEST.mul_f64(1.0 / (1.0 - JITTER)),
            max_interval: LONGEST.mul_f64(1.0 / (1.0 + JITTER)),
            randomization_factor: JITTER,
            multiplier: 2.0,
            max_elapsed_time: None,
            ..ExponentialBackoff::default()
        };
        delays.reset();
        Self(delays)
    }

    /// How long to wait before the next try.
    pub fn next_delay(&mut self) -> Duration {
        self.0.next_backoff().unwrap_or(LONGEST).clamp(SHORTEST, LONGEST)
    }

    /// It worked: the next failure waits for the shortest delay again.
    pub fn reset(&mut self) {
        self.0.reset();
    }
}

/// Tries until it works, `None` if `stop` came first. A try under way is never cut short; the wait for the next one is.
///
/// `failed` is told of each transient fault, and how long it will be until the next try.
///
/// # Errors
/// The first fault that is not transient.
pub async fn until_done<T, A: Future<Output = Result<T, Fault>>>(
    stop: impl Future<Output = ()>,
    mut failed: impl FnMut(&Fault, Duration),
    mut attempt: impl FnMut() -> A,
) -> Result<Option<T>, Fault> {
    let mut stop = pin!(stop);
    let mut retry = Retry::new();
    loop {
        let fault = match attempt().await {
            Ok(done) => return Ok(Some(done)),
            Err(fatal @ Fault::Fatal(_)) => return Err(fatal),
            Err(transient) => transient,
        };
        let delay = retry.next_delay();
        failed(&fault, delay);
        tokio::select! {
            biased;
            () = &mut stop => return Ok(None),
            () = tokio::time::sleep(delay) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[test]
    fn delays_grow_within_their_bounds_and_start_again() {
        let mut retry = Retry::new();
        let delays: Vec<Duration> = (0..30).map(|_| retry.next_delay()).collect();
        assert!(delays[0] <= SHORTEST * 3, "{delays:?}");
        assert!(delays.iter().all(|it| (SHORTEST..=LONGEST).contains(it)), "{delays:?}");
        assert!(delays[15..].iter().all(|it| *it >= Duration::from_secs(3)), "{delays:?}");
        assert!(delays[15..].windows(2).any(|pair| pair[0] != pair[1]), "no jitter: {delays:?}");
        retry.reset();
        assert!(retry.next_delay() <= SHORTEST * 3);
    }

    #[tokio::test]
    async fn tries_until_it_works_and_tells_of_each_failure() {
        let task = tokio::spawn(async {
            let (mut told, mut tries) = (0, 0);
            let tell = |_: &Fault, _| told += 1;
            let attempt = || {
                tries += 1;
                let now = tries;
                async move { if now < 3 { Err(Fault::transient("away")) } else { Ok(now) } }
            };
            let done = until_done(pending(), tell, attempt).await;
            (done, told)
        });
        assert_eq!(task.await.unwrap(), (Ok(Some(3)), 2));
    }

    #[tokio::test]
    async fn gives_up_at_once_on_what_will_not_pass() {
        let done = until_done(pending(), |_, _| {}, || ready(Err::<(), _>(Fault::fatal("no such database")))).await;
        assert_eq!(done, Err(Fault::fatal("no such database")));
    }

    #[tokio::test]
    async fn a_stop_ends_the_wait() {
        let mut tries = 0;
        let attempt = || {
            tries += 1;
            ready(Err::<(), _>(Fault::transient("away")))
        };
        assert_eq!(until_done(ready(()), |_, _| {}, attempt).await, Ok(None));
        assert_eq!(tries, 1);
    }
}
