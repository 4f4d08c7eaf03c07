//! Redis: a versioned projection of MySQL, which may be slow, empty or away without harm to anything else.
//!
//! It decides nothing and holds no truth: what it cannot write stays named in the ledger's `pending`, and what it lost is made
//! again from the tables. No command here touches two hash slots, and every one may be applied twice.

mod boards;
mod documents;
mod gathered;
mod generation;
mod keep;
mod link;
mod rebuild;
mod rows;
mod scripts;

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use redis::Pipeline;
use sqlx::MySqlPool;
use tokio::time::timeout;
use workers::fold::{Board, Cached, Family, Form, Key, Role, Time, Values};

use super::mysql::statements::Statements;
use crate::fault::Fault;
use boards::{Clocks, Standings};
use generation::{Generation, State};
use link::Link;

/// Commands of one pipeline.
const PIPELINE: usize = 100;
/// Members of boards that weigh in a pipeline as much as a document.
const MEMBERS: usize = 50;
/// What a write may take beside [`EACH`] an entry.
const PATIENCE: Duration = Duration::from_secs(1);
/// About ten times what an entry takes.
const EACH: Duration = Duration::from_micros(200);

/// A point of a lane's history: what was written as of it is not overwritten as of an earlier one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// The ledger's: goes up when something moves `next_offset` back.
    pub epoch: i64,
    /// The ledger's: all records before it are applied.
    pub next_offset: i64,
}

impl fmt::Display for Version {
    /// 30 characters, which sort as the versions do.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:010}-{:019}", self.epoch.clamp(0, 9_999_999_999), self.next_offset.max(0))
    }
}

impl Version {
    /// The version of a text that [`Version`] made.
    fn parse(text: &str) -> Option<Self> {
        let (epoch, next_offset) = text.split_once('-')?;
        Some(Self { epoch: epoch.parse().ok()?, next_offset: next_offset.parse().ok()? })
    }
}

/// The Redis keys of one role, for all lanes of a process. A clone is the same.
#[derive(Clone)]
pub struct Caches {
    inner: Arc<Inner>,
}

struct Inner {
    role: &'static Role,
    statements: Vec<Statements>,
    mysql: MySqlPool,
    link: Link,
    generation: Generation,
    reader: gathered::Reader,
}

/// A family that is a board, and which.
type Ranking = (&'static Family, &'static Board);

/// A row to show.
struct Shown {
    /// The family's place.
    family: usize,
    /// The primary key.
    key: Key,
    /// All columns, `None` when there is no such row.
    values: Option<Values>,
    /// The version of its lane as of these values.
    version: Version,
}

