//! Crash points between the steps of a flush, for tests only: compiled to nothing without the feature `failpoints`.
//!
//! `FLEET_FAILPOINT=<name>[:<nth>]` makes the process exit as if killed at the nth arrival at that point.

/// Names a point at which a test may end or hold the process.
#[macro_export]
macro_rules! failpoint {
    ($name:literal) => {
        #[cfg(feature = "failpoints")]
        $crate::failpoint::arrive($name).await;
    };
}

/// An arrival at a named point.
#[cfg(feature = "failpoints")]
pub async fn arrive(name: &str) {
    use std::sync::atomic::{AtomicU32, Ordering};
    static ARRIVALS: AtomicU32 = AtomicU32::new(0);
    let Ok(wanted) = std::env::var("FLEET_FAILPOINT") else { return };
    let (point, nth) = wanted.split_once(':').unwrap_or((&wanted, "1"));
    if point != name {
        return;
    }
    if ARRIVALS.fetch_add(1, Ordering::SeqCst) + 1 == nth.parse().unwrap_or(1) {
        if std::env::var_os("FLEET_FAILPOINT_STOP").is_some() {
            // SAFETY is not at stake: a stop signal to this very process, until the test continues it.
            let _ = std::process::Command::new("kill").args(["-STOP", &std::process::id().to_string()]).status();
            return;
        }
        // No unwinding, no destructors, no goodbye to the broker: as kill -9 would end it.
        let _ = std::process::Command::new("kill").args(["-KILL", &std::process::id().to_string()]).status();
        std::future::pending::<()>().await;
    }
}
