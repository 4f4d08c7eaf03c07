//! `fleet migrate`: the database's schema, the months of history tables, and the tables whose rows are the program's own.

use serde::Serialize;

use super::{Outcome, database};
use crate::{
    config::Config,
    fault::Fault,
    store::{migrations, positions},
};

const TEACHES: &str = "\
Examples:
  fleet migrate            applies what is missing; running it again changes nothing
  fleet migrate --check    says what is missing: exit code 1 if anything is, 2 if the database is ahead

Run it before a new version of fleet, and once a month: it makes the coming months of history tables.";

/// Whether to change anything.
#[derive(clap::Args)]
#[command(after_help = TEACHES)]
pub struct Args {
    /// Change nothing: say what is missing, exit code 1 if anything is
    #[arg(long)]
    pub check: bool,
}

/// One thing that was missing.
#[derive(Serialize)]
struct Line {
    what: &'static str,
    name: String,
    parts: usize,
    state: &'static str,
}

/// Applies, or names, what the database lacks.
///
/// # Errors
/// Fatal: a database that is ahead, or a migration that failed.
pub async fn run(config: &Config, args: Args) -> Result<Outcome, Fault> {
    let pool = database(config).await?;
    let lacks = if args.check { migrations::lacks(&pool).await? } else { migrations::apply(&pool).await? };
    let missing = !lacks.lanes.is_empty() || (args.check && !lacks.is_empty());
    let state = if args.check { "missing" } else { "made" };
    let migrations = lacks.migrations.into_iter().map(|name| Line { what: "migration", name, parts: 1, state });
    let months = lacks.months.into_iter().map(|(name, parts)| Line { what: "months", name, parts: parts.len(), state });
    let catalogues = lacks.catalogues.into_iter().map(|(name, parts)| Line { what: "catalogue", name: name.to_owned(), parts, state });
    let views = lacks.views.into_iter().map(|name| Line { what: "view", name: name.to_owned(), parts: 1, state });
    let advice = lacks.lanes.first().map(|(role, partition)| positions::give_back(role, *partition));
    let lanes = lacks.lanes.into_iter().map(|(role, partition)| (format!("{} {partition}", role.ledger), "missing"));
    let lanes = lanes.map(|(name, state)| Line { what: "ledger row", name, parts: 1, state });
    let lines: Vec<Line> = migrations.chain(months).chain(catalogues).chain(views).chain(lanes).collect();
    config.output.rows(
        &lines,
        &[
            ("what", |it| it.what.to_owned()),
            ("name", |it| it.name.clone()),
            ("parts", |it| it.parts.to_string()),
            ("state", |it| it.state.to_owned()),
        ],
    )?;
    config.output.remark(match (&advice, missing) {
        (Some(advice), _) => advice,
        (None, true) => "run `fleet migrate`",
        (None, false) => "the database is up to date",
    });
    Ok(Outcome::trouble_if(|| missing))
}
