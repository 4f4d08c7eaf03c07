//! `fleet produce`: events of a file into a topic, as the contract says.

use std::path::PathBuf;

use workers::fold::Topic;

use super::{Outcome, topic_flag};
use crate::{config::Config, fault::Fault};

const TEACHES: &str = "\
Examples:
  fleet produce --topic TOPIC --file events.ndjson
  zcat events.csv.gz | fleet produce --topic TOPIC --file - --format csv

NDJSON is plain JSON, a line each: bare values in nullable unions, {\"Created\": {…}} for a kind of event, times as
milliseconds or RFC 3339; an absent field takes the schema's default, an unknown one makes the line a bad one. CSV has a
heading of field names; an empty cell is an absent field. Bad lines are named by number and counted, the rest is sent:
exit code 1.";

/// What to send where.
#[derive(clap::Args)]
#[command(after_help = TEACHES)]
pub struct Args {
    /// The topic
    #[arg(long, value_name = "TOPIC", value_parser = topic_flag())]
    pub topic: &'static Topic,
    /// The file; - is standard input
    #[arg(long, value_name = "FILE")]
    pub file: PathBuf,
    /// What the file holds
    #[arg(long, value_name = "FORMAT", default_value = "ndjson")]
    pub format: Format,
}

/// What a file of events holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// A JSON object a line.
    Ndjson,
    /// Comma-separated values under a heading of field names.
    Csv,
}

/// Not built yet.
///
/// # Errors
/// Always.
pub async fn run(_: &Config, _: Args) -> Result<Outcome, Fault> {
    Err(Fault::fatal("not built yet"))
}
