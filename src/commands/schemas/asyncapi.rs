//! The contract as an AsyncAPI 3.0 document with Kafka bindings: a channel a topic, a message a schema, an operation a role and topic.
//!
//! It says nothing that the table of roles and the schemas do not: tools that know AsyncAPI read the same contract.

use serde_json::{Map, Value as Json, json};
use workers::{
    ROLES,
    fold::{MAX_MESSAGE_BYTES, Topic},
};

use super::{LEVEL, docs::PARTITIONER};
use crate::{config::Config, fault::Fault};

/// The version of the Kafka bindings.
const BINDING: &str = "0.5.0";
const ABOUT: &str = "Events that fleet projects into tables. Envelope: a zero byte, the schema's id in four bytes, the Avro datum. \
     acks=all and enable.idempotence=true; the Kafka timestamp is the time of producing.";

/// The document of these topics.
///
/// # Errors
/// Fatal: a schema that does not parse; tests keep that from happening.
pub fn document(config: &Config, topics: &[&'static Topic]) -> Result<Json, Fault> {
    let (mut channels, mut messages) = (Map::new(), Map::new());
    for topic in topics {
        let schema: Json = serde_json::from_str(topic.schema).map_err(|error| Fault::fatal(format!("{}: {error}", topic.name)))?;
        channels.insert(topic.name.to_owned(), channel(config, topic, &schema));
        messages.insert(topic.name.to_owned(), message(topic, &schema));
    }
    Ok(json!({
        "asyncapi": "3.0.0",
        "info": {"title": "Fleet", "version": env!("CARGO_PKG_VERSION"), "description": ABOUT},
        "defaultContentType": "avro/binary",
        "servers": servers(config),
        "channels": channels,
        "operations": operations(config, topics),
        "components": {"messages": messages},
    }))
}

fn servers(config: &Config) -> Map<String, Json> {
    let registry = json!({
        "schemaRegistryUrl": config.registry.to_string(), "schemaRegistryVendor": "confluent", "bindingVersion": BINDING
    });
    let server = |host| json!({"host": host, "protocol": "kafka", "bindings": {"kafka": registry}});
    (1..).zip(config.brokers.split(',')).map(|(number, host)| (format!("broker-{number}"), server(host.trim()))).collect()
}

fn channel(config: &Config, topic: &Topic, schema: &Json) -> Json {
    let address = config.topic(topic);
    let kafka = json!({
        "topic": address,
        "partitions": topic.partitions,
        "topicConfiguration": {
            "cleanup.policy": ["delete"], "retention.ms": topic.retention_ms, "max.message.bytes": MAX_MESSAGE_BYTES
        },
        "bindingVersion": BINDING,
    });
    let message = json!({"$ref": format!("#/components/messages/{}", topic.name)});
    json!({
        "address": address, "description": schema.get("doc"), "messages": {topic.name: message}, "bindings": {"kafka": kafka},
        "x-partitioner": PARTITIONER, "x-key": topic.key, "x-subject": config.subject(topic), "x-compatibility": LEVEL,
    })
}

fn message(topic: &Topic, schema: &Json) -> Json {
    let key = json!({"type": "string", "description": format!("The text of the field {} in UTF-8.", topic.key)});
    let kafka = json!({
        "key": key, "schemaIdLocation": "payload", "schemaIdPayloadEncoding": "confluent", "schemaLookupStrategy": "TopicNameStrategy",
        "bindingVersion": BINDING,
    });
    json!({
        "name": schema.get("name"),
        "contentType": "avro/binary",
        "payload": {"schemaFormat": "application/vnd.apache.avro;version=1.9.0", "schema": schema},
        "bindings": {"kafka": kafka},
        // In plain JSON, which is not Avro's: so it is no `examples`.
        "x-example": topic.examples.lines().next().and_then(|it| serde_json::from_str::<Json>(it).ok()),
    })
}

/// What every role takes and tells.
fn operations(config: &Config, topics: &[&'static Topic]) -> Map<String, Json> {
    let mut operations = Map::new();
    for role in ROLES {
        let told = role.emits.iter().map(|it| (*it, "send"));
        for (topic, action) in std::iter::once((role.topic, "receive")).chain(told) {
            if !topics.iter().any(|it| it.name == topic.name) {
                continue;
            }
            let group = json!({"kafka": {"groupId": {"type": "string", "const": config.group(role)}, "bindingVersion": BINDING}});
            let channel = json!({"$ref": format!("#/channels/{}", topic.name)});
            let mut operation = json!({"action": action, "channel": channel, "summary": role.about});
            if let (Some(operation), "receive") = (operation.as_object_mut(), action) {
                operation.insert("bindings".to_owned(), group);
            }
            operations.insert(format!("{}-{action}-{}", role.name, topic.name), operation);
        }
    }
    operations
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::Cli;

    #[test]
    fn every_topic_is_a_channel_of_its_message_and_every_role_receives() {
        let cli = Cli::parse_from(["fleet", "roles"]);
        let config = Config::new(cli.config, []).unwrap();
        let topics = workers::topics();
        let document = document(&config, &topics).unwrap();
        for topic in topics {
            let channel = &document["channels"][topic.name];
            assert_eq!(channel["bindings"]["kafka"]["partitions"], topic.partitions, "{}", topic.name);
            let payload = &document["components"]["messages"][topic.name]["payload"]["schema"];
            assert_eq!(*payload, serde_json::from_str::<Json>(topic.schema).unwrap());
        }
        for role in ROLES {
            let operation = &document["operations"][format!("{}-receive-{}", role.name, role.topic.name)];
            assert_eq!(operation["bindings"]["kafka"]["groupId"]["const"], config.group(role), "{}", role.name);
        }
    }
}
