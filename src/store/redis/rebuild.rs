//! The rebuild: everything that Redis shows of a role, made again from the tables while lanes go on writing.
//!
//! Every document carries the version of its lane in the snapshot that it was read in, every gathered list that of all lanes, so that
//! nothing newer is overwritten. A board
//! is deleted first and read in a snapshot taken after that: what was committed before the snapshot is in it, and what was
//! committed after it is added by its lane after the deletion. One worker rebuilds, the others wait; nothing is held in memory
//! but a page. It stops no lane, and leaves documents of rows that are no more to expire.

use std::time::Duration;

use futures_util::TryStreamExt;
use sqlx::MySqlConnection;
use tokio::time::timeout;
use workers::fold::{Board, FUTURE_MS, Form, Placing, Time};

use super::{
    Caches, Ranking,
    boards::{Clocks, Standings},
    generation::{Lock, State},
    rows,
};
use crate::{
    fault::Fault,
    store::mysql::{fault, values},
};

/// How often those who wait look again.
const LOOK: Duration = Duration::from_millis(250);
/// How long MySQL may take from one row of a board to the next; the first comes after all are sorted.
const SORTING: Duration = Duration::from_secs(300);

impl Caches {
    /// Makes everything again, whole or not: for keys that nobody can name any more, and for a ledger that moved back.
    ///
    /// The epoch of a ledger that moved back must be committed before, or what is ahead of the tables is not overwritten.
    ///
    /// # Errors
    /// As [`Caches::rebuild`]; it is still asked for then, unless Redis could not be reached at all.
    pub async fn remake(&self) -> Result<Option<u64>, Fault> {
        self.invalidate().await?;
        self.rebuild().await
    }

    /// Makes Redis whole, or waits until another worker has: the rows shown, or `None` where it was another.
    ///
    /// This takes as long as it takes. It may be dropped at any point, and be called again. Where Redis is whole it does nothing: see
    /// [`Caches::remake`].
    ///
    /// # Errors
    /// Transient: Redis or MySQL is away, or the lock was lost. Fatal: the ledger has no row of a lane.
    pub async fn rebuild(&self) -> Result<Option<u64>, Fault> {
        let (generation, link) = (&self.inner.generation, &self.inner.link);
        loop {
            if self.whole().await? {
                return Ok(None);
            }
            let Some(lock) = generation.lock(link).await? else {
                tokio::time::sleep(LOOK).await;
                continue;
            };
            let done = tokio::select! {
                done = self.rebuild_under(&lock) => done,
                lost = generation.hold(link, &lock) => Err(lost),
            };
            if done.is_err() {
                // Best effort: it goes by itself soon.
                let _ = generation.release(link, &lock).await;
            }
            return done.map(Some);
        }
    }

    async fn rebuild_under(&self, lock: &Lock) -> Result<u64, Fault> {
        if lock.state == State::Whole {
            self.inner.generation.release(&self.inner.link, lock).await?;
            return Ok(0);
        }
        let mut connection = rows::connect(&self.inner.mysql).await?;
        let mut shown = 0;
        if lock.state == State::Torn {
            for place in 0..self.inner.role.caches.len() {
                shown += self.rebuild_documents(place, &mut connection).await?;
                shown += self.rebuild_gathered(place, &mut connection).await?;
            }
        }
        // Last, since a board lives for minutes only until somebody keeps it.
        for ranking in self.inner.boards() {
            shown += self.rebuild_board(ranking, &mut connection).await?;
        }
        rows::close(connection).await;
        self.keep().await?;
        self.inner.generation.finish(&self.inner.link, lock).await?;
        Ok(shown)
    }

    async fn rebuild_documents(&self, place: usize, connection: &mut MySqlConnection) -> Result<u64, Fault> {
        let documents = self.inner.role.caches.get(place).filter(|it| matches!(it.form, Form::Document(_)));
        let Some(family) = documents else { return Ok(0) };
        let mut pages = rows::Pages::of(place, family.table);
        let mut shown = 0;
        while let Some(page) = pages.next(connection, self.inner.role).await? {
            self.show(&page.lanes, page.last_event_at, &page.rows).await?;
            shown += page.rows.len() as u64;
        }
        Ok(shown)
    }

    async fn rebuild_board(&self, family: Ranking, connection: &mut MySqlConnection) -> Result<u64, Fault> {
        self.inner.generation.stop_clock(&self.inner.link).await?;
        self.drop_boards(family.0).await?;
        let snapshot = rows::Snapshot::open(connection, self.inner.role).await?;
        let Some(now) = snapshot.last_event_at else { return Ok(0) };
        let clock = self.inner.generation.note(&self.inner.link, &snapshot.lanes(), Some(now)).await?;
        let mut shown = 0;
        for asked in Asked::all(now, family.1) {
            shown += self.add_windows(family, (connection, clock), asked).await?;
        }
        Ok(shown)
    }

    /// Adds the windows that were current at an instant, as the family's query gives them.
    async fn add_windows(&self, family: Ranking, (connection, clock): (&mut MySqlConnection, Time), asked: Asked) -> Result<u64, Fault> {
        let (family, board) = family;
        let mut query = sqlx::query(board.rebuild);
        for _ in board.rebuild.matches('?') {
            query = query.bind(values::datetime(asked.at));
        }
        let mut rows = query.fetch(connection);
        let (mut page, mut shown) = (Vec::with_capacity(rows::PAGE), 0);
        loop {
            let row = timeout(SORTING, rows.try_next()).await.map_err(|_| Fault::transient("mysql: a board took more than 300 s"))?;
            let row = row.map_err(|error| fault(&error))?;
            if let Some(row) = &row {
                let placing = (board.place)(&values::read_row(family.table.columns, row)?);
                page.extend(placing.filter(|it| asked.takes(it)));
            }
            if page.len() >= rows::PAGE || row.is_none() {
                shown += page.len() as u64;
                self.add_places((family, board), clock, std::mem::take(&mut page)).await?;
            }
            if row.is_none() {
                return Ok(shown);
            }
        }
    }

    async fn add_places(&self, family: Ranking, clock: Time, places: Vec<Placing>) -> Result<(), Fault> {
        let mut standings = Standings::of(family.1);
        places.into_iter().for_each(|it| standings.add(it));
        let mut sender = super::Sender::of(&self.inner.link);
        sender.add(&self.inner, family.0, (&standings, Clocks::of(clock))).await?;
        sender.finish().await
    }
}

/// An instant at which a family's query is asked for current windows, and those that it is asked for.
#[derive(Clone, Copy)]
struct Asked {
    at: Time,
    now: Time,
}

impl Asked {
    /// Now for what is to be shown, then for what lingers and for what events of the near future may have begun.
    fn all(now: Time, board: &Board) -> [Self; 3] {
        [now, now.plus(-board.linger_ms), now.plus(FUTURE_MS)].map(|at| Self { at, now })
    }

    /// Whether a place is of a window that only this instant gives.
    fn takes(self, placing: &Placing) -> bool {
        if self.at < self.now {
            return placing.window_end.is_some_and(|it| it <= self.now);
        }
        self.at == self.now || placing.window_start > self.now
    }
}
