//! Keeping boards alive: a public key lives for its board's time to live, and longer only while some worker keeps it.
//!
//! The public keys of a family are listed in a set of its own, `fleet:{role}:boards:<family>`. It reads no row of MySQL.

use std::time::{Duration, Instant};

use redis::Cmd;
use workers::fold::Family;

use super::{Caches, Inner, Ranking, Sender, boards, scripts};
use crate::fault::Fault;
use boards::{Clocks, Found};

/// Boards that one step looks at.
const STEP: usize = 100;
/// How long all workers leave the boards alone after one of them kept them.
const TURN: Duration = Duration::from_secs(30);

/// The set that lists a family's public keys.
fn list(inner: &Inner, family: &Family) -> String {
    format!("fleet:{{{}}}:boards:{}", inner.role.name, family.name)
}

/// The command that lists public keys, to be sent after what makes them.
pub fn enlist(inner: &Inner, family: &Family, boards: &[&str]) -> Cmd {
    let mut command = redis::cmd("SADD");
    command.arg(list(inner, family)).arg(boards);
    command
}

impl Caches {
    /// Keeps the boards for their time to live from now on, and turns those whose next window has begun meanwhile. Called about once a
    /// minute by every worker: it does nothing where another did it within 30 s.
    ///
    /// # Errors
    /// Transient: Redis is away or slow.
    pub async fn refresh(&self) -> Result<(), Fault> {
        let inner = &self.inner;
        if inner.boards().next().is_some() && inner.generation.turn(&inner.link, TURN).await? {
            self.keep().await?;
        }
        Ok(())
    }

    /// Keeps every board, and says so.
    pub(super) async fn keep(&self) -> Result<(), Fault> {
        let inner = &self.inner;
        let Some(seconds) = inner.boards().map(|(_, board)| board.ttl_s.max(1)).min() else { return Ok(()) };
        let started = Instant::now();
        let clocks = Clocks::of(inner.generation.clock(&inner.link).await?);
        for (family, board) in inner.boards() {
            let mut cursor = 0;
            loop {
                let (next, keys) = self.listed(family, cursor).await?;
                for keys in keys.chunks(STEP) {
                    self.keep_some((family, board), keys, clocks).await?;
                }
                if next == 0 {
                    break;
                }
                cursor = next;
            }
        }
        inner.generation.keep(&inner.link, Duration::from_secs(seconds.into()).saturating_sub(started.elapsed())).await
    }

    /// A part of a family's public keys, and where the next begins.
    pub(super) async fn listed(&self, family: &Family, cursor: u64) -> Result<(u64, Vec<String>), Fault> {
        let mut pipeline = redis::pipe();
        pipeline.cmd("SSCAN").arg(list(&self.inner, family)).arg(cursor).arg("COUNT").arg(STEP);
        let (part,): ((u64, Vec<String>),) = self.inner.link.ask(&pipeline).await?;
        Ok(part)
    }

    async fn keep_some(&self, family: Ranking, keys: &[String], clocks: Clocks) -> Result<(), Fault> {
        let mut sender = Sender::of(&self.inner.link);
        let mut gone = Vec::new();
        for (key, windows) in keys.iter().zip(self.windows(keys).await?) {
            match Found::of(family.1, clocks.role, &windows).command(family.1, key, clocks) {
                Some(command) => sender.push(command, 1).await?,
                None => gone.push(key.as_str()),
            }
        }
        sender.finish().await?;
        self.strike(family.0, &gone).await
    }

    /// The windows of these boards, by name and end.
    async fn windows(&self, keys: &[String]) -> Result<Vec<Vec<(String, i64)>>, Fault> {
        let mut pipeline = redis::pipe();
        for key in keys {
            pipeline.cmd("ZRANGE").arg(boards::Keys::of(key).windows).arg(0).arg(-1).arg("WITHSCORES");
        }
        self.inner.link.ask(&pipeline).await
    }

    /// Takes boards without windows off the list, and puts those back that a lane made meanwhile.
    async fn strike(&self, family: &Family, gone: &[&str]) -> Result<(), Fault> {
        if gone.is_empty() {
            return Ok(());
        }
        self.inner.link.ask::<()>(redis::pipe().cmd("SREM").arg(list(&self.inner, family)).arg(gone).ignore()).await?;
        let gone: Vec<String> = gone.iter().map(|it| (*it).to_owned()).collect();
        let windows = self.windows(&gone).await?;
        let made: Vec<&str> = gone.iter().zip(windows).filter(|(_, it)| !it.is_empty()).map(|(key, _)| key.as_str()).collect();
        if made.is_empty() {
            return Ok(());
        }
        let mut pipeline = redis::pipe();
        self.inner.link.ask(pipeline.add_command(enlist(&self.inner, family, &made)).ignore()).await
    }

    /// Deletes every board, with all that belongs to it. The list stays.
    pub(super) async fn drop_boards(&self, family: &Family) -> Result<(), Fault> {
        let mut cursor = 0;
        loop {
            let (next, keys) = self.listed(family, cursor).await?;
            let mut sender = Sender::of(&self.inner.link);
            for key in &keys {
                let of = boards::Keys::of(key);
                sender.push(scripts::DROP.on(&[key, &of.names, &of.shown, &of.windows]), 1).await?;
            }
            sender.finish().await?;
            if next == 0 {
                return Ok(());
            }
            cursor = next;
        }
    }
}
