//! The generation: what tells whether Redis still is the one that was filled, and who may fill it anew.
//!
//! A hash `fleet:{role}:generation` holds the server's run id and the time as of the last rebuild, how many rebuilds were `asked` for
//! and which of them was `built`, the role's `clock`, and each lane's greatest version (`p<partition>`). The key
//! `fleet:{role}:kept` lives as long as the boards are kept. FLUSHALL, a failover, a new server, workers that were all away for
//! longer than a board lives: each shows in one of these. It fills nothing itself.

use std::{collections::HashMap, time::Duration};

use workers::fold::Time;

use super::{Version, link::Link, scripts};
use crate::fault::Fault;

/// How long a rebuild's lock outlives its last sign of life.
const LOCK_MS: u64 = 10_000;
/// How often a rebuild gives a sign of life.
const SIGN: Duration = Duration::from_secs(2);

/// The generation of one role.
pub struct Generation {
    key: String,
    lock: String,
    kept: String,
    refresh: String,
    /// Whether the role has boards, which go when nobody keeps them.
    boards: bool,
}

/// How much of Redis is as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// All of it.
    Whole,
    /// The boards may be gone, in part or as a whole.
    Unkept,
    /// Anything may be missing.
    Torn,
}

impl Generation {
    /// That of a role.
    pub fn of(role: &str, boards: usize) -> Self {
        let key = |name: &str| format!("fleet:{{{role}}}:{name}");
        let [generation, lock, kept, refresh] = ["generation", "rebuild", "kept", "refresh"].map(key);
        Self { key: generation, lock, kept, refresh, boards: boards > 0 }
    }

    /// Notes lanes' versions, before anything of them is written, and the time of an applied event. Gives the role's clock.
    pub async fn note(&self, link: &Link, lanes: &[(i32, Version)], at: Option<Time>) -> Result<Time, Fault> {
        let mut command = scripts::NOTE.on(&[&self.key]);
        command.arg(at.map_or_else(String::new, |it| it.0.to_string()));
        for (partition, version) in lanes {
            command.arg(field(*partition)).arg(version.to_string());
        }
        let mut pipeline = redis::pipe();
        let (clock,): (String,) = link.ask(pipeline.add_command(command)).await?;
        Ok(Time(clock.parse().unwrap_or_default()))
    }

    /// The role's clock as noted.
    pub async fn clock(&self, link: &Link) -> Result<Time, Fault> {
        self.note(link, &[], None).await
    }

    /// The greatest version ever noted of a lane.
    pub async fn high_water(&self, link: &Link, partition: i32) -> Result<Option<Version>, Fault> {
        let mut pipeline = redis::pipe();
        let (noted,): (Option<String>,) = link.ask(pipeline.cmd("HGET").arg(&self.key).arg(field(partition))).await?;
        Ok(noted.and_then(|it| Version::parse(&it)))
    }

    /// How much is as it was left.
    pub async fn state(&self, link: &Link) -> Result<State, Fault> {
        Ok(self.look(link).await?.0)
    }

    /// The state, the server's run id, and the rebuilds asked for.
    async fn look(&self, link: &Link) -> Result<(State, String, String), Fault> {
        let mut pipeline = redis::pipe();
        pipeline.cmd("INFO").arg("server").cmd("HGETALL").arg(&self.key).cmd("EXISTS").arg(&self.kept);
        let (info, fields, kept): (String, HashMap<String, String>, bool) = link.ask(&pipeline).await?;
        let run_id = info.lines().find_map(|it| it.strip_prefix("run_id:")).unwrap_or_default().to_owned();
        let count = |name: &str| fields.get(name).cloned().unwrap_or_else(|| "0".to_owned());
        let asked = count("asked");
        let whole = fields.get("run_id") == Some(&run_id) && asked == count("built");
        let state = match (whole, kept || !self.boards) {
            (false, _) => State::Torn,
            (true, false) => State::Unkept,
            (true, true) => State::Whole,
        };
        Ok((state, run_id, asked))
    }

