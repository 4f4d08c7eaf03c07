//! What the tables and the letters of a role must be: its topic, read back and folded in memory by the core alone.

use std::collections::BTreeMap;

use workers::fold::{Play, Record, Role, Sort, Time, Topic, Value, plain};

use super::{
    World,
    log::{Lying, Message},
};

/// What a role's topic comes to.
pub struct Oracle {
    role: &'static Role,
    /// Rows of each of the role's tables, in order.
    tables: Vec<Vec<Vec<Value>>>,
    /// Records that can never be applied, by partition and offset.
    pub letters: BTreeMap<(i32, i64), Letter>,
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
        Self { role, letters: letters.collect(), tables: (0..role.tables.len()).map(rows).collect() }
    }

    /// The ids of the events that a role derives from its topic, by key and in order.
    pub fn derived(world: &World, role: &'static Role) -> Vec<(&'static Topic, BTreeMap<String, Vec<String>>)> {
        let records: Vec<Record> = world.log.read(&world.topic(role.topic)).iter().map(record).collect();
        let flushes = Play::new(role).batch(&records).expect("a fold without conflict");
        let mut ids: Vec<BTreeMap<String, Vec<String>>> = role.emits.iter().map(|_| BTreeMap::new()).collect();
        for emit in flushes.into_iter().flat_map(|it| it.changes.emits) {
            let event = plain::decode(role.emits[emit.topic], &emit.datum).expect("a datum");
            ids[emit.topic].entry(emit.key).or_default().push(event["event_id"].as_str().expect("an id").to_owned());
        }
        role.emits.iter().copied().zip(ids).collect()
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
