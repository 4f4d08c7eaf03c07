//! Verify: the topic folded again from its origin, compared with the tables at the same watermark.
//!
//! The fold never reads the rows that it is compared with. The snapshot of the database is short: it is read into hashes
//! and closed before the fold begins, so that workers may go on meanwhile. Queue tables stand outside.

mod difference;
mod found;
mod refold;

use std::{
    collections::{HashMap, HashSet},
    ops::Range,
    sync::Arc,
};

use indicatif::ProgressBar;
use serde::Serialize;
use tokio::runtime::Handle;
use workers::fold::Role;

use self::{
    difference::Differences,
    found::{Found, Kept, Lane, Wanted, hash},
    refold::{Refold, Tally, Writers},
};
use crate::{
    config::Config,
    fault::Fault,
    kafka::{admin::Admin, log::Log},
    metrics::Metrics,
    registry::Registry,
    store::mysql::scan,
};

pub use self::difference::Line;

/// What became of one partition.
#[derive(Clone, Debug, Serialize)]
pub struct Partition {
    /// The partition.
    pub partition: i32,
    /// The log's start at the first claim.
    pub origin: i64,
    /// The first offset that is not in the tables.
    pub next: i64,
    /// Records read.
    pub records: u64,
    /// Records left out: lettered for a cause outside their bytes or so long ago that the letter went, or passed over by a move.
    pub skipped: u64,
    /// Records rejected.
    pub rejects: u64,
    /// Rows compared.
    pub rows: u64,
    /// Rows left out because their months were archived.
    pub archived: u64,
    /// How often the ledger was moved by hand.
    pub moves: usize,
    /// Where a move took the lane back from, and it has not come again: until then its rows are ahead of its position.
    pub behind: Option<i64>,
    /// Differences.
    pub differences: u64,
}

/// What was found out.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The role.
    pub role: &'static str,
    /// Its topic's name on the cluster.
    pub topic: String,
    /// Differences in all.
    pub differences: u64,
    /// Partition by partition.
    pub partitions: Vec<Partition>,
    /// The first differences.
    pub listed: Vec<Line>,
}

/// Folds and compares one role, or one partition of it.
///
/// # Errors
/// What kept it from being done: the log does not reach, a server is away.
pub async fn verify(config: &Config, role: &'static Role, partition: Option<i32>) -> Result<Report, Fault> {
    let topic = config.topic(role.topic);
    let wanted = Wanted { role, topic: &topic, partition };
    let rows = config.output.spinner("rows");
    let read = found::read(config.mysql(), wanted, || rows.inc(1)).await;
    rows.finish_and_clear();
    let found = read?;
    check_topic(config, &topic, &found).await?;
    let registry = Arc::new(Registry::new(config, &Arc::new(Metrics::new()?))?);
    let writers = Writers { role, registry, runtime: Handle::current(), known: HashMap::new() };
    let log = Log::new(config, topic.clone())?;
    let bar = config
        .output
        .bar("records", found.lanes.values().map(|it| to_read(it).end.saturating_sub(to_read(it).start).cast_unsigned()).sum());
    let fold = move || Folding { role, log, writers, bar, differences: Differences::default() }.all(found);
    let (mut differences, partitions) = tokio::task::spawn_blocking(fold).await.map_err(Fault::fatal)??;
    look_up(config, role, &mut differences).await?;
    Ok(Report { role: role.name, topic, differences: differences.count, partitions, listed: differences.lines(role) })
}

/// The offsets that a lane's rows come from.
fn to_read(lane: &Lane) -> Range<i64> {
    match (lane.position.origin_offset, lane.position.next_offset) {
        (Some(origin), Some(next)) => origin..next,
        _ => 0..0,
    }
}

/// Whether the topic is the one that the ledger's positions belong to.
async fn check_topic(config: &Config, topic: &str, found: &Found) -> Result<(), Fault> {
    let now = Admin::new(config)?.topic_id(topic).await?.map(|it| uuid::Uuid::from_bytes(it).to_string());
    let Some(now) = now else { return Err(Fault::fatal(format!("topic {topic} does not exist: run `fleet topics apply`"))) };
    let other = found.lanes.iter().find(|(_, lane)| lane.position.topic_id.as_ref().is_some_and(|it| *it != now));
    other.map_or(Ok(()), |(partition, _)| {
        Err(Fault::fatal(format!(
            "topic {topic} was deleted and made again: partition {partition} of the tables was folded from another log"
        )))
    })
}

/// The lanes being folded, one after the other.
struct Folding {
    role: &'static Role,
    log: Log,
    writers: Writers,
    bar: ProgressBar,
    differences: Differences,
}

impl Folding {
    fn all(mut self, found: Found) -> Result<(Differences, Vec<Partition>), Fault> {
        let mut partitions = Vec::with_capacity(found.lanes.len());
        for (partition, lane) in found.lanes {
            let (ends, moves) = (to_read(&lane), lane.moves.len());
            let behind = lane.moves.iter().filter_map(|it| it.from).max().filter(|it| *it > ends.end);
            self.check_log(partition, &ends)?;
            let tally = self.one((partition, lane), ends.clone(), &found.kept)?;
            let Tally { records, skipped, rejects, rows, archived, differences } = tally;
            let (origin, next) = (ends.start, ends.end);
            partitions.push(Partition { partition, origin, next, records, skipped, rejects, rows, archived, moves, behind, differences });
        }
        self.bar.finish_and_clear();
        Ok((self.differences, partitions))
    }

    fn one(&mut self, lane: (i32, Lane), ends: Range<i64>, kept: &Kept) -> Result<Tally, Fault> {
        let partition = lane.0;
        let mut refold = Refold::new(self.role, lane, kept, &mut self.differences);
        self.log.read(partition, ends, |records| {
            self.bar.inc(records.len() as u64);
            refold.take(&records, &mut self.writers)
        })?;
        Ok(refold.finish())
    }

    fn check_log(&self, partition: i32, ends: &Range<i64>) -> Result<(), Fault> {
        if ends.is_empty() {
            return Ok(());
        }
        let (low, high) = self.log.watermarks(partition)?;
        let topic = self.log.topic();
        if low > ends.start {
            return Err(Fault::fatal(format!(
                "topic {topic} partition {partition} begins at {low}, the tables' fold at {}: retention took records, so it cannot be done again",
                ends.start
            )));
        }
        if high < ends.end {
            return Err(Fault::fatal(format!(
                "topic {topic} partition {partition} ends at {high}, before the tables' next offset {}: it is another log",
                ends.end
            )));
        }
        Ok(())
    }
}

/// Reads the rows that are to be printed: as they are now, since the snapshot is over.
async fn look_up(config: &Config, role: &Role, differences: &mut Differences) -> Result<(), Fault> {
    for (place, table) in role.tables.iter().enumerate() {
        let wanted: HashSet<u128> = differences.rows.iter().filter(|it| it.table == place && it.hash.is_some()).map(|it| it.key).collect();
        if wanted.is_empty() {
            continue;
        }
        let mut now = HashMap::new();
        let mut connection = scan::snapshot(config.mysql()).await?;
        let keep = |row: workers::fold::Values| {
            let key = hash(row.get(..table.key).unwrap_or(&row));
            if wanted.contains(&key) {
                now.insert(key, row);
            }
        };
        scan::each_row(&mut connection, table, keep).await?;
        for row in differences.rows.iter_mut().filter(|it| it.table == place) {
            row.found = now.get(&row.key).cloned();
        }
    }
    Ok(())
}
