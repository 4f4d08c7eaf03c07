//! `fleet letters`: records that could not be applied, and the breakers that they opened.
//!
//! A payload is printed by `show` alone, and never logged.

mod show;

use clap::Subcommand;
use serde::Serialize;
use sqlx::MySqlPool;
use time::OffsetDateTime;
use workers::{
    ROLES,
    fold::{Role, Time},
};

use super::{Outcome, by, database, kept, role_flag};
use crate::{
    config::Config,
    fault::Fault,
    kafka::log::Log,
    output::Form,
    store::{
        breakers,
        letters::{self, By, Filter, Group},
        mysql, positions,
    },
};

const TEACHES: &str = "\
Examples:
  fleet letters list                                       by role, partition and reason
  fleet letters list --role ROLE --each --since 24h        one line a letter
  fleet letters show --role ROLE --partition 3 --offset 81 its bytes, headers and reason
  fleet letters accept --role ROLE --partition 3 --reason 'bad deploy 412, upstream rolled back'

A lane whose letters exceed --breaker-ratio or --breaker-run stops before it keeps them (state breaker-open). Mend the cause
upstream or deploy a fleet that reads such records, and it goes on by itself; or `accept` that they become letters.
Exit code of list: 1 if a breaker is open.";

/// What to do with letters.
#[derive(Subcommand)]
#[command(after_help = TEACHES)]
pub enum Args {
    /// Count letters and show open breakers
    List(List),
    /// Show one letter whole; its bytes may hold personal data
    Show(Show),
    /// Close an open breaker: its records become letters, and the lane goes on
    Accept(Accept),
}

/// Which letters.
#[derive(clap::Args)]
pub struct List {
    /// Only this role's
    #[arg(long, value_name = "ROLE", value_parser = role_flag())]
    pub role: Option<&'static Role>,
    /// Only this partition's
    #[arg(long, value_name = "N", requires = "role")]
    pub partition: Option<i32>,
    /// Only those written since: RFC 3339, or so long ago (90s, 30m, 24h, 7d)
    #[arg(long, value_name = "TIME", value_parser = since)]
    pub since: Option<Time>,
    /// One line a letter instead of counts by reason
    #[arg(long)]
    pub each: bool,
    /// At most so many lines, the latest first
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub limit: u32,
}

/// Which letter.
#[derive(clap::Args)]
pub struct Show {
    /// Its role
    #[arg(long, value_name = "ROLE", value_parser = role_flag())]
    pub role: &'static Role,
    /// Its partition
    #[arg(long, value_name = "N")]
    pub partition: i32,
    /// Its offset
    #[arg(long, value_name = "N")]
    pub offset: i64,
}

/// Which breaker, and why.
#[derive(clap::Args)]
pub struct Accept {
    /// Its role
    #[arg(long, value_name = "ROLE", value_parser = role_flag())]
    pub role: &'static Role,
    /// Its partition
    #[arg(long, value_name = "N")]
    pub partition: i32,
    /// Accept letters below this offset [default: the log's end now]
    #[arg(long, value_name = "OFFSET")]
    pub to: Option<i64>,
    /// Why; it is kept
    #[arg(long, value_name = "TEXT", value_parser = kept)]
    pub reason: String,
}

/// A breaker that holds a lane.
#[derive(Serialize)]
struct Breaker {
    role: String,
    topic: String,
    partition: i32,
    opened_at: Option<String>,
    from_offset: i64,
    reason: String,
}

/// Letters as they are listed.
#[derive(Serialize)]
struct Line {
    role: String,
    topic: String,
    partition: i32,
    cause: String,
    reason: String,
    letters: i64,
    first_offset: i64,
    last_offset: i64,
    lettered_at: Option<String>,
}

/// The whole list.
#[derive(Serialize)]
struct Listed {
    breakers: Vec<Breaker>,
    letters: Vec<Line>,
}

/// What was accepted.
#[derive(Serialize)]
struct Accepted {
    role: &'static str,
    partition: i32,
    from_offset: i64,
    accepted_to: i64,
}

/// Lists, shows or accepts.
///
/// # Errors
/// A server that does not answer, or a letter or breaker that is not there.
pub async fn run(config: &Config, args: Args) -> Result<Outcome, Fault> {
    let pool = database(config).await?;
    match args {
        Args::List(list) => print(config, &pool, &list).await,
        Args::Show(wanted) => show::print(config, &pool, &wanted).await,
        Args::Accept(wanted) => accept(config, &pool, &wanted).await,
    }
}

async fn print(config: &Config, pool: &MySqlPool, list: &List) -> Result<Outcome, Fault> {
    let filter = Filter { role: list.role.map(|it| it.name), partition: list.partition, since: list.since, limit: list.limit };
    let found = letters::list(pool, filter, if list.each { By::Letter } else { By::Reason }).await?;
    let shown = |it: &Breaker| list.role.is_none_or(|only| only.name == it.role) && list.partition.is_none_or(|only| only == it.partition);
    let breakers: Vec<Breaker> = open_breakers(pool).await?.into_iter().filter(shown).collect();
    let listed = Listed { breakers, letters: found.into_iter().map(line).collect() };
    if config.output.form() == Form::Json {
        config.output.one(&listed, |_| String::new())?;
    } else {
        print_tables(config, &listed)?;
    }
    Ok(Outcome::trouble_if(|| !listed.breakers.is_empty()))
}

