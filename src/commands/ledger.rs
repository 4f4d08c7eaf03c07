//! `fleet ledger`: positions of the roles in their topics, and how to move one by hand.
//!
//! It reads and writes ledgers only: rows of projections are never touched by a move.

use clap::Subcommand;
use serde::Serialize;
use workers::{
    ROLES,
    fold::{Role, Time},
};

use super::{Outcome, by, database, kept, role_flag};
use crate::{
    config::Config,
    fault::Fault,
    kafka::{admin::Admin, log::Log},
    store::{
        ledger::{LastRecord, Position},
        mysql,
        positions::{self, Move as Wanted, Standing},
    },
};

const TEACHES: &str = "\
Examples:
  fleet ledger show --role ROLE
  fleet ledger move --role ROLE --partition 3 --to 1200 --accept-loss --reason 'topic restored from backup of 2024-05-01'

A move is the way out of the states log-changed and out-of-range, and gives back a row that is lost. Records between the old
and the new position are never applied (or applied again, where the position moves back); each move is kept in ledger_moves.
The lane's owner is fenced, and claims again from the new position within seconds. Exit code of show: 1 if a row is lost.";

/// What to do with the ledger.
#[derive(Subcommand)]
#[command(after_help = TEACHES)]
pub enum Args {
    /// Print positions, owners and what is not confirmed
    Show(Show),
    /// Set a partition's next offset
    Move(Move),
}

/// Which rows.
#[derive(clap::Args)]
pub struct Show {
    /// Only these roles, separated by commas
    #[arg(long, value_name = "ROLE", value_delimiter = ',', value_parser = role_flag())]
    pub role: Vec<&'static Role>,
    /// Only this partition
    #[arg(long, value_name = "N")]
    pub partition: Option<i32>,
}

/// Which row, where to, and why.
#[derive(clap::Args)]
pub struct Move {
    /// Its role
    #[arg(long, value_name = "ROLE", value_parser = role_flag())]
    pub role: &'static Role,
    /// Its partition
    #[arg(long, value_name = "N")]
    pub partition: i32,
    /// The next offset to apply: a number, or the log's first (earliest) or end offset (latest)
    #[arg(long, value_name = "OFFSET", value_parser = target)]
    pub to: Target,
    /// Yes: what lies between the positions is lost, or applied again
    #[arg(long)]
    pub accept_loss: bool,
    /// Why; it is kept
    #[arg(long, value_name = "TEXT", value_parser = kept)]
    pub reason: Option<String>,
}

/// Where to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The log's first offset.
    Earliest,
    /// The log's end.
    Latest,
    /// This offset.
    Offset(i64),
}

/// A row as it is printed.
#[derive(Serialize)]
struct Line {
    role: &'static str,
    partition: i32,
    next_offset: Option<i64>,
    confirmed_offset: Option<i64>,
    seen_end: Option<i64>,
    origin_offset: Option<i64>,
    epoch: Option<i64>,
    pending_bytes: Option<usize>,
    caches_behind: bool,
    last_event_at: Option<String>,
    applied_at: Option<String>,
    topic_id: Option<String>,
    last_record: Option<LastRecord>,
    owner: Option<String>,
    /// What is wrong with it.
    trouble: Option<String>,
}

/// A move as it is printed.
#[derive(Serialize)]
struct Moved {
    what: &'static str,
    next_offset: Option<i64>,
    confirmed_offset: Option<i64>,
    origin_offset: Option<i64>,
    epoch: i64,
    pending_bytes: usize,
    topic_id: Option<String>,
}

/// Shows or moves.
///
/// # Errors
/// A server that does not answer, or a move that is refused.
pub async fn run(config: &Config, args: Args) -> Result<Outcome, Fault> {
    match args {
        Args::Show(show) => print(config, &show).await,
        Args::Move(wanted) => apply(config, &wanted).await,
    }
}

