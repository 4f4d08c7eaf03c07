//! Properties of the Kafka client that the environment sets: `FLEET_KAFKA_SECURITY_PROTOCOL` is `security.protocol`.
//!
//! It knows no list of properties but those that exactness depends on: the client itself says which exist.

use std::{collections::BTreeMap, fmt, path::PathBuf};

use rdkafka::{ClientConfig, error::KafkaError};

use super::secret;
use crate::fault::Fault;

const PREFIX: &str = "FLEET_KAFKA_";

/// Properties that fleet sets itself, and why nobody else may.
const OURS: &[(&str, &str)] = &[
    ("acks", "derived events count only when every replica has them"),
    ("auto.offset.reset", "a lost range is told, never jumped over"),
    ("bootstrap.servers", "set FLEET_BROKERS"),
    ("enable.auto.commit", "the ledger holds the position"),
    ("enable.auto.offset.store", "the ledger holds the position"),
    ("enable.idempotence", "derived events keep their order"),
    ("message.timeout.ms", "derived events wait for their acknowledgement without limit"),
    ("message.send.max.retries", "derived events wait for their acknowledgement without limit"),
    ("message.max.bytes", "the contract fixes how large a record may be"),
    ("group.id", "it is made from the role; set FLEET_NAMESPACE"),
    ("group.protocol", "claims are built on the classic protocol"),
    ("isolation.level", "positions are counted in all records"),
    ("partition.assignment.strategy", "claims are built on cooperative-sticky"),
    ("partitioner", "the contract fixes murmur2_random"),
    ("transactional.id", "derived events are told apart by their ids"),
];

/// Other names that the client has for a property: set under both, either might win.
const OTHER_NAMES: &[(&str, &str)] = &[
    ("compression.type", "compression.codec"),
    ("delivery.timeout.ms", "message.timeout.ms"),
    ("fetch.message.max.bytes", "max.partition.fetch.bytes"),
    ("max.in.flight", "max.in.flight.requests.per.connection"),
    ("metadata.broker.list", "bootstrap.servers"),
    ("queue.buffering.max.ms", "linger.ms"),
    ("request.required.acks", "acks"),
    ("retries", "message.send.max.retries"),
];

/// Properties whose value may stand in a file.
const FROM_FILES: &[&str] =
    &["sasl.password", "sasl.username", "sasl.oauthbearer.client.secret", "ssl.key.password", "ssl.key.pem", "ssl.keystore.password"];

/// Properties of the environment, in order. `Debug` leaves out the values of those that may be secret.
#[derive(Clone, Default)]
pub struct Properties(BTreeMap<String, String>);

impl Properties {
    /// Those of the environment, tried on a client's configuration.
    ///
    /// # Errors
    /// One that the client does not know or take, or that is fleet's own, by the name of its variable.
    pub fn new(brokers: &str, env: impl IntoIterator<Item = (String, String)>) -> Result<Self, Fault> {
        let mut properties = Self::default();
        let mut variables: BTreeMap<String, String> = BTreeMap::new();
        for (variable, value) in env {
            let Some(name) = variable.strip_prefix(PREFIX) else { continue };
            let (property, value) = read(&variable, name, value)?;
            refuse_ours(&variable, &property)?;
            if let Some(other) = variables.insert(property.clone(), variable.clone()) {
                let (first, second) = (variable.as_str().min(&other), variable.as_str().max(&other));
                return Err(Fault::fatal(format!("{first} and {second} are both given: keep one")));
            }
            properties.0.insert(property, value);
        }
        properties.check(brokers)?;
        Ok(properties)
    }

    /// The value of one, if it is set.
    pub fn get(&self, property: &str) -> Option<&str> {
        self.0.get(property).map(String::as_str)
    }

    /// Sets them.
    pub fn apply(&self, client: &mut ClientConfig) {
        for (property, value) in &self.0 {
            client.set(property, value);
        }
    }

    fn check(&self, brokers: &str) -> Result<(), Fault> {
        if brokers.trim().is_empty() {
            return Err(Fault::fatal("FLEET_BROKERS: empty, wants host:port"));
        }
        let mut client = ClientConfig::new();
        client.set("bootstrap.servers", brokers);
        self.apply(&mut client);
        match client.create_native_config() {
            Ok(_) => Ok(()),
            Err(KafkaError::ClientConfig(_, why, property, _)) => {
                Err(Fault::fatal(format!("{}: {}", variable_of(&property), one_line(&why))))
            }
            Err(other) => Err(Fault::fatal(format!("FLEET_KAFKA_*: {}", secret::lower(&other.to_string())))),
        }
    }
}

impl fmt::Debug for Properties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.0.iter().map(|(property, value)| (property, if is_secret(property) { "***" } else { value }))).finish()
    }
}

/// A variable's property and value; `…_FILE` of a secret is read.
fn read(variable: &str, name: &str, value: String) -> Result<(String, String), Fault> {
    let property = property_of(name);
    let Some(secret) = property.strip_suffix(".file").filter(|it| FROM_FILES.contains(it)) else { return Ok((property, value)) };
    let whole = variable.strip_suffix("_FILE").unwrap_or(variable);
    let text = secret::given(whole, None, Some(PathBuf::from(value)))?.unwrap_or_default();
    Ok((secret.to_owned(), text))
}

fn refuse_ours(variable: &str, property: &str) -> Result<(), Fault> {
    let ours = OURS.iter().find(|(name, _)| *name == property);
    ours.map_or(Ok(()), |(_, why)| Err(Fault::fatal(format!("{variable}: {property} is fleet's own to set: {why}"))))
}

/// A property by the one name that it has here.
fn property_of(name: &str) -> String {
    let name = name.to_lowercase().replace('_', ".");
    OTHER_NAMES.iter().find(|(other, _)| *other == name).map_or(name, |(_, property)| (*property).to_owned())
}

fn variable_of(property: &str) -> String {
    if property == "bootstrap.servers" {
        return "FLEET_BROKERS".to_owned();
    }
    format!("{PREFIX}{}", property.to_uppercase().replace('.', "_"))
}

fn is_secret(property: &str) -> bool {
    ["password", "secret", "pem", "oauthbearer", "username", "key"].iter().any(|it| property.contains(it))
}

fn one_line(text: &str) -> String {
    secret::lower(&text.replace(['\n', '\r'], " ")).trim_end_matches('.').to_owned()
}