    /// Asks for a rebuild of everything.
    pub async fn invalidate(&self, link: &Link) -> Result<(), Fault> {
        link.ask(redis::pipe().cmd("HINCRBY").arg(&self.key).arg("asked").arg(1).ignore()).await
    }

    /// Says that every board is kept for so long.
    pub async fn keep(&self, link: &Link, kept: Duration) -> Result<(), Fault> {
        let millis = u64::try_from(kept.as_millis()).unwrap_or(u64::MAX).max(1);
        link.ask(redis::pipe().cmd("SET").arg(&self.kept).arg(1).arg("PX").arg(millis).ignore()).await
    }

    /// Whether it is this caller's turn to keep the boards: once in so long, of all workers.
    pub async fn turn(&self, link: &Link, rest: Duration) -> Result<bool, Fault> {
        let millis = u64::try_from(rest.as_millis()).unwrap_or(u64::MAX);
        let mut pipeline = redis::pipe();
        let (set,): (Option<String>,) = link.ask(pipeline.cmd("SET").arg(&self.refresh).arg(1).arg("NX").arg("PX").arg(millis)).await?;
        Ok(set.is_some())
    }

    /// Takes the lock of a rebuild, `None` while another holds it.
    pub async fn lock(&self, link: &Link) -> Result<Option<Lock>, Fault> {
        let token = format!("{:016x}", rand::random::<u64>());
        let mut pipeline = redis::pipe();
        pipeline.cmd("SET").arg(&self.lock).arg(&token).arg("NX").arg("PX").arg(LOCK_MS);
        let (set,): (Option<String>,) = link.ask(&pipeline).await?;
        if set.is_none() {
            return Ok(None);
        }
        let (state, run_id, asked) = self.look(link).await?;
        Ok(Some(Lock { token, state, run_id, asked }))
    }

    /// Forgets the clock: it is noted again from the ledger, and by whatever is applied meanwhile.
    pub async fn stop_clock(&self, link: &Link) -> Result<(), Fault> {
        link.ask(redis::pipe().cmd("HDEL").arg(&self.key).arg("clock").ignore()).await
    }

    /// Gives signs of life until the lock is lost, which it returns.
    pub async fn hold(&self, link: &Link, lock: &Lock) -> Fault {
        loop {
            tokio::time::sleep(SIGN).await;
            if matches!(self.hold_for(link, lock, LOCK_MS).await, Ok(false)) {
                return Fault::transient("redis: the rebuild's lock was lost to another worker or a flush");
            }
        }
    }

    /// Lets the lock go.
    pub async fn release(&self, link: &Link, lock: &Lock) -> Result<(), Fault> {
        self.hold_for(link, lock, 0).await.map(drop)
    }

    async fn hold_for(&self, link: &Link, lock: &Lock, millis: u64) -> Result<bool, Fault> {
        let mut command = scripts::HOLD.on(&[&self.lock]);
        command.arg(&lock.token).arg(millis);
        let (held,): (bool,) = link.ask(redis::pipe().add_command(command)).await?;
        Ok(held)
    }

    /// Ends a rebuild: Redis is whole again, and the lock is free.
    pub async fn finish(&self, link: &Link, lock: &Lock) -> Result<(), Fault> {
        let mut command = scripts::FINISH.on(&[&self.lock, &self.key]);
        let now = super::boards::Clocks::of(Time(0)).wall.0;
        command.arg(&lock.token).arg("run_id").arg(&lock.run_id).arg("built").arg(&lock.asked).arg("rebuilt_at").arg(now);
        let (held,): (bool,) = link.ask(redis::pipe().add_command(command)).await?;
        if held { Ok(()) } else { Err(Fault::transient("redis: the rebuild's lock was lost before its end")) }
    }
}

/// The right to rebuild, and what was found when it was taken.
pub struct Lock {
    token: String,
    /// How much was as it should be.
    pub state: State,
    run_id: String,
    asked: String,
}

/// The hash's field of a lane.
fn field(partition: i32) -> String {
    format!("p{partition}")
}
