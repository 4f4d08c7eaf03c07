//! The events' own decoders, by what each must say of bytes that are not just one datum.

use workers::{
    ROLES,
    fold::{Place, Role, Time, open_envelope, text::records},
};

/// Why a role refuses a datum; nothing where it takes it.
fn refusal(role: &Role, key: &[u8], timestamp: Time, datum: &[u8]) -> Option<String> {
    let topic = role.topic;
    let place = Place { partition: topic.partition_of(key), partitions: topic.partitions, timestamp, key: Some(key) };
    (role.decode)(datum, topic.codec().unwrap(), place).err().map(|it| it.reason)
}

#[test]
fn a_datum_is_taken_whole_and_nothing_may_follow_it() {
    for role in ROLES {
        for record in records(role.topic, role.topic.examples).unwrap() {
            let (_, datum) = open_envelope(record.value.as_deref()).unwrap();
            let refusal = |datum: &[u8]| refusal(role, record.key.as_deref().unwrap(), record.timestamp, datum);
            assert_eq!(refusal(datum), None, "{}", role.name);
            for more in [&b"\0"[..], b"!", datum] {
                let reason = refusal(&[datum, more].concat());
                assert_eq!(reason.as_deref(), Some("undecodable: bytes after the datum"), "{}", role.name);
            }
            for less in [0, datum.len() / 2, datum.len() - 1] {
                let reason = refusal(&datum[..less]);
                assert_eq!(reason.as_deref(), Some("undecodable: the bytes are no datum of their schema"), "{} {less}", role.name);
            }
        }
    }
}
