//! Records that can never be applied, between good ones: letters byte for byte, neighbours in order, memory within bounds.

use std::time::Duration;

use serde_json::{Value as Json, json};
use workers::fold::{ENVELOPE, Topic, partition_of};

use crate::support::{
    Seed, World, events,
    log::Message,
    oracle::{Oracle, letters},
    results, soon,
};

/// The user whose partition gets the poison.
const USER: i64 = 7;
/// More than a worker may ever need for it, in KiB.
const MEMORY: u64 = 400 << 10;

fn topic() -> &'static Topic {
    results().topic
}

/// A well-formed record and its many relatives, none of which may do harm.
fn corpus(seed: &mut Seed, world: &World) -> Vec<Message> {
    let at = events::start() + 20 * 86_400_000;
    let event = events::test_result(seed, USER, at);
    let good = Message::of(topic(), world.schema_id(topic()), &event);
    let value = good.value.clone().unwrap();
    let with = |value: Vec<u8>| Message { value: Some(value), ..good.clone() };
    let mut corpus: Vec<Message> = (0..value.len()).map(|length| with(value[..length].to_vec())).collect();
    for at in (0..1).chain(ENVELOPE..value.len()) {
        let mut flipped = value.clone();
        flipped[at] ^= 1 << seed.below(8);
        corpus.push(with(flipped));
    }
    corpus.push(with([&value[..], b"!"].concat()));
    corpus.push(Message { value: None, ..good.clone() });
    corpus.push(Message { key: None, ..good.clone() });
    corpus.push(Message { key: Some(b"8".to_vec()), ..good.clone() });
    corpus.push(Message { partition: (good.partition + 1) % topic().partitions, ..good.clone() });
    corpus.push(with(vec![0x5a; 5 << 20]));
    corpus.push(with([&value[..ENVELOPE], &vec![0x5a; 5 << 20][..]].concat()));
    corpus.extend(bombs(world, &event).into_iter().map(with));
    corpus.extend(bad_values(&event).iter().map(|it| Message::of(topic(), world.schema_id(topic()), it)));
    corpus.push(Message { timestamp: Some(at - 600_001), ..good.clone() });
    corpus.push(with(replaced(&value, "user 7".as_bytes(), b"us\xffr 7")));
    let headers = vec![("trace".to_owned(), b"\x00\xff".to_vec()), ("trace".to_owned(), b"again".to_vec())];
    corpus.push(Message { headers, ..with(b"no envelope".to_vec()) });
    seed.shuffle(&mut corpus);
    corpus
}

/// Counts and lengths that ask for more than there is.
fn bombs(world: &World, event: &Json) -> Vec<Vec<u8>> {
    let mut event = event.clone();
    event["funbox"] = json!(["bombbomb"]);
    let value = Message::of(topic(), world.schema_id(topic()), &event).value.unwrap();
    // One block of one item, of eight bytes, as varints.
    let array: &[u8] = b"\x02\x10bombbomb";
    [1_u64 << 20, 1 << 33, u64::MAX >> 1, u64::MAX]
        .into_iter()
        .flat_map(|size| {
            let count = [&varint(size)[..], b"\x10bombbomb"].concat();
            let length = [b"\x02", &varint(size)[..], b"bombbomb"].concat();
            [replaced(&value, array, &count), replaced(&value, array, &length)]
        })
        .collect()
}

fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(u8::try_from(number & 0x7f).unwrap() | 0x80);
        number >>= 7;
    }
    bytes.push(u8::try_from(number).unwrap());
    bytes
}

fn replaced(bytes: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let at = bytes.windows(old.len()).position(|it| it == old).expect("the bytes to replace");
    [&bytes[..at], new, &bytes[at + old.len()..]].concat()
}

/// Events that fit the schema and not the contract.
fn bad_values(event: &Json) -> Vec<Json> {
    let changes = [
        ("user_name", json!("nul \0 in text")),
        ("user_name", json!("x".repeat(65))),
        ("user_name", json!("x".repeat(5 << 20))),
        ("user_id", json!(-7)),
        ("wpm", json!(1000.5)),
        ("accuracy", json!(-0.5)),
        ("mode2", json!("060")),
        ("event_id", json!("0000000-00000-0000-0000-000000000000")),
        ("occurred_at", json!(0)),
        ("day_offset_hours", json!(15)),
        ("correct_chars", json!(-1)),
        ("language", json!("")),
    ];
    changes
        .into_iter()
        .map(|(field, value)| {
            let mut event = event.clone();
            event[field] = value;
            event
        })
        .collect()
}

