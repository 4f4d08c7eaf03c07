//! `fleet produce`: events of a file into a topic, as the contract says.
//!
//! It checks the schema and not the bounds: what lies outside them becomes a letter, as it would from any producer.

mod lines;

use std::{
    fs::File,
    io::{self, BufReader, Read},
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use indicatif::ProgressBar;
use serde::Serialize;
use workers::fold::{Topic, plain};

use self::lines::{Line, Lines};
use super::{Outcome, topic_flag};
use crate::{
    config::Config,
    fault::Fault,
    kafka::bulk::{self, Bulk},
    metrics::Metrics,
    output::Output,
    registry::Registry,
};

const TEACHES: &str = "\
Examples:
  fleet produce --topic TOPIC --file events.ndjson
  zcat events.csv.gz | fleet produce --topic TOPIC --file - --format csv

NDJSON is plain JSON, a line each: bare values in nullable unions, {\"Created\": {…}} for a kind of event, times as
milliseconds or RFC 3339; an absent field takes the schema's default, an unknown one makes the line a bad one. CSV has a
heading of field names; an empty cell is an absent field, arrays and objects are cells of JSON. Bad lines are named by
number (the first 20) and counted, the rest is sent: exit code 1. Exit code 2: nothing more could be sent.";

/// Bad lines that are named; the others are counted.
const NAMED: u64 = 20;
/// Bytes read from the file at once.
const BUFFER: usize = 1 << 18;

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

/// What was sent.
#[derive(Serialize)]
struct Summary {
    topic: String,
    sent: u64,
    bad: u64,
    seconds: f64,
    per_second: f64,
}

/// Sends the events of a file.
///
/// # Errors
/// A file that cannot be read, or a topic that does not take them.
pub async fn run(config: &Config, args: Args) -> Result<Outcome, Fault> {
    let registry = Registry::new(config, &Arc::new(Metrics::new()?))?;
    let bulk = Bulk::open(config, &registry, args.topic).await?;
    let (topic, output) = (config.topic(args.topic), config.output);
    let sending = move || send_file(&args, &bulk, output).map(|it| (it, bulk.acknowledged()));
    let started = Instant::now();
    let (bad, sent) = tokio::task::spawn_blocking(sending).await.map_err(Fault::transient)??;
    let seconds = started.elapsed().as_secs_f64();
    let summary = Summary { topic, sent, bad, seconds, per_second: sent as f64 / seconds };
    output.one(&summary, |it| {
        format!("{}: {} events sent, {} bad lines, {:.1} s, {:.0} a second", it.topic, it.sent, it.bad, it.seconds, it.per_second)
    })?;
    Ok(Outcome::trouble_if(|| bad > 0))
}

/// Sends all good lines; answers how many were bad.
fn send_file(args: &Args, bulk: &Bulk, output: Output) -> Result<u64, Fault> {
    let (input, bar) = open(&args.file, output)?;
    let input = BufReader::with_capacity(BUFFER, input);
    let lines: Lines<'_> = match args.format {
        Format::Ndjson => lines::ndjson(input),
        Format::Csv => lines::csv(input, args.topic)?,
    };
    let mut bad = 0;
    let done = lines.map(|line| send_line(args.topic, bulk, line?)).try_for_each(|sent| {
        if let Some((number, reason)) = sent? {
            bad += 1;
            name_bad(output, &bar, (bad, number), &reason);
        }
        Ok(())
    });
    let finished = bulk.finish();
    bar.finish_and_clear();
    if bad > NAMED {
        output.remark(&format!("and {} more bad lines", bad - NAMED));
    }
    done.and(finished).map_err(|it| it.during(format!("after {} events", bulk.acknowledged())))?;
    Ok(bad)
}

/// Sends a line's event; answers its number and what is wrong with it, if something is.
fn send_line(topic: &Topic, bulk: &Bulk, (number, json): Line) -> Result<Option<(u64, String)>, Fault> {
    let event = json.and_then(|it| plain::encode(topic, &it).map_err(|reject| reject.reason));
    match event {
        Ok(event) if bulk::fits(&event.key, &event.datum) => bulk.send(&event.key, &event.datum).map(|()| None),
        Ok(_) => Ok(Some((number, "larger than a record may be".to_owned()))),
        Err(reason) => Ok(Some((number, reason))),
    }
}

fn name_bad(output: Output, bar: &ProgressBar, (count, number): (u64, u64), reason: &str) {
    if count <= NAMED {
        bar.suspend(|| output.remark(&format!("line {number}: {reason}")));
    }
}

/// The file, and a bar that follows its bytes.
fn open(path: &Path, output: Output) -> Result<(Box<dyn Read>, ProgressBar), Fault> {
    if path == Path::new("-") {
        let bar = output.bytes(None);
        return Ok((Box::new(bar.wrap_read(io::stdin())), bar));
    }
    let cannot = |error: io::Error| Fault::fatal(format!("{}: {error}", path.display()));
    let file = File::open(path).map_err(cannot)?;
    let about = file.metadata().map_err(cannot)?;
    let bar = output.bytes(about.is_file().then_some(about.len()));
    Ok((Box::new(bar.wrap_read(file)), bar))
}
