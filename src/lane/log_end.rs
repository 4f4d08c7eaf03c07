//! The end of a lane's log, as the brokers told it last, and when that was.
//!
//! It asks nobody: the worker does, once a second.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// The log's end. What is not known is not zero records behind.
#[derive(Debug, Default)]
pub struct LogEnd(Mutex<Option<(i64, Instant)>>);

impl LogEnd {
    /// The brokers told it now.
    pub fn told(&self, end: i64) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((end, Instant::now()));
    }

    /// As told last; 0 before.
    pub fn last(&self) -> i64 {
        self.get().map_or(0, |(end, _)| end)
    }

    /// As told within this time; `None` if it was not.
    pub fn within(&self, time: Duration) -> Option<i64> {
        self.get().filter(|(_, at)| at.elapsed() <= time).map(|(end, _)| end)
    }

    fn get(&self) -> Option<(i64, Instant)> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_end_told_long_ago_is_not_known() {
        let (end, time) = (LogEnd::default(), Duration::from_secs(5));
        assert_eq!((end.last(), end.within(time)), (0, None));
        end.told(7);
        tokio::time::advance(time).await;
        assert_eq!((end.last(), end.within(time)), (7, Some(7)));
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!((end.last(), end.within(time)), (7, None));
    }
}