async fn print(config: &Config, show: &Show) -> Result<Outcome, Fault> {
    let pool = database(config).await?;
    let mut lines = Vec::new();
    for role in ROLES.iter().filter(|role| show.role.is_empty() || show.role.iter().any(|it| it.name == role.name)) {
        let standings = positions::all(&mut *mysql::acquire(&pool).await?, role).await?;
        let lost = positions::missing(role, &standings).into_iter().map(|it| lost_line(role, it));
        lines.extend(standings.into_iter().map(|it| line(role, it)).chain(lost));
    }
    lines.sort_by_key(|it| (ROLES.iter().position(|role| role.name == it.role), it.partition));
    lines.retain(|it| show.partition.is_none_or(|only| only == it.partition));
    config.output.rows(
        &lines,
        &[
            ("role", |it| it.role.to_owned()),
            ("partition", |it| it.partition.to_string()),
            ("next", |it| or_dash(it.next_offset)),
            ("confirmed", |it| or_dash(it.confirmed_offset)),
            ("end seen", |it| or_dash(it.seen_end)),
            ("origin", |it| or_dash(it.origin_offset)),
            ("epoch", |it| or_dash(it.epoch)),
            ("pending", pending),
            ("last event", |it| or_dash(it.last_event_at.clone())),
            ("applied", |it| or_dash(it.applied_at.clone())),
            ("topic id", |it| or_dash(it.topic_id.clone())),
            ("owner", |it| or_dash(it.owner.clone())),
            ("", |it| it.trouble.clone().unwrap_or_default()),
        ],
    )?;
    Ok(Outcome::trouble_if(|| lines.iter().any(|it| it.trouble.is_some())))
}

fn pending(line: &Line) -> String {
    let behind = if line.caches_behind { ", caches behind" } else { "" };
    line.pending_bytes.map_or_else(|| "-".to_owned(), |it| format!("{it} B{behind}"))
}

/// A partition whose row is lost.
fn lost_line(role: &'static Role, partition: i32) -> Line {
    let trouble = Some(positions::give_back(role, partition));
    let line = line(role, Standing { partition, ..Standing::default() });
    Line { epoch: None, pending_bytes: None, trouble, ..line }
}

fn line(role: &'static Role, standing: Standing) -> Line {
    let position = standing.position;
    Line {
        role: role.name,
        partition: standing.partition,
        next_offset: position.next_offset,
        confirmed_offset: position.confirmed_offset,
        seen_end: standing.seen_end,
        origin_offset: position.origin_offset,
        epoch: Some(position.epoch),
        pending_bytes: Some(position.pending.map_or(0, |it| it.len())),
        caches_behind: position.caches_behind,
        last_event_at: standing.last_event_at.and_then(Time::to_rfc3339),
        applied_at: standing.applied_at.and_then(Time::to_rfc3339),
        topic_id: position.topic_id,
        last_record: position.last_record,
        owner: standing.owner,
        trouble: None,
    }
}

fn or_dash<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "-".to_owned(), |it| it.to_string())
}

async fn apply(config: &Config, wanted: &Move) -> Result<Outcome, Fault> {
    let (role, partition, topic) = (wanted.role, wanted.partition, config.topic(wanted.role.topic));
    let topic_id = Admin::new(config)?.topic_id(&topic).await?;
    let topic_id = topic_id.ok_or_else(|| Fault::fatal(format!("topic {topic} does not exist: run `fleet topics apply`")))?;
    let topic_id = uuid::Uuid::from_bytes(topic_id).to_string();
    if partition >= role.topic.partitions {
        return Err(Fault::fatal(format!("topic {topic} has partitions 0..{}, not {partition}", role.topic.partitions - 1)));
    }
    let to = offset(config, &topic, wanted).await?;
    let pool = database(config).await?;
    let now = positions::all(&mut *mysql::acquire(&pool).await?, role).await?.into_iter().find(|it| it.partition == partition);
    let (true, Some(reason)) = (wanted.accept_loss, &wanted.reason) else {
        let what = now.map_or_else(|| lost(to), |it| loss(&it.position, to, &topic_id));
        return Err(Fault::fatal(format!(
            "{} partition {partition}: {what}: say --accept-loss and --reason TEXT if it must be",
            role.name
        )));
    };
    let by = by();
    let (before, after) = positions::move_to(&pool, role, &Wanted { partition, to, topic_id: &topic_id, by: &by, reason }).await?;
    config.output.rows(
        &[moved("before", before), moved("after", after)],
        &[
            ("", |it| it.what.to_owned()),
            ("next", |it| or_dash(it.next_offset)),
            ("confirmed", |it| or_dash(it.confirmed_offset)),
            ("origin", |it| or_dash(it.origin_offset)),
            ("epoch", |it| it.epoch.to_string()),
            ("pending", |it| format!("{} B", it.pending_bytes)),
            ("topic id", |it| or_dash(it.topic_id.clone())),
        ],
    )?;
    Ok(Outcome::Fine)
}

