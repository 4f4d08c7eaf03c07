//! What a dead worker costs: one of two is killed in mid-load, and its partitions stand still until the other has them.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use fleet::{
    fault::Fault,
    store::mysql::{self, statements::quote},
};
use sqlx::Row as _;
use tokio::time::sleep;

use crate::{
    clock::Watch,
    events::{self, Amount},
    figures::Figures,
    latency::wait_for_lanes,
    stage::Stage,
    worker::Worker,
};

/// How often the database is asked.
const SAMPLE: Duration = Duration::from_millis(10);
/// The worker is killed once so much of the log is in the tables.
const SHARE: f64 = 0.15;

/// A partition's owner and position.
type Lanes = BTreeMap<i32, (String, i64)>;

/// Kills one of two workers, and times the other.
///
/// # Errors
/// What kept it from measuring.
pub async fn run(stage: &Stage, amount: Amount, figures: &mut Figures) -> Result<(), Fault> {
    let mut first = Worker::start(stage.role, 1)?;
    wait_for_lanes(stage).await?;
    let second = Worker::start(stage.role, 2)?;
    wait_for_two(stage, first.pid).await?;
    let producing = events::produce(stage, amount.of_last_week());
    let killing = async {
        reach(stage, (SHARE * amount.events as f64) as i64).await?;
        first.kill();
        take_over(stage, first.pid, figures).await
    };
    let ((), killed) = tokio::try_join!(producing, killing)?;
    reach(stage, amount.events.cast_signed()).await?;
    figures.add("kill -9 until the log is in the tables", "s", killed.elapsed().as_secs_f64());
    second.stop().await
}

/// Waits until so many records are in the tables.
async fn reach(stage: &Stage, wanted: i64) -> Result<(), Fault> {
    let mut watch = Watch::new();
    loop {
        let applied = stage.progress().await?.applied;
        if applied >= wanted {
            return Ok(());
        }
        watch.look(applied, "the tables")?;
        sleep(SAMPLE).await;
    }
}

/// Times how its partitions move on; answers when it was killed.
async fn take_over(stage: &Stage, dead: u32, figures: &mut Figures) -> Result<Instant, Fault> {
    let killed = Instant::now();
    let orphans: Lanes = lanes(stage).await?.into_iter().filter(|(_, (owner, _))| is_of(owner, dead)).collect();
    let (first_write, last_write) = time(stage, &orphans, killed).await?;
    figures.add("partitions of the killed worker", "", orphans.len() as f64);
    figures.add("kill -9 until the first write to one of its partitions", "s", first_write).at_most(8.0);
    figures.add("kill -9 until all of its partitions are written to", "s", last_write);
    Ok(killed)
}

/// Seconds from the kill until the first of its partitions moves on, and until all have.
async fn time(stage: &Stage, orphans: &Lanes, killed: Instant) -> Result<(f64, f64), Fault> {
    let (mut watch, mut moved) = (Watch::new(), BTreeMap::new());
    while moved.len() < orphans.len() {
        let now = lanes(stage).await?;
        for (partition, (_, then)) in orphans {
            if now.get(partition).is_some_and(|it| it.1 > *then) {
                moved.entry(*partition).or_insert_with(|| killed.elapsed().as_secs_f64());
            }
        }
        watch.look(moved.len() as i64, "the partitions taken over")?;
        sleep(SAMPLE).await;
    }
    let by_time = |a: &&f64, b: &&f64| a.total_cmp(b);
    let (first, last) = (moved.values().min_by(by_time), moved.values().max_by(by_time));
    Ok((first.copied().unwrap_or_default(), last.copied().unwrap_or_default()))
}

/// Waits until the first worker has given half of the partitions away.
async fn wait_for_two(stage: &Stage, first: u32) -> Result<(), Fault> {
    let (mut watch, half) = (Watch::new(), i64::from(stage.role.topic.partitions) / 2);
    loop {
        let lanes = lanes(stage).await?;
        let its = lanes.values().filter(|it| is_of(&it.0, first)).count() as i64;
        if its <= half {
            return Ok(());
        }
        watch.look(its, "the first worker's partitions")?;
        sleep(Duration::from_millis(100)).await;
    }
}

async fn lanes(stage: &Stage) -> Result<Lanes, Fault> {
    let text = format!("SELECT partition_id, COALESCE(owner, ''), COALESCE(next_offset, 0) FROM {}", quote(stage.role.ledger));
    let rows = sqlx::query(&text).fetch_all(&stage.pool).await.map_err(|it| mysql::fault(&it))?;
    let lane = |row: &sqlx::mysql::MySqlRow| Ok((row.try_get(0)?, (row.try_get_unchecked(1)?, row.try_get(2)?)));
    rows.iter().map(lane).collect::<Result<Lanes, sqlx::Error>>().map_err(|it| mysql::fault(&it))
}

/// An owner is a host, a process and an address.
fn is_of(owner: &str, pid: u32) -> bool {
    owner.split(' ').nth(1) == Some(pid.to_string().as_str())
}