#[test]
fn poison_between_good_events_becomes_letters_and_harms_nobody() {
    let mut seed = Seed::of("poison");
    let mut world = World::new("poison");
    world.variables.extend([("FLEET_BREAKER_RATIO", "1".to_owned()), ("FLEET_BREAKER_RUN", "1000000".to_owned())]);
    let worker = world.worker("test-results");
    world.send(topic(), &events::test_results(&mut seed, 50, 500));
    let good: Vec<Json> = (0..10).map(|it| events::test_result(&mut seed, USER, events::start() + it * 3_600_000)).collect();
    let good = world.messages(topic(), &good);
    let poison = corpus(&mut seed, &world);
    let mixed: Vec<Message> =
        poison.chunks(20).zip(good.iter().cycle()).flat_map(|(bad, good)| [bad, std::slice::from_ref(good)].concat()).collect();
    world.log.send(&world.topic(topic()), &mixed);
    world.settle(results());
    let oracle = Oracle::of(&world, results());
    assert!(oracle.letters.len() > 100, "only {} letters", oracle.letters.len());
    oracle.assert(&world);
    world.verify(results());
    let used = worker.memory_kib("VmHWM:");
    assert!(used < MEMORY, "the worker used {used} KiB");
    worker.stop();
}

#[test]
fn a_schema_id_that_nobody_knows_waits_a_minute_and_is_a_letter_then() {
    let mut seed = Seed::of("unknown-id");
    let world = World::new("unknown-id");
    let event = events::test_result(&mut seed, USER, events::start());
    let good = Message::of(topic(), world.schema_id(topic()), &event);
    let unknown = [3, 4, 5].map(|last| {
        let mut message = good.clone();
        message.value.as_mut().unwrap()[1..ENVELOPE].copy_from_slice(&[0x7f, 1, 2, last]);
        message
    });
    // The minute of each begins with the first, not when the one before it is over.
    world.log.send(&world.topic(topic()), &[&unknown[..], &[good]].concat());
    let worker = world.worker("test-results");
    let detail = worker.await_state(topic().partition_of(b"7"), "sink-blocked");
    assert!(detail.contains("schema id"), "{detail}");
    assert!(letters(&world, results()).is_empty(), "lettered before its time");
    crate::support::wait_until("the letters", Duration::from_secs(100), || world.settled(results()));
    let letters = letters(&world, results());
    assert_eq!(letters.len(), 3);
    assert!(letters.values().all(|it| it.reason.contains("unknown schema id")), "{letters:?}");
    assert_eq!(world.database.rows("SELECT cause FROM letters")[0][0].as_deref(), Some("environment"));
    assert_eq!(world.database.number("SELECT COUNT(*) FROM test_results"), 1, "the good one after it");
    world.verify(results());
}

#[test]
fn a_producer_with_another_partitioner_opens_the_breaker_and_loses_nothing() {
    let mut seed = Seed::of("partitioner");
    let mut world = World::new("partitioner");
    world.variables.insert("FLEET_BREAKER_RUN", "20".to_owned());
    let worker = world.worker("test-results");
    world.send(topic(), &events::test_results(&mut seed, 50, 300));
    world.settle(results());
    // As a client does whose hash is not murmur2.
    let misplaced: Vec<Message> = world.messages(topic(), &events::test_results(&mut seed, 300, 2_000));
    let misplaced: Vec<Message> = misplaced.into_iter().map(|it| Message { partition: crude(it.key.as_deref().unwrap()), ..it }).collect();
    world.log.send(&world.topic(topic()), &misplaced);
    for partition in 0..topic().partitions {
        let detail = worker.await_state(partition, "breaker-open");
        assert!(detail.contains("fleet letters accept"), "{detail}");
    }
    let held = letters(&world, results());
    let most = (0..10).map(|partition| held.keys().filter(|it| it.0 == partition).count()).max();
    // The run of twenty, or the share once a hundred records were seen.
    assert!(most <= Some(100), "{most:?} letters of one lane before anybody accepted");
    for partition in 0..topic().partitions {
        let (role, partition) = (results().name, partition.to_string());
        world.must(&["letters", "accept", "--role", role, "--partition", &partition, "--reason", "the test's producer"]);
    }
    world.settle(results());
    let oracle = Oracle::of(&world, results());
    let wrong = oracle.letters.values().filter(|it| it.reason.starts_with("wrong-partition")).count();
    assert!(wrong > 1_000, "only {wrong} are in a wrong partition");
    oracle.assert(&world);
    soon("every lane to work again", || worker.lanes_at_work());
}

fn crude(key: &[u8]) -> i32 {
    let sum: i32 = key.iter().map(|it| i32::from(*it)).sum();
    let partition = sum % topic().partitions;
    if partition == partition_of(key, topic().partitions) && sum % 3 == 0 { (partition + 1) % topic().partitions } else { partition }
}
