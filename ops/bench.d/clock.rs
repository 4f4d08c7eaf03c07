//! Waiting with a bound, and quantiles of what was timed.

use std::time::{Duration, Instant};

use fleet::fault::Fault;

/// How long nothing may move before a measurement is given up.
const PATIENCE: Duration = Duration::from_secs(90);

/// Gives up when a figure has not changed for long.
pub struct Watch {
    figure: i64,
    since: Instant,
}

impl Watch {
    /// Begins to watch.
    pub fn new() -> Self {
        Self { figure: i64::MIN, since: Instant::now() }
    }

    /// The figure as it stands now.
    ///
    /// # Errors
    /// It has stood there for 90 s.
    pub fn look(&mut self, figure: i64, what: &str) -> Result<(), Fault> {
        if figure != self.figure {
            (self.figure, self.since) = (figure, Instant::now());
        }
        if self.since.elapsed() < PATIENCE {
            return Ok(());
        }
        Err(Fault::fatal(format!("{what} stand at {figure} for 90 s: see the workers' logs in {}", crate::worker::logs().display())))
    }
}

/// The value below which such a share of the sorted values lies; 0 of none.
pub fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = (sorted.len() as f64 * share) as usize;
    sorted.get(place.min(sorted.len().saturating_sub(1))).copied().unwrap_or_default()
}
