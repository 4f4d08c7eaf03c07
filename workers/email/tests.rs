//! The role email, by what its events come to.

use super::*;
use crate::fold::text::records;

#[test]
fn every_kind_of_event_survives_its_schema() {
    let schema = TOPIC.codec().unwrap();
    let mut kinds = std::collections::BTreeSet::new();
    for record in records(&TOPIC, TOPIC.examples).unwrap() {
        let datum = &record.value.unwrap()[5..];
        let event: EmailEvent = serde_avro_fast::from_datum_slice(datum, schema).unwrap();
        assert_eq!(record.key.unwrap(), event.recipient.as_bytes());
        let mut config = serde_avro_fast::ser::SerializerConfig::new(schema);
        let again = serde_avro_fast::to_datum_vec(&event, &mut config).unwrap();
        assert_eq!(serde_avro_fast::from_datum_slice::<EmailEvent>(&again, schema).unwrap(), event);
        assert_eq!(again.len(), datum.len(), "{event:?}");
        kinds.insert(format!("{:?}", event.body).split('(').next().unwrap().to_owned());
    }
    assert_eq!(kinds.len(), 9, "{kinds:?}");
}
