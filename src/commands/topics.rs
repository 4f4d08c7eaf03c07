//! `fleet topics`: the contract's topics on the brokers.
//!
//! It never does what could lose a record or move a key: no fewer or more partitions, no shorter retention, no smaller records.

use std::collections::BTreeMap;

use clap::Subcommand;
use serde::Serialize;
use workers::fold::{MAX_MESSAGE_BYTES, Topic};

use super::Outcome;
use crate::{
    config::Config,
    fault::Fault,
    kafka::admin::{Admin, Cluster, Setting, Wanted},
};

/// What to do with topics.
#[derive(Subcommand)]
pub enum Args {
    /// Compare with the contract; exit code 1 if anything differs
    Plan,
    /// Create what is missing, alter settings that differ; exit code 1 if something is left for a person
    Apply(Apply),
}

/// How to create.
#[derive(clap::Args)]
pub struct Apply {
    /// Replicas of a new topic's partitions [default: 1 on one broker, else 3]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..=100))]
    pub replication: Option<i32>,
}

/// What `apply` does about a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Remedy {
    Create,
    Alter,
    /// It could lose records, or move keys to other partitions.
    ByHand,
}

/// One way in which a topic is not as the contract says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Difference {
    topic: String,
    what: &'static str,
    is: String,
    wants: String,
    remedy: Remedy,
    advice: String,
}

/// Compares, and with `apply` mends.
///
/// # Errors
/// Brokers that do not answer, or refuse.
pub async fn run(config: &Config, args: Args) -> Result<Outcome, Fault> {
    let admin = Admin::new(config)?;
    let cluster = admin.cluster().await?;
    let mut differences = Vec::new();
    for topic in workers::topics() {
        differences.extend(compare(config, &admin, &cluster, topic).await?);
    }
    let left = match args {
        Args::Plan => differences.len(),
        Args::Apply(how) => {
            apply(config, &admin, &mut differences, how.replication.unwrap_or_else(|| replication(&cluster))).await?;
            differences.iter().filter(|it| it.remedy == Remedy::ByHand).count()
        }
    };
    config.output.rows(
        &differences,
        &[
            ("topic", |it| it.topic.clone()),
            ("what", |it| it.what.to_owned()),
            ("is", |it| it.is.clone()),
            ("wants", |it| it.wants.clone()),
            ("then", |it| it.advice.clone()),
        ],
    )?;
    if differences.is_empty() {
        config.output.remark(&format!("{} topics are as the contract says", workers::topics().len()));
    }
    Ok(Outcome::trouble_if(|| left > 0))
}

async fn compare(config: &Config, admin: &Admin, cluster: &Cluster, topic: &Topic) -> Result<Vec<Difference>, Fault> {
    let name = config.topic(topic);
    let Some(partitions) = cluster.partitions.get(&name) else {
        let wants = format!("{} partitions", topic.partitions);
        let advice = "`fleet topics apply` creates it".to_owned();
        return Ok(vec![Difference { topic: name, what: "topic", is: "missing".to_owned(), wants, remedy: Remedy::Create, advice }]);
    };
    let settings = admin.settings(&name).await?;
    let mut differences = differing_settings(&name, topic, &settings);
    if *partitions != topic.partitions {
        differences.push(Difference {
            what: "partitions",
            is: partitions.to_string(),
            wants: topic.partitions.to_string(),
            remedy: Remedy::ByHand,
            advice: format!("keys lie by the partition count: make a new topic of {} and produce its events again", topic.partitions),
            topic: name,
        });
    }
    Ok(differences)
}

fn differing_settings(name: &str, topic: &Topic, settings: &BTreeMap<String, Setting>) -> Vec<Difference> {
    let mut differences = Vec::new();
    for (what, wants) in wanted_settings(topic) {
        let is = settings.get(what).map(|it| it.value.clone()).unwrap_or_default();
        if is == wants {
            continue;
        }
        let remedy = if shrinks(what, &is, &wants) { Remedy::ByHand } else { Remedy::Alter };
        let advice = if remedy == Remedy::Alter {
            "`fleet topics apply` alters it".to_owned()
        } else {
            format!(
                "it could lose or refuse records: if that is meant, kafka-configs.sh --alter --topic {name} --add-config {what}={wants}"
            )
        };
        differences.push(Difference { topic: name.to_owned(), what, is, wants, remedy, advice });
    }
    differences
}

/// The settings that the contract fixes. A kept log is bounded neither by time nor by size, and none is compacted.
fn wanted_settings(topic: &Topic) -> Vec<(&'static str, String)> {
    let mut settings = vec![
        ("cleanup.policy", "delete".to_owned()),
        ("max.message.bytes", MAX_MESSAGE_BYTES.to_string()),
        ("retention.ms", topic.retention_ms.to_string()),
    ];
    if topic.retention_ms < 0 {
        settings.push(("retention.bytes", "-1".to_owned()));
    }
    settings
}

/// Whether a setting holds less than before; -1 is without bound.
fn shrinks(what: &str, is: &str, wants: &str) -> bool {
    let bound = |text: &str| text.parse::<i64>().ok().map(|it| if it < 0 { i64::MAX } else { it });
    match (what, bound(is), bound(wants)) {
        ("cleanup.policy", ..) => false,
        (_, Some(is), Some(wants)) => wants < is,
        _ => false,
    }
}

fn replication(cluster: &Cluster) -> i32 {
    i32::try_from(cluster.brokers).unwrap_or(i32::MAX).clamp(1, 3)
}

async fn apply(config: &Config, admin: &Admin, differences: &mut [Difference], replication: i32) -> Result<(), Fault> {
    let bar = config.output.bar("topics", workers::topics().len() as u64);
    let mut made = Vec::new();
    for topic in workers::topics() {
        let name = config.topic(topic);
        let its: Vec<&mut Difference> = differences.iter_mut().filter(|it| it.topic == name).collect();
        if its.iter().any(|it| it.remedy == Remedy::Create) {
            made.push(name.clone());
            admin.create(&Wanted { name, partitions: topic.partitions, replication, settings: wanted_settings(topic) }).await?;
        } else {
            let altered = its.iter().filter(|it| it.remedy == Remedy::Alter);
            let changes: Vec<(&str, String)> = altered.map(|it| (it.what, it.wants.clone())).collect();
            if !changes.is_empty() {
                admin.alter(&name, &changes).await?;
            }
        }
        its.into_iter().for_each(|it| match it.remedy {
            Remedy::Create => it.advice = "created".to_owned(),
            Remedy::Alter => it.advice = "altered".to_owned(),
            Remedy::ByHand => {}
        });
        bar.inc(1);
    }
    bar.finish_and_clear();
    admin.see(&made).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_lose_records_is_left_to_people() {
        assert!(shrinks("retention.ms", "-1", "1209600000"));
        assert!(shrinks("retention.ms", "1209600000", "86400000"));
        assert!(shrinks("max.message.bytes", "9000000", "8388608"));
        assert!(!shrinks("retention.ms", "604800000", "-1"));
        assert!(!shrinks("cleanup.policy", "compact", "delete"));
        assert!(!shrinks("retention.bytes", "1000", "-1"));
    }

    #[test]
    fn a_new_topic_has_as_many_replicas_as_there_are_brokers_up_to_three() {
        let of = |brokers| replication(&Cluster { brokers, ..Cluster::default() });
        assert_eq!([of(1), of(2), of(3), of(9)], [1, 2, 3, 3]);
    }
}
