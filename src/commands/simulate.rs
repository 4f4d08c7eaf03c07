//! `fleet simulate`: made-up events, the same ones for the same seed.

use workers::fold::Topic;

use super::{Outcome, topic_flag};
use crate::{config::Config, fault::Fault};

/// What to make.
#[derive(clap::Args)]
pub struct Args {
    /// The topic
    #[arg(long, value_name = "TOPIC", value_parser = topic_flag())]
    pub topic: &'static Topic,
    /// How many users
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    pub users: u32,
    /// How many events
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub events: u64,
    /// Events a second [default: as fast as they are taken]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub rate: Option<u32>,
    /// The seed
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
}

/// Not built yet.
///
/// # Errors
/// Always.
pub async fn run(_: &Config, _: Args) -> Result<Outcome, Fault> {
    Err(Fault::fatal("not built yet"))
}