impl Caches {
    /// Those of a role. Nothing is connected before the first call that needs it.
    ///
    /// # Errors
    /// Fatal: a URL that is none.
    pub fn new(url: &str, role: &'static Role, mysql: MySqlPool) -> Result<Self, Fault> {
        let boards = role.caches.iter().filter(|it| matches!(it.form, Form::Board(_))).count();
        let generation = Generation::of(role.name, boards);
        let inner = Inner {
            role,
            statements: Statements::of_role(role),
            mysql,
            link: Link::new(url)?,
            generation,
            reader: gathered::Reader::default(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Writes the entries of a lane's flush as of the ledger's version after it.
    ///
    /// An entry without its row is read back from the table. Written in part where it fails: the same entries may be written again.
    ///
    /// # Errors
    /// Transient: Redis is away or slow, or, for entries without a row, MySQL is.
    pub async fn write(&self, partition: i32, version: Version, entries: &[Cached]) -> Result<(), Fault> {
        let is_held = |it: &&Cached| it.row.is_some() && !self.inner.is_gathered(it.family);
        let (held, missing): (Vec<&Cached>, Vec<&Cached>) = entries.iter().partition(is_held);
        if !held.is_empty() {
            let at = held.iter().map(|it| it.at).max();
            let rows = held.into_iter().map(|it| Shown { family: it.family, key: it.key.clone(), values: it.row.clone(), version });
            let rows: Vec<Shown> = rows.collect();
            self.show(&[(partition, version)], at, &rows).await?;
        }
        if missing.is_empty() {
            return Ok(());
        }
        let keys: Vec<(usize, Key)> = missing.into_iter().map(|it| (it.family, it.key.clone())).collect();
        self.write_from_rows(partition, &keys).await
    }

    /// Writes entries of a lane as the rows are now: they are read with the ledger in one snapshot.
    ///
    /// # Errors
    /// Transient: Redis or MySQL is away or slow. Fatal: the ledger has no row of the lane.
    pub async fn write_from_rows(&self, partition: i32, keys: &[(usize, Key)]) -> Result<(), Fault> {
        let (owners, keys): (Vec<_>, Vec<_>) = keys.iter().cloned().partition(|(family, _)| self.inner.is_gathered(*family));
        self.gather(&owners).await?;
        if keys.is_empty() {
            return Ok(());
        }
        let mut connection = rows::connect(&self.inner.mysql).await?;
        for keys in keys.chunks(rows::PAGE) {
            let read = rows::by_key(&mut connection, &self.inner, (partition, keys)).await?;
            self.show(&read.lanes, read.last_event_at, &read.rows).await?;
        }
        rows::close(connection).await;
        Ok(())
    }

    /// The greatest version ever written of a lane, as long as Redis remembers. Above the ledger's, the ledger was moved back.
    ///
    /// # Errors
    /// Transient: Redis is away or slow.
    pub async fn high_water(&self, partition: i32) -> Result<Option<Version>, Fault> {
        self.inner.generation.high_water(&self.inner.link, partition).await
    }

    /// Whether Redis holds all that was written to it: the same server since the last rebuild, and none asked for since.
    ///
    /// # Errors
    /// Transient: Redis is away or slow.
    pub async fn whole(&self) -> Result<bool, Fault> {
        if self.inner.role.caches.is_empty() {
            return Ok(true);
        }
        Ok(self.inner.generation.state(&self.inner.link).await? == State::Whole)
    }

    /// Asks for a rebuild of everything, by whichever worker looks next.
    ///
    /// # Errors
    /// Transient: Redis is away or slow.
    pub async fn invalidate(&self) -> Result<(), Fault> {
        self.inner.generation.invalidate(&self.inner.link).await
    }

    /// Notes what is coming, then sends every row to where it is shown.
    async fn show(&self, lanes: &[(i32, Version)], at: Option<Time>, rows: &[Shown]) -> Result<(), Fault> {
        let patience = PATIENCE + EACH * u32::try_from(rows.len()).unwrap_or(u32::MAX);
        let work = async {
            let clock = self.inner.generation.note(&self.inner.link, lanes, at).await?;
            self.send(Clocks::of(clock), rows).await
        };
        timeout(patience, work).await.map_err(|_| Fault::transient("redis: too slow for what there is to write"))?
    }

    async fn send(&self, clocks: Clocks, rows: &[Shown]) -> Result<(), Fault> {
        let mut sender = Sender::of(&self.inner.link);
        let mut standings: BTreeMap<usize, Standings> = BTreeMap::new();
        for row in rows {
            let Some(family) = self.inner.role.caches.get(row.family) else { continue };
            match &family.form {
                Form::Document(document) => sender.push(documents::command(document, family.table, row), 1).await?,
                Form::Gathered(gathered) => sender.push(gathered::command(gathered, family, row), 1).await?,
                Form::Board(board) => {
                    let placing = row.values.as_ref().and_then(|it| (board.place)(it));
                    let standings = standings.entry(row.family).or_insert_with(|| Standings::of(board));
                    placing.into_iter().for_each(|it| standings.add(it));
                }
            }
        }
        for (family, standings) in &standings {
            let Some(family) = self.inner.role.caches.get(*family) else { continue };
            sender.add(&self.inner, family, (standings, clocks)).await?;
        }
        sender.finish().await
    }
}

impl Inner {
    /// The families that are boards.
    fn boards(&self) -> impl Iterator<Item = Ranking> {
        self.role.caches.iter().filter_map(|it| match &it.form {
            Form::Board(board) => Some((*it, board)),
            Form::Document(_) | Form::Gathered(_) => None,
        })
    }

    /// Whether an entry of a family names an owner, not a row.
    fn is_gathered(&self, family: usize) -> bool {
        self.role.caches.get(family).is_some_and(|it| matches!(it.form, Form::Gathered(_)))
    }
}

/// Commands on their way, a pipeline at a time.
struct Sender<'a> {
    link: &'a Link,
    pipeline: Pipeline,
    weight: usize,
}

impl<'a> Sender<'a> {
    fn of(link: &'a Link) -> Self {
        Self { link, pipeline: redis::pipe(), weight: 0 }
    }

    /// Members to their boards, and the boards to their list.
    async fn add(&mut self, inner: &Inner, family: &Family, (standings, clocks): (&Standings, Clocks)) -> Result<(), Fault> {
        for (command, members) in standings.commands(clocks) {
            self.push(command, 1 + members / MEMBERS).await?;
        }
        let boards = standings.boards();
        if boards.is_empty() { Ok(()) } else { self.push(keep::enlist(inner, family, &boards), 1).await }
    }

    async fn push(&mut self, command: redis::Cmd, weight: usize) -> Result<(), Fault> {
        self.pipeline.add_command(command).ignore();
        self.weight += weight;
        if self.weight < PIPELINE {
            return Ok(());
        }
        self.flush().await
    }

    async fn flush(&mut self) -> Result<(), Fault> {
        let full = std::mem::take(&mut self.pipeline);
        self.weight = 0;
        self.link.ask(&full).await
    }

    async fn finish(mut self) -> Result<(), Fault> {
        if self.pipeline.is_empty() {
            return Ok(());
        }
        self.flush().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_sort_as_their_text() {
        let versions = [(0, 0), (0, 9), (0, 10), (0, i64::MAX), (1, 0), (10, 3), (9_999_999_999, 1)];
        let versions = versions.map(|(epoch, next_offset)| Version { epoch, next_offset });
        let texts = versions.map(|it| it.to_string());
        assert!(versions.is_sorted() && texts.is_sorted());
        assert!(texts.iter().all(|it| it.len() == 30));
        assert_eq!(texts.map(|it| Version::parse(&it).unwrap()), versions);
    }
}
