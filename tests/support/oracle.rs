//! What the tables, the letters and the derived events of a role must be: its topic, read back and folded in memory by the core alone.

use std::collections::{BTreeMap, HashMap};

use workers::fold::{Emit, Play, Record, Role, Sort, Time, Topic, Value, plain};

use super::{
    World,
    log::{Lying, Message, first_ids},
};

/// What a role's topic comes to.
pub struct Oracle {
    role: &'static Role,
    /// Rows of each of the role's tables, in order.
    tables: Vec<Vec<Vec<Value>>>,
    /// Records that can never be applied, by partition and offset.
    pub letters: BTreeMap<(i32, i64), Letter>,
    /// Derived events and their lanes, in order.
    emits: Vec<(i32, Emit)>,
}

/// A letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    pub reason: String,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Option<String>,
}

impl Oracle {
    /// Folds what a role's topic holds now.
    pub fn of(world: &World, role: &'static Role) -> Self {
        let log = world.log.read(&world.topic(role.topic));
        let records: Vec<Record> = log.iter().map(record).collect();
        let mut play = Play::new(role);
        let flushes = play.batch(&records).expect("a fold without conflict");
        let rejects = flushes.iter().flat_map(|it| &it.changes.rejects);
        let letters =
            rejects.map(|(place, reject)| ((log[*place].partition, log[*place].offset), letter(&log[*place].message, &reject.reason)));
        let rows = |table| play.model().rows(table).map(|row| row.to_vec()).collect();
        let (letters, tables) = (letters.collect(), (0..role.tables.len()).map(rows).collect());
        let emits = flushes.into_iter().flat_map(|it| it.changes.emits.into_iter().map(move |emit| (it.lane, emit))).collect();
        Self { role, letters, tables, emits }
    }

    /// The ids of the events that a topic gets of it, by lane and key and in order.
    fn derived(&self, topic: &Topic) -> BTreeMap<(i32, &str), Vec<String>> {
        let mut ids: BTreeMap<(i32, &str), Vec<String>> = BTreeMap::new();
        for (lane, emit) in self.emits.iter().filter(|(_, it)| self.role.emits[it.topic].name == topic.name) {
            let event = plain::decode(topic, &emit.datum).expect("a datum");
            ids.entry((*lane, &emit.key)).or_default().push(event["event_id"].as_str().expect("an id").to_owned());
        }
        ids
    }

    /// The tables and the letters must be just these.
    pub fn assert(&self, world: &World) {
        for (table, expected) in self.role.tables.iter().zip(&self.tables) {
            let (mut found, mut expected) = (world.database.values(table), expected.clone());
            // Steps that came to nothing leave a row, which is as good as none.
            found.retain(|row| table.sort != Sort::Counter || row[table.key..].iter().any(|it| *it != Value::Long(0)));
            found.sort_unstable();
            expected.sort_unstable();
            let wrong = found.iter().zip(&expected).find(|(one, other)| one != other);
            let told = wrong.map(|(one, other)| format!("found\n    {one:?}\n  where there should be\n    {other:?}"));
            assert!(found == expected, "{}: {} rows, should be {}: {}", table.name, found.len(), expected.len(), told.unwrap_or_default());
        }
        self.assert_letters(world);
    }

    fn assert_letters(&self, world: &World) {
        let found = letters(world, self.role);
        for (place, letter) in &self.letters {
            assert_eq!(found.get(place), Some(letter), "the letter of {place:?}");
        }
        let extra: Vec<_> = found.iter().filter(|(place, _)| !self.letters.contains_key(place)).take(3).collect();
        assert!(extra.is_empty(), "letters of records that can be applied: {extra:#?}");
    }
}

/// Derived events must be just those of these folds: each is there, and no other; first occurrences of what one lane derives for one key
/// keep its order. Other events are told by their ids, which are no hashes.
pub fn assert_derived(world: &World, oracles: &[Oracle]) {
    let mut topics = workers::topics();
    topics.retain(|topic| oracles.iter().flat_map(|it| it.role.emits).any(|it| it.name == topic.name));
    for topic in topics {
        let found = first_ids(topic, &world.log.read(&world.topic(topic)));
        let places =
            found.iter().flat_map(|(key, ids)| ids.iter().enumerate().map(move |(place, id)| (id.as_str(), (key.as_str(), place))));
        let mut places: HashMap<&str, (&str, usize)> = places.filter(|(id, _)| id.as_bytes()[14] == b'5').collect();
        for oracle in oracles {
            for ((lane, key), ids) in oracle.derived(topic) {
                let what = format!("{} of key {key}, which lane {lane} of {} derives", topic.name, oracle.role.name);
                let found: Vec<_> = ids.iter().map(|it| places.remove(it.as_str())).collect();
                assert!(found.iter().all(|it| it.is_some_and(|it| it.0 == key)), "{what}: of {ids:?} are there {found:?}");
                assert!(found.is_sorted(), "{what}: {ids:?} came in the order {found:?}");
            }
        }
        assert!(places.is_empty(), "{}: {} events that nobody derives: {:?}", topic.name, places.len(), places.iter().take(3));
    }
}

fn record(lying: &Lying) -> Record {
    let message = &lying.message;
    let timestamp = Time(message.timestamp.expect("a timestamp"));
    Record { partition: lying.partition, timestamp, key: message.key.clone(), value: message.value.clone() }
}

fn letter(message: &Message, reason: &str) -> Letter {
    let headers: Vec<(&String, String)> = message.headers.iter().map(|(name, value)| (name, hex(value))).collect();
    let headers = if headers.is_empty() { None } else { serde_json::to_string(&headers).ok() };
    Letter { reason: reason.to_owned(), key: message.key.clone(), value: message.value.clone(), headers }
}

/// The letters of a role, as the table keeps them.
pub fn letters(world: &World, role: &Role) -> BTreeMap<(i32, i64), Letter> {
    let columns = "partition_id, record_offset, reason, HEX(record_key), HEX(value), headers";
    let rows = world.database.rows(&format!("SELECT {columns} FROM letters WHERE role = '{}'", role.name));
    let entry = |row: Vec<Option<String>>| {
        let number = |at: usize| row[at].as_ref().expect("a number").parse::<i64>().expect("a number");
        let bytes = |at: usize| row[at].as_deref().map(unhex);
        let place = (i32::try_from(number(0)).expect("a partition"), number(1));
        (place, Letter { reason: row[2].clone().expect("a reason"), key: bytes(3), value: bytes(4), headers: row[5].clone() })
    };
    rows.into_iter().map(entry).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|it| format!("{it:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let digit = |it: u8| char::from(it).to_digit(16).and_then(|it| u8::try_from(it).ok()).expect("base 16");
    text.as_bytes().chunks(2).map(|pair| digit(pair[0]) * 16 + digit(pair[1])).collect()
}
