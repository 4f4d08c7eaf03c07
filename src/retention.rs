//! Letters go when the retention of their topic is over: bytes that the log no longer holds are kept nowhere else.
//!
//! Topics whose log is kept for good keep their letters, too.

use std::time::Duration;

use sqlx::MySqlPool;
use tokio::{sync::watch, time::interval};
use workers::fold::Role;

use crate::{
    fault::Fault,
    store::{letters, mysql},
};

/// How often it is looked for letters that are to go.
const LOOK: Duration = Duration::from_secs(3_600);

/// Deletes a role's old letters now and every hour, until `stop` turns true. `topic` is its topic's name on the cluster.
pub async fn tend(pool: MySqlPool, role: &'static Role, topic: String, mut stop: watch::Receiver<bool>) {
    if role.topic.retention_ms < 0 {
        return;
    }
    let mut look = interval(LOOK);
    loop {
        let stopped = tokio::select! {
            _ = stop.wait_for(|it| *it) => true,
            _ = look.tick() => false,
        };
        if stopped {
            return;
        }
        match expire(&pool, role, &topic).await {
            Ok(0) => {}
            Ok(count) => tracing::info!(role = role.name, "deleted {count} letters: the retention of {topic} is over"),
            // The next time finds what this one left.
            Err(error) => tracing::debug!(role = role.name, "old letters: {error}"),
        }
    }
}

/// Few at a time, and the connection is given back in between: lanes need it more.
async fn expire(pool: &MySqlPool, role: &Role, topic: &str) -> Result<u64, Fault> {
    let Some(before) = letters::kept_since(&mut *mysql::acquire(pool).await?, role.topic).await? else { return Ok(0) };
    let mut count = 0;
    loop {
        match letters::expire(&mut *mysql::acquire(pool).await?, (role.name, topic), before).await? {
            0 => return Ok(count),
            some => count += some,
        }
    }
}
