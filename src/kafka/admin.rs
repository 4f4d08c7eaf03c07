//! Topics as the brokers have them: their ids, partitions and settings, and how they are made.
//!
//! It knows no contract; it never deletes a topic and never changes its partitions.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use rdkafka::{
    admin::{AdminClient, AdminOptions, AlterConfig, ConfigSource, NewTopic, ResourceSpecifier, TopicReplication},
    client::DefaultClientContext,
    error::{KafkaError, RDKafkaErrorCode},
};

use super::topic_id;
use crate::{config::Config, fault::Fault, retry::Retry};

/// How long the brokers may take to answer a question.
const ANSWER: Duration = Duration::from_secs(5);
/// How long the brokers may take to do something.
const DEED: Duration = Duration::from_secs(30);

/// A client of the brokers that asks about topics. Cheap to clone.
#[derive(Clone)]
pub struct Admin {
    client: Arc<AdminClient<DefaultClientContext>>,
    brokers: Arc<str>,
}

/// What the brokers have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cluster {
    /// How many brokers there are.
    pub brokers: usize,
    /// How many partitions each topic has.
    pub partitions: BTreeMap<String, i32>,
}

/// A topic to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Its name on the brokers.
    pub name: String,
    /// Its partitions.
    pub partitions: i32,
    /// Replicas of each.
    pub replication: i32,
    /// Its settings.
    pub settings: Vec<(&'static str, String)>,
}

/// A setting as it holds for a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its value.
    pub value: String,
    /// Whether it was set for this topic, and is no default.
    pub is_own: bool,
}

impl Admin {
    /// A client; it connects by itself.
    ///
    /// # Errors
    /// Fatal: settings that the client refuses.
    pub fn new(config: &Config) -> Result<Self, Fault> {
        let client = config
            .kafka()
            .create()
            .map_err(|it: KafkaError| Fault::fatal(format!("kafka client: {it}: see the variables FLEET_KAFKA_…")))?;
        Ok(Self { client: Arc::new(client), brokers: config.brokers.as_str().into() })
    }

    /// The id of a topic, which another topic of the same name does not have; `None` if there is no such topic.
    ///
    /// # Errors
    /// Transient: the brokers do not answer.
    pub async fn topic_id(&self, topic: &str) -> Result<Option<[u8; 16]>, Fault> {
        let (client, name) = (Arc::clone(&self.client), topic.to_owned());
        let asked = tokio::task::spawn_blocking(move || topic_id::describe(&client, &name, ANSWER)).await;
        let answer = asked.map_err(|it| Fault::fatal(format!("asking for a topic's id: {it}")))?;
        answer.map_err(|line| Fault::transient(format!("brokers {}: id of topic {topic}: {}", self.brokers, line.to_lowercase())))
    }

    /// Brokers, topics and their partitions.
    ///
    /// # Errors
    /// Transient: the brokers do not answer.
    pub async fn cluster(&self) -> Result<Cluster, Fault> {
        let client = Arc::clone(&self.client);
        // All topics: asking for one by name may create it.
        let asked = tokio::task::spawn_blocking(move || client.inner().fetch_metadata(None, ANSWER)).await;
        let answer = asked.map_err(|it| Fault::fatal(format!("asking for topics: {it}")))?;
        let metadata = answer.map_err(|it| self.trouble("their topics", &it))?;
        let partitions =
            metadata.topics().iter().map(|it| (it.name().to_owned(), i32::try_from(it.partitions().len()).unwrap_or(i32::MAX)));
        Ok(Cluster { brokers: metadata.brokers().len(), partitions: partitions.collect() })
    }

    /// A topic's settings, by name.
    ///
    /// # Errors
    /// Transient: the brokers do not answer.
    pub async fn settings(&self, topic: &str) -> Result<BTreeMap<String, Setting>, Fault> {
        let what = || format!("settings of topic {topic}");
        let resource = ResourceSpecifier::Topic(topic);
        let options = AdminOptions::new().request_timeout(Some(ANSWER));
        let mut described = self.client.describe_configs([&resource], &options).await.map_err(|it| self.trouble(&what(), &it))?;
        let described = described.pop().ok_or_else(|| Fault::transient(format!("{}: no answer", what())))?;
        let entries = described.map_err(|it| refused(&what(), it))?.entries;
        let setting = |it: rdkafka::admin::ConfigEntry| {
            Some((it.name, Setting { value: it.value?, is_own: it.source == ConfigSource::DynamicTopic }))
        };
        Ok(entries.into_iter().filter_map(setting).collect())
    }

    /// Waits until the brokers show these topics to everybody: a topic just made is not known everywhere at once.
    ///
    /// # Errors
    /// Transient: one of them is not to be seen.
    pub async fn see(&self, topics: &[String]) -> Result<(), Fault> {
        let start = Instant::now();
        let mut retry = Retry::new();
        loop {
            let cluster = self.cluster().await?;
            let Some(unseen) = topics.iter().find(|it| !cluster.partitions.contains_key(*it)) else { return Ok(()) };
            if start.elapsed() > DEED {
                return Err(Fault::transient(format!("topic {unseen} was made, but the brokers do not show it: run `fleet topics plan`")));
            }
            tokio::time::sleep(retry.next_delay()).await;
        }
    }

    /// Makes a topic. It may take a moment until it is seen: [`Admin::see`].
    ///
    /// # Errors
    /// What the brokers say against it.
    pub async fn create(&self, wanted: &Wanted) -> Result<(), Fault> {
        let what = || format!("creating topic {}", wanted.name);
        let mut topic = NewTopic::new(&wanted.name, wanted.partitions, TopicReplication::Fixed(wanted.replication));
        for (name, value) in &wanted.settings {
            topic = topic.set(name, value);
        }
        let options = AdminOptions::new().operation_timeout(Some(DEED)).request_timeout(Some(DEED));
        let made = self.client.create_topics([&topic], &options).await.map_err(|it| self.trouble(&what(), &it))?;
        for one in made {
            one.map_err(|(_, code)| refused(&what(), code))?;
        }
        Ok(())
    }

    /// Sets some of a topic's settings, and keeps the others.
    ///
    /// # Errors
    /// What the brokers say against it.
    pub async fn alter(&self, topic: &str, changes: &[(&str, String)]) -> Result<(), Fault> {
        let what = || format!("settings of topic {topic}");
        // The call replaces all that is set for the topic, so all of it is sent again.
        let mut own: BTreeMap<String, String> =
            self.settings(topic).await?.into_iter().filter(|(_, it)| it.is_own).map(|(name, it)| (name, it.value)).collect();
        own.extend(changes.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        let mut altered = AlterConfig::new(ResourceSpecifier::Topic(topic));
        for (name, value) in &own {
            altered = altered.set(name, value);
        }
        let options = AdminOptions::new().request_timeout(Some(DEED));
        let done = self.client.alter_configs([&altered], &options).await.map_err(|it| self.trouble(&what(), &it))?;
        for one in done {
            one.map_err(|(_, code)| refused(&what(), code))?;
        }
        Ok(())
    }

    fn trouble(&self, what: &str, error: &KafkaError) -> Fault {
        let code = error.rdkafka_error_code().map_or_else(|| error.to_string(), |it| it.to_string());
        Fault::transient(format!("brokers {}: {what}: {code}", self.brokers))
    }
}

fn refused(what: &str, code: RDKafkaErrorCode) -> Fault {
    Fault::fatal(format!("{what}: {code}"))
}
