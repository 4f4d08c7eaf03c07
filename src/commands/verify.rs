//! `fleet verify`: folds a topic again from its origin, and compares with the tables.
//!
//! It mends nothing.

use workers::fold::Role;

use super::{Outcome, database, role_flag};
use crate::{
    config::Config,
    fault::Fault,
    output::{Form, Output},
    verify::{Report, verify},
};

const TEACHES: &str = "\
Examples:
  fleet verify --role ROLE
  fleet verify --role ROLE --partition 3 --json

It reads position, letters and rows in one snapshot of the database, folds the records below the position in memory, never
reading the rows it checks, and prints each row that differs (the first 100): column: expected / found. Workers may go on
meanwhile. Left out: queue tables, months of history that were archived, records that became letters for a cause outside
their bytes, and records that `fleet ledger move` passed over.
Memory: about 60 bytes a row of the role, and the rows of one partition.
Exit code 0: no difference; 1: differences; 2: the log no longer reaches the origin, or a server is away.";

/// What to check.
#[derive(clap::Args)]
#[command(after_help = TEACHES)]
pub struct Args {
    /// The role
    #[arg(long, value_name = "ROLE", value_parser = role_flag())]
    pub role: &'static Role,
    /// Only this partition
    #[arg(long, value_name = "N")]
    pub partition: Option<i32>,
}

/// Compares, and prints what differs.
///
/// # Errors
/// What kept it from being done.
pub async fn run(config: &Config, args: Args) -> Result<Outcome, Fault> {
    let partitions = args.role.topic.partitions;
    if let Some(partition) = args.partition.filter(|it| !(0..partitions).contains(it)) {
        return Err(Fault::fatal(format!("{} has partitions 0..{}, not {partition}", args.role.name, partitions - 1)));
    }
    // What it opens itself tells no more than that a connection was refused.
    database(config).await?.close().await;
    let report = verify(config, args.role, args.partition).await?;
    for (partition, from) in report.partitions.iter().filter_map(|it| Some((it, it.behind?))) {
        let (number, next) = (partition.partition, partition.next);
        config.output.remark(&format!(
            "partition {number} was moved back from {from} and stands at {next}: until it is there again, rows are ahead of it"
        ));
    }
    if config.output.form() == Form::Json {
        config.output.one(&report, |_| String::new())?;
    } else {
        print(config.output, &report)?;
    }
    Ok(Outcome::trouble_if(|| report.differences > 0))
}

fn print(output: Output, report: &Report) -> Result<(), Fault> {
    for line in &report.listed {
        output.one(line, |it| it.text())?;
    }
    let more = report.differences.saturating_sub(report.listed.len() as u64);
    if more > 0 {
        output.one(&more, |it| format!("and {it} more"))?;
    }
    output.rows(
        &report.partitions,
        &[
            ("partition", |it| it.partition.to_string()),
            ("offsets", |it| format!("{}..{}", it.origin, it.next)),
            ("records", |it| it.records.to_string()),
            ("skipped", |it| it.skipped.to_string()),
            ("rejects", |it| it.rejects.to_string()),
            ("rows", |it| it.rows.to_string()),
            ("archived", |it| it.archived.to_string()),
            ("moves", |it| it.moves.to_string()),
            ("differences", |it| it.differences.to_string()),
        ],
    )?;
    let records: u64 = report.partitions.iter().map(|it| it.records).sum();
    let rows: u64 = report.partitions.iter().map(|it| it.rows).sum();
    let summary =
        format!("{}: {} differences in {rows} rows against {records} records of {}", report.role, report.differences, report.topic);
    output.one(&summary, String::clone)
}
