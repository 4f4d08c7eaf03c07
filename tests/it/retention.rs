//! Letters beside the log that they came from: they go when its retention is over, and nobody misses them.

use fleet::store::letters::EXPIRE;
use serde_json::{Value as Json, json};
use workers::fold::Role;

use crate::support::{Seed, World, events, keystrokes, log::Message, oracle::letters, post::now, results, soon, wait::when};

const DAY_MS: i64 = 86_400_000;

/// A session of user 7; one without keys can never be applied.
fn session(seed: &mut Seed, occurred_at: i64, keys: &Json) -> Json {
    json!({
        "event_id": events::id(seed), "occurred_at": occurred_at, "user_id": 7, "session_id": "s", "language": "english",
        "layout": "qwerty", "prompt": "a", "typed": "a", "keys": keys,
    })
}

/// A record of an event, produced at this time.
fn produced(world: &World, role: &Role, event: &Json, at: i64) -> Message {
    Message { timestamp: Some(at), ..Message::of(role.topic, world.schema_id(role.topic), event) }
}

fn count(world: &World, role: &Role) -> usize {
    letters(world, role).len()
}

#[test]
fn a_letter_goes_when_the_retention_of_its_topic_is_over_and_verify_does_not_miss_it() {
    let mut seed = Seed::of("retention");
    let mut world = World::new("retention");
    world.variables.insert("FLEET_BREAKER_RATIO", "1".to_owned());
    let (short, long) = (keystrokes(), results());
    assert!(short.topic.retention_ms == 14 * DAY_MS && long.topic.retention_ms < 0);
    let (old, young) = (now() - 14 * DAY_MS - 3_600_000, now() - 13 * DAY_MS);
    let good = json!([{"key": "a", "code": 65, "down_ms": 0, "up_ms": 60, "correct": true}]);
    // The young ones keep the old one's segment in the log.
    let sessions =
        [(old, json!([])), (young, json!([])), (young, good)].map(|(at, keys)| produced(&world, short, &session(&mut seed, at, &keys), at));
    let worker = world.worker(&format!("{},{}", short.name, long.name));
    soon("every lane to work", || worker.lanes_at_work());
    let places = world.log.send(&world.topic(short.topic), &sessions);
    let mut bad = events::test_result(&mut seed, 7, old);
    bad["accuracy"] = json!(101);
    world.log.send(&world.topic(long.topic), &[produced(&world, long, &bad, old)]);
    [short, long].into_iter().for_each(|it| world.settle(it));
    assert_eq!((count(&world, short), count(&world, long)), (2, 1));
    world.verify(short);
    add_letters(&world, short, places[1].1);
    worker.stop();
    let worker = world.worker(&format!("{},{}", short.name, long.name));
    soon("the old letters to go", || {
        let there = offsets(&world, short);
        when(there == [places[1].1, places[1].1 + 1001], || format!("there are those of {there:?}"))
    });
    let elsewhere = world.database.number("SELECT COUNT(*) FROM letters WHERE topic = 'elsewhere'");
    assert_eq!(elsewhere, 2, "those of topics by another name stay");
    assert_eq!(
        world.database.number(&format!("SELECT COUNT(*) FROM letters WHERE role = '{}'", long.name)),
        2,
        "so do those of a log that is kept"
    );
    world.verify(short);
    world.verify(long);
    worker.stop();
}

/// Letters like those that are there: the old ones of a topic by another name, and two like the young one at times that nobody knows.
fn add_letters(world: &World, role: &Role, young: i64) {
    let elsewhere = "INSERT INTO letters SELECT role, 'elsewhere', partition_id, record_offset, schema_id, kafka_timestamp, record_key, \
         value, headers, reason, cause, lettered_at FROM letters WHERE kafka_timestamp < UTC_TIMESTAMP() - INTERVAL 14 DAY";
    world.database.run(elsewhere).unwrap();
    for (offset, lettered_at) in [(1_000, "UTC_TIMESTAMP() - INTERVAL 15 DAY"), (1_001, "UTC_TIMESTAMP()")] {
        let unknown = format!(
            "INSERT INTO letters SELECT role, topic, partition_id, record_offset + {offset}, schema_id, NULL, record_key, value, headers, \
             reason, 'environment', {lettered_at} FROM letters WHERE role = '{}' AND record_offset = {young} AND topic <> 'elsewhere'",
            role.name
        );
        world.database.run(&unknown).unwrap();
    }
}

/// The offsets of a role's letters of its own topic, in order.
fn offsets(world: &World, role: &Role) -> Vec<i64> {
    let topic = world.topic(role.topic);
    let query = format!("SELECT record_offset FROM letters WHERE role = '{}' AND topic = '{topic}' ORDER BY record_offset", role.name);
    world.database.rows(&query).into_iter().map(|row| row[0].as_ref().unwrap().parse().unwrap()).collect()
}

#[test]
fn letters_that_are_to_go_are_found_by_an_index() {
    let world = World::new("expiry");
    let mut statement = format!("EXPLAIN FORMAT=TRADITIONAL {EXPIRE}");
    for value in ["'r'", "'t'", "UTC_TIMESTAMP()", "UTC_TIMESTAMP()"] {
        statement = statement.replacen('?', value, 1);
    }
    let plan = world.database.rows(&statement);
    let used = plan[0].iter().flatten().any(|it| it == "expiry");
    assert!(used && !plan[0].iter().flatten().any(|it| it.contains("filesort")), "{plan:?}");
}