fn print_tables(config: &Config, listed: &Listed) -> Result<(), Fault> {
    if !listed.breakers.is_empty() {
        config.output.rows(
            &listed.breakers,
            &[
                ("open breaker of", |it| it.role.clone()),
                ("partition", |it| it.partition.to_string()),
                ("at offset", |it| it.from_offset.to_string()),
                ("since", |it| it.opened_at.clone().unwrap_or_default()),
                ("reason", |it| it.reason.clone()),
            ],
        )?;
    }
    let offsets = |it: &Line| {
        if it.first_offset == it.last_offset { it.first_offset.to_string() } else { format!("{}..{}", it.first_offset, it.last_offset) }
    };
    config.output.rows(
        &listed.letters,
        &[
            ("role", |it| it.role.clone()),
            ("partition", |it| it.partition.to_string()),
            ("letters", |it| it.letters.to_string()),
            ("offsets", offsets),
            ("last", |it| it.lettered_at.clone().unwrap_or_default()),
            ("cause", |it| it.cause.clone()),
            ("reason", |it| it.reason.clone()),
        ],
    )
}

fn line(group: Group) -> Line {
    let Group { role, topic, partition, cause, reason, count, first_offset, last_offset, lettered_at } = group;
    Line { role, topic, partition, cause, reason, letters: count, first_offset, last_offset, lettered_at: lettered_at.to_rfc3339() }
}

/// Breakers that nobody accepted and whose lanes still stand at the record.
async fn open_breakers(pool: &MySqlPool) -> Result<Vec<Breaker>, Fault> {
    let mut open = Vec::new();
    for breaker in breakers::all(pool).await? {
        let accepted = breaker.accepted_to.is_some_and(|it| it > breaker.from_offset);
        let Some(role) = ROLES.iter().find(|it| it.name == breaker.role && !accepted) else { continue };
        let standings = positions::all(&mut *mysql::acquire(pool).await?, role).await?;
        let next = standings.iter().find(|it| it.partition == breaker.partition).and_then(|it| it.position.next_offset);
        if next.is_none_or(|it| it <= breaker.from_offset) {
            let breakers::Shown { role, topic, partition, opened_at, from_offset, reason, .. } = breaker;
            open.push(Breaker { role, topic, partition, opened_at: opened_at.to_rfc3339(), from_offset, reason });
        }
    }
    Ok(open)
}

async fn accept(config: &Config, pool: &MySqlPool, wanted: &Accept) -> Result<Outcome, Fault> {
    let (role, partition, topic) = (wanted.role.name, wanted.partition, config.topic(wanted.role.topic));
    let open = open_breakers(pool).await?.into_iter().find(|it| it.role == role && it.partition == partition && it.topic == topic);
    let none = || Fault::fatal(format!("{role} partition {partition} has no open breaker: see `fleet letters list`"));
    let from_offset = open.ok_or_else(none)?.from_offset;
    let to = match wanted.to {
        Some(to) => to,
        None => {
            let log = Log::new(config, topic.clone())?;
            tokio::task::spawn_blocking(move || log.watermarks(partition)).await.map_err(Fault::transient)??.1
        }
    };
    if to <= from_offset {
        return Err(Fault::fatal(format!(
            "the breaker of {role} partition {partition} holds offset {from_offset}: --to must lie above it"
        )));
    }
    let key = breakers::Key { role, topic, partition };
    if !breakers::accept(pool, &key, to, (&by(), &wanted.reason)).await? {
        return Err(none());
    }
    let accepted = Accepted { role, partition, from_offset, accepted_to: to };
    config.output.one(&accepted, |it| {
        format!(
            "{} partition {}: records {}..{} may become letters; the lane goes on within seconds",
            it.role, it.partition, it.from_offset, it.accepted_to
        )
    })?;
    Ok(Outcome::Fine)
}

/// An instant, or how long ago one was.
fn since(text: &str) -> Result<Time, String> {
    if let Some(at) = Time::from_rfc3339(text) {
        return Ok(at);
    }
    let unit = |last: char| match last {
        's' => Some(1_000),
        'm' => Some(60_000),
        'h' => Some(3_600_000),
        'd' => Some(86_400_000),
        _ => None,
    };
    let ago = text.char_indices().next_back().and_then(|(place, last)| {
        let count: i64 = text.get(..place)?.parse().ok().filter(|it| *it >= 0)?;
        count.checked_mul(unit(last)?)
    });
    let now = OffsetDateTime::now_utc().unix_timestamp().saturating_mul(1000);
    ago.map(|ago| Time(now.saturating_sub(ago))).ok_or_else(|| "an instant like 2024-05-01T00:00:00Z, or 90s, 30m, 24h, 7d".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn since_is_an_instant_or_a_span() {
        assert_eq!(since("1970-01-01T00:00:01Z"), Ok(Time(1000)));
        let (hour, day) = (since("24h").unwrap(), since("1d").unwrap());
        assert!((hour.0 - day.0).abs() <= 1000);
        assert!(since("24").is_err() && since("-1h").is_err() && since("h").is_err() && since("").is_err());
    }
}
