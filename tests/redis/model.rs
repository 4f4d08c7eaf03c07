//! A role for these tests: a document a user, boards of a day and of all time with few members each, and a short list of each user's items.

use fleet::store::redis::Version;
use workers::fold::{
    Board, Cached, Column, Document, Family, Form, Gathered, Kind, Parsed, Placing, Reject, Role, Sort, Table, Time, Topic, Value, Values,
};

const DAY_MS: i64 = 86_400_000;
/// A Monday.
pub const MONDAY: Time = Time(1_715_558_400_000);

/// Milliseconds of hours.
pub const fn hours(hours: i64) -> i64 {
    hours * 3_600_000
}

const fn column(name: &'static str, kind: Kind) -> Column {
    Column { name, kind, nullable: false }
}

pub static PROFILES: Table = Table {
    name: "profiles",
    sort: Sort::State,
    key: 1,
    columns: &[column("user_id", Kind::Long), column("tests", Kind::Long), Column { name: "recent", kind: Kind::Json, nullable: true }],
};

pub static ENTRIES: Table = Table {
    name: "entries",
    sort: Sort::State,
    key: 3,
    columns: &[
        column("board", Kind::Text),
        column("window_start", Kind::Time),
        column("user_id", Kind::Long),
        column("score", Kind::Long),
        column("name", Kind::Text),
    ],
};

pub static DOCUMENTS: Family = Family {
    name: "recent",
    table: &PROFILES,
    form: Form::Document(Document { key: "user:{user_id}:recent", column: "recent", ttl_s: 600 }),
};

pub const TOP: usize = 3;
pub const WINDOW_TOP: usize = 5;

pub static BOARDS: Family = Family {
    name: "boards",
    table: &ENTRIES,
    form: Form::Board(Board {
        place,
        top: TOP as u32,
        window_top: WINDOW_TOP as u32,
        ttl_s: 300,
        linger_ms: DAY_MS,
        rebuild: "SELECT e.board, e.window_start, e.user_id, e.score, e.name \
                  FROM (SELECT board, MAX(window_start) AS window_start FROM entries WHERE window_start <= ? GROUP BY board) b \
                  JOIN LATERAL (SELECT * FROM entries x WHERE x.board = b.board AND x.window_start = b.window_start \
                  ORDER BY x.score DESC, x.user_id LIMIT 5) e",
    }),
};

fn place(values: &[Value]) -> Option<Placing> {
    let [Value::Text(board), Value::Long(start), Value::Long(user), Value::Long(score), Value::Text(name)] = values else { return None };
    Some(Placing {
        board: format!("board:{board}"),
        window_start: Time(*start),
        window_end: (*start > 0).then(|| Time(start + DAY_MS)),
        member: user.to_string(),
        score: *score as f64,
        label: name.to_string(),
    })
}

/// Its key holds no user: items of one user lie in many lanes.
pub static ITEMS: Table = Table {
    name: "items",
    sort: Sort::State,
    key: 2,
    columns: &[
        column("item", Kind::Text),
        column("at", Kind::Time),
        column("user_id", Kind::Long),
        Column { name: "price", kind: Kind::Long, nullable: true },
    ],
};

pub const MOST: usize = 3;

pub static LISTS: Family = Family {
    name: "lists",
    table: &ITEMS,
    form: Form::Gathered(Gathered {
        key: "user:{user_id}:items",
        owner: "user_id",
        order: &["at", "item"],
        most: MOST as u32,
        columns: &["item", "price"],
        ttl_s: 60,
    }),
};

pub static TOPIC: Topic = Topic {
    name: "tests",
    key: "user_id",
    partitions: 4,
    retention_ms: -1,
    schema: "",
    examples: "",
    rate: 1,
    freshness_ms: 1,
    parsed: Parsed::new(),
};

pub static ROLE: Role = Role {
    name: "tester",
    about: "",
    topic: &TOPIC,
    decode: |_, _, _| Err(Reject::new("no event is read here")),
    ledger: "tester_ledger",
    tables: &[&ENTRIES, &PROFILES, &ITEMS],
    caches: &[&DOCUMENTS, &BOARDS, &LISTS],
    emits: &[],
    drains: &[],
    counts: &[],
    catalogues: &[],
};

/// A version of the first epoch.
pub fn version(next_offset: i64) -> Version {
    Version { epoch: 0, next_offset }
}

/// The lane of a user.
pub fn lane(user: i64) -> i32 {
    TOPIC.partition_of(user.to_string().as_bytes())
}

/// A user's document.
pub fn document(user: i64, recent: &str) -> Cached {
    let row: Values = [Value::Long(user), Value::Long(1), Value::Text(recent.into())].into();
    Cached { family: 0, key: [Value::Long(user)].into(), row: Some(row), at: MONDAY }
}

/// A user's entry of a window, of an event that happened then.
pub fn entry(board: &str, start: Time, user: i64, score: i64) -> Cached {
    named(board, start, (user, score), &format!("user {user}"))
}

/// The same, with the user's name.
pub fn named(board: &str, start: Time, (user, score): (i64, i64), name: &str) -> Cached {
    let row: Values =
        [Value::Text(board.into()), Value::Long(start.0), Value::Long(user), Value::Long(score), Value::Text(name.into())].into();
    Cached { family: 1, key: row[..3].into(), row: Some(row), at: start.plus(1).max(MONDAY) }
}

/// The same entry, of an event whose Kafka timestamp is earlier.
pub fn seen_at(at: Time, entry: Cached) -> Cached {
    Cached { at, ..entry }
}

/// A user's list, asked for.
pub fn list(user: i64) -> Cached {
    Cached { family: 2, key: [Value::Long(user)].into(), row: None, at: MONDAY }
}