fn moved(what: &'static str, position: Position) -> Moved {
    let Position { next_offset, confirmed_offset, origin_offset, epoch, topic_id, pending, .. } = position;
    Moved { what, next_offset, confirmed_offset, origin_offset, epoch, pending_bytes: pending.map_or(0, |it| it.len()), topic_id }
}

/// The offset that is meant, which must lie in the log.
async fn offset(config: &Config, topic: &str, wanted: &Move) -> Result<i64, Fault> {
    let (log, partition) = (Log::new(config, topic.to_owned())?, wanted.partition);
    let ends = tokio::task::spawn_blocking(move || log.watermarks(partition)).await.map_err(Fault::transient)??;
    match wanted.to {
        Target::Earliest => Ok(ends.0),
        Target::Latest => Ok(ends.1),
        Target::Offset(to) if (ends.0..=ends.1).contains(&to) => Ok(to),
        Target::Offset(to) => Err(Fault::fatal(format!("{topic} partition {partition} has offsets {}..{}, not {to}", ends.0, ends.1))),
    }
}

/// What a move would cost.
fn loss(now: &Position, to: i64, topic_id: &str) -> String {
    let other_log = now.topic_id.as_deref().is_some_and(|it| it != topic_id);
    match now.next_offset {
        _ if other_log => format!("what the tables hold comes from a log that is gone; from offset {to} on they would follow the new one"),
        None => format!("records below {to} would never be applied"),
        Some(next) if next < to => format!("{} records, {next}..{to}, would never be applied", to - next),
        Some(next) if next > to => {
            format!("records {to}..{next} would be applied again, twice where the tables no longer hold their identities")
        }
        Some(next) => format!("next_offset {next} stays, and the last record is no longer compared"),
    }
}

/// What it would cost to give back a row that is lost.
fn lost(to: i64) -> String {
    format!(
        "the ledger's row is lost: records below {to} would never be applied, those from {to} on again, twice where the tables no longer \
         hold their identities; derived events that were pending are lost"
    )
}

fn target(text: &str) -> Result<Target, String> {
    match text {
        "earliest" => Ok(Target::Earliest),
        "latest" => Ok(Target::Latest),
        number => number.parse().ok().filter(|it| *it >= 0).map(Target::Offset).ok_or_else(|| "an offset, earliest or latest".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_move_says_what_would_be_lost() {
        let now = Position { next_offset: Some(100), topic_id: Some("a".to_owned()), ..Position::default() };
        assert_eq!(loss(&now, 150, "a"), "50 records, 100..150, would never be applied");
        assert!(loss(&now, 50, "a").starts_with("records 50..100 would be applied again"));
        assert!(loss(&now, 0, "b").contains("a log that is gone"));
    }

    #[test]
    fn a_target_is_an_offset_or_an_end() {
        assert_eq!(target("12"), Ok(Target::Offset(12)));
        assert_eq!(target("latest"), Ok(Target::Latest));
        assert!(target("-1").is_err() && target("end").is_err());
    }
}
