//! What one snapshot of the database holds: every lane's position and letters, and of every row two hashes.
//!
//! It keeps no row: a hash of the key and one of the whole row are enough to tell what differs.

use std::collections::{BTreeMap, HashMap};

use sqlx::mysql::MySqlConnectOptions;
use workers::fold::{LANE, Role, Sort, Table, Time, Value, key_text};
use xxhash_rust::xxh3::Xxh3;

use crate::{
    fault::Fault,
    store::{
        ledger::Position,
        letters,
        mysql::scan,
        positions::{self, Moved},
    },
};

/// Rows of one table and lane: the hash of each whole row by the hash of its key.
pub type Rows = HashMap<u128, u128>;

/// One partition as the snapshot has it.
#[derive(Debug, Default)]
pub struct Lane {
    /// Where it stands.
    pub position: Position,
    /// The offsets of its letters, and whether a replay rejects the record again.
    pub letters: BTreeMap<i64, bool>,
    /// Its rows, by the table's place.
    pub tables: Vec<Rows>,
    /// How often people moved it, in order.
    pub moves: Vec<Moved>,
}

/// All that is compared.
#[derive(Debug)]
pub struct Found {
    /// The lanes that were asked for.
    pub lanes: BTreeMap<i32, Lane>,
    /// What is no longer kept, and so not missing.
    pub kept: Kept,
}

/// Since when what the database had is kept; `None`: all is.
#[derive(Debug, Default)]
pub struct Kept {
    /// Rows, by the table's place, where months were dropped.
    pub rows: Vec<Option<Time>>,
    /// Letters, by the time of their records, where the topic's retention is over.
    pub letters: Option<Time>,
}

/// What is to be read.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The role.
    pub role: &'static Role,
    /// Its topic's name on the cluster.
    pub topic: &'a str,
    /// Only this partition.
    pub partition: Option<i32>,
}

impl Wanted<'_> {
    /// The partitions that it names.
    pub fn partitions(&self) -> impl Iterator<Item = i32> {
        let only = self.partition;
        (0..self.role.topic.partitions).filter(move |it| only.is_none_or(|only| only == *it))
    }
}

/// Reads positions, letters and rows in one snapshot, telling of each row.
///
/// # Errors
/// As the database says; fatal, where the ledger lacks a row.
pub async fn read(options: MySqlConnectOptions, wanted: Wanted<'_>, tell: impl Fn()) -> Result<Found, Fault> {
    let role = wanted.role;
    let mut connection = scan::snapshot(options).await?;
    let lane = || Lane { tables: role.tables.iter().map(|_| Rows::new()).collect(), ..Lane::default() };
    let mut lanes: BTreeMap<i32, Lane> = wanted.partitions().map(|it| (it, lane())).collect();
    let standings = positions::all(&mut connection, role).await?;
    if let Some(missing) = positions::missing(role, &standings).into_iter().find(|it| lanes.contains_key(it)) {
        return Err(Fault::fatal(format!("partition {missing}: {}", positions::give_back(role, missing))));
    }
    for standing in standings {
        lanes.entry(standing.partition).and_modify(|it| it.position = standing.position);
    }
    for moved in positions::moves(&mut connection, role).await? {
        lanes.entry(moved.partition).and_modify(|it| it.moves.push(moved));
    }
    let mark = |mark: letters::Mark| {
        lanes.entry(mark.partition).and_modify(|it| {
            it.letters.insert(mark.offset, mark.is_data);
        });
    };
    letters::each_mark(&mut connection, (role.name, wanted.topic), mark).await?;
    let mut kept = Kept { rows: Vec::with_capacity(role.tables.len()), letters: letters::kept_since(&mut connection, role.topic).await? };
    for (place, table) in role.tables.iter().enumerate() {
        kept.rows.push(scan::kept_since(&mut connection, table).await?);
        let note = |row: workers::fold::Values| {
            tell();
            note_row(&mut lanes, (role, place, table), &row);
        };
        if table.sort != Sort::Queue {
            scan::each_row(&mut connection, table, note).await?;
        }
    }
    Ok(Found { lanes, kept })
}

fn note_row(lanes: &mut BTreeMap<i32, Lane>, (role, place, table): (&Role, usize, &Table), row: &[Value]) {
    let Some(partition) = partition_of(role, table, row) else { return };
    let Some(rows) = lanes.get_mut(&partition).and_then(|it| it.tables.get_mut(place)) else { return };
    let (key, steps) = row.split_at(table.key.min(row.len()));
    // No step and no row are the same.
    if table.sort != Sort::Counter || steps.iter().any(|it| *it != Value::Long(0)) {
        rows.insert(hash(key), hash(row));
    }
}

/// The partition whose lane a row belongs to; a counter of a lane that no partition has is counted to the last.
pub fn partition_of(role: &Role, table: &Table, row: &[Value]) -> Option<i32> {
    if table.sort == Sort::Counter {
        let Some(Value::Long(lane)) = row.get(table.place(LANE.name)?) else { return None };
        return i32::try_from((*lane).clamp(0, i64::from(role.topic.partitions) - 1)).ok();
    }
    let key = row.get(table.place(role.topic.key)?)?;
    Some(role.topic.partition_of(key_text(key).as_bytes()))
}

/// A hash wide enough that two rows never share one.
pub fn hash(values: &[Value]) -> u128 {
    let mut hash = Xxh3::new();
    for value in values {
        match value {
            Value::Null => hash.update(&[0]),
            Value::Long(long) => {
                hash.update(&[1]);
                hash.update(&long.to_le_bytes());
            }
            Value::Id(id) => {
                hash.update(&[2]);
                hash.update(id.as_bytes());
            }
            Value::Text(text) => {
                hash.update(&[3]);
                hash.update(&(text.len() as u64).to_le_bytes());
                hash.update(text.as_bytes());
            }
        }
    }
    hash.digest128()
}
