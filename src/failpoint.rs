//! Crash points between the steps of a flush, for tests only: compiled to nothing without the feature `failpoints`.
//!
//! `FLEET_FAILPOINT=<name>[:<nth>]` kills the process at the nth arrival at that point; with `FLEET_FAILPOINT_STOP` it is stopped instead.

/// Names a point at which a test may end or hold the process.
#[macro_export]
macro_rules! failpoint {
    ($name:literal) => {
        #[cfg(feature = "failpoints")]
        $crate::failpoint::arrive($name).await;
    };
}

/// As [`failpoint!`], where nothing can be awaited.
#[macro_export]
macro_rules! failpoint_sync {
    ($name:literal) => {
        #[cfg(feature = "failpoints")]
        $crate::failpoint::strike($name);
    };
}

/// Whether a point is named at all.
#[cfg(feature = "failpoints")]
pub fn is_set() -> bool {
    std::env::var_os("FLEET_FAILPOINT").is_some()
}

/// An arrival at a named point, after which nothing may run if it was the one.
#[cfg(feature = "failpoints")]
pub async fn arrive(name: &str) {
    if strike(name) {
        std::future::pending::<()>().await;
    }
}

/// An arrival at a named point: ends or stops this process as the signal from outside would. Whether it ended it.
#[cfg(feature = "failpoints")]
pub fn strike(name: &str) -> bool {
    use std::sync::atomic::{AtomicU32, Ordering};
    static ARRIVALS: AtomicU32 = AtomicU32::new(0);
    let Ok(wanted) = std::env::var("FLEET_FAILPOINT") else { return false };
    let (point, nth) = wanted.split_once(':').unwrap_or((&wanted, "1"));
    if point != name || ARRIVALS.fetch_add(1, Ordering::SeqCst) + 1 != nth.parse().unwrap_or(1) {
        return false;
    }
    let stops = std::env::var_os("FLEET_FAILPOINT_STOP").is_some();
    let signal = if stops { "-STOP" } else { "-KILL" };
    let asked = std::time::Instant::now();
    let sent = std::process::Command::new("kill").args([signal, &std::process::id().to_string()]).status();
    if stops {
        await_thaw(asked);
    }
    !stops && sent.is_ok()
}

/// Waits until this process was stopped, as was asked then, and goes on: on a busy machine a stop takes a while to reach every thread, and this one must not go
/// on before, nor later than any other.
#[cfg(feature = "failpoints")]
fn await_thaw(asked: std::time::Instant) {
    use std::time::{Duration, Instant};
    let mut seen = asked;
    while seen.elapsed() < Duration::from_secs(1) {
        seen = Instant::now();
        std::thread::sleep(Duration::from_millis(1));
    }
}
