//! Redis beside MySQL: every key that a role keeps must say what its tables say.
//!
//! What it expects is made from the rows, the core's key templates and the written order of boards, not from the program's store.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use workers::fold::{Board, Document, Form, Gathered, Kind, Placing, Role, Table, Value, key_text};

use super::{World, redis::Redis, soon, wait::when};

/// Waits until Redis says of a role what MySQL says, key by key.
pub fn assert_equal(world: &World, role: &Role) {
    soon(&format!("Redis to equal MySQL for {}", role.name), || check(world, role));
}

/// Whether Redis says of a role what MySQL says now, or the first difference.
pub fn check(world: &World, role: &Role) -> Result<(), String> {
    for family in role.caches {
        let rows = world.database.values(family.table);
        match &family.form {
            Form::Document(document) => check_documents(&world.redis, family.table, document, &rows)?,
            Form::Gathered(gathered) => check_gathered(&world.redis, family.table, gathered, &rows)?,
            Form::Board(board) => check_boards(&world.redis, board, &placings(family.table, board, &rows))?,
        }
    }
    Ok(())
}

fn check_documents(redis: &Redis, table: &Table, document: &Document, rows: &[Vec<Value>]) -> Result<(), String> {
    let mut connection = redis.connect()?;
    let column = table.columns.iter().position(|it| it.name == document.column).expect("the document's column");
    let mut expected = BTreeSet::new();
    for chunk in rows.chunks(500) {
        let keys: Vec<String> = chunk.iter().map(|row| key_of(document, table, row)).collect();
        let found: Vec<Option<String>> = redis::cmd("MGET").arg(&keys).query(&mut connection).map_err(|it| it.to_string())?;
        for ((key, row), value) in keys.iter().zip(chunk).zip(found) {
            let data = value.as_deref().and_then(|it| it.split_once(",\"data\":")?.1.strip_suffix('}'));
            let wanted = key_text(&row[column]);
            when(data == Some(wanted.as_str()), || format!("{key} is {value:?}, the row says {wanted}"))?;
        }
        expected.extend(keys);
    }
    let columns = table.columns.iter();
    let pattern = columns.fold(document.key.to_owned(), |key, column| key.replace(&format!("{{{}}}", column.name), "*"));
    let all: BTreeSet<String> = redis::cmd("KEYS").arg(pattern).query(&mut connection).map_err(|it| it.to_string())?;
    when(all == expected, || format!("Redis has {} keys like {}, MySQL {} rows", all.len(), document.key, expected.len()))
}

/// Each owner's list is of its first rows by the declared order. Owners that own nothing any more have an empty list, or none.
fn check_gathered(redis: &Redis, table: &Table, gathered: &Gathered, rows: &[Vec<Value>]) -> Result<(), String> {
    let place = |name: &str| table.columns.iter().position(|it| it.name == name).expect("a column");
    let blank = format!("{{{}}}", gathered.owner);
    let mut owners: BTreeMap<String, Vec<&Vec<Value>>> = BTreeMap::new();
    for row in rows {
        owners.entry(gathered.key.replace(&blank, &key_text(&row[place(gathered.owner)]))).or_default().push(row);
    }
    let mut connection = redis.connect()?;
    let all: BTreeSet<String> =
        redis::cmd("KEYS").arg(gathered.key.replace(&blank, "*")).query(&mut connection).map_err(|it| it.to_string())?;
    for key in all.iter().chain(owners.keys()) {
        let mut owned = owners.get(key).cloned().unwrap_or_default();
        owned.sort_by_key(|row| Reverse(gathered.order.iter().map(|it| row[place(it)].clone()).collect::<Vec<_>>()));
        owned.truncate(usize::try_from(gathered.most).expect("few"));
        let object = |row: &Vec<Value>| {
            let member = |name: &&str| format!("\"{name}\":{}", json_text(table.columns[place(name)].kind, &row[place(name)]));
            format!("{{{}}}", gathered.columns.iter().map(member).collect::<Vec<_>>().join(","))
        };
        let wanted = format!("[{}]", owned.into_iter().map(object).collect::<Vec<_>>().join(","));
        let value: Option<String> = redis::cmd("GET").arg(key).query(&mut connection).map_err(|it| it.to_string())?;
        let data = value.as_deref().and_then(|it| it.split_once(",\"data\":")?.1.strip_suffix('}'));
        when(data == Some(wanted.as_str()), || format!("{key} is {value:?}, the rows say {wanted}"))?;
    }
    Ok(())
}

/// A value in an object, of the kinds that lists show so far.
fn json_text(kind: Kind, value: &Value) -> String {
    match (kind, value) {
        (_, Value::Null) => "null".to_owned(),
        (Kind::Long | Kind::Time, Value::Long(it)) => it.to_string(),
        (Kind::Text, Value::Text(it)) => serde_json::to_string(&**it).expect("a text"),
        _ => panic!("no list shows a {kind:?}"),
    }
}

fn key_of(document: &Document, table: &Table, row: &[Value]) -> String {
    let columns = table.columns.iter().zip(row);
    columns.fold(document.key.to_owned(), |key, (column, value)| key.replace(&format!("{{{}}}", column.name), &key_text(value)))
}

/// Members with their scores, in order.
type Standing = Vec<(String, f64)>;

/// Each board's newest window, in the written order: score, tiebreak, the earlier, the smaller id.
fn placings(table: &Table, board: &Board, rows: &[Vec<Value>]) -> BTreeMap<String, Standing> {
    let at = |row: &[Value], name: &str| {
        let place = table.columns.iter().position(|it| it.name == name).expect("a column");
        if let Value::Long(long) = row[place] { long } else { panic!("{name} is no number") }
    };
    let order = |row: &Vec<Value>| (Reverse(at(row, "score")), Reverse(at(row, "tiebreak")), at(row, "achieved_at"), at(row, "user_id"));
    let mut sorted: Vec<&Vec<Value>> = rows.iter().collect();
    sorted.sort_by_key(|it| order(it));
    let mut windows: BTreeMap<(String, i64), Standing> = BTreeMap::new();
    for row in sorted {
        let Placing { board, window_start, member, score, .. } = (board.place)(row).expect("a place");
        windows.entry((board, window_start.0)).or_default().push((member, score));
    }
    // In the order of windows, so that each board's newest stays.
    windows.into_iter().map(|((board, _), standing)| (board, standing)).collect()
}

fn check_boards(redis: &Redis, board: &Board, expected: &BTreeMap<String, Standing>) -> Result<(), String> {
    let mut connection = redis.connect()?;
    let top = usize::try_from(board.top).expect("few");
    for (key, standing) in expected {
        let shown: Standing =
            redis::cmd("ZREVRANGE").arg(key).arg(0).arg(-1).arg("WITHSCORES").query(&mut connection).map_err(|it| it.to_string())?;
        let count = standing.len().min(top);
        when(shown.len() == count, || format!("{key} shows {} members, the table has {} (at most {top})", shown.len(), standing.len()))?;
        check_order(key, &shown, standing)?;
    }
    Ok(())
}

/// The same scores in the same order, and under each score the same members: those that are equal stand in an order of their own.
fn check_order(key: &str, shown: &[(String, f64)], standing: &[(String, f64)]) -> Result<(), String> {
    for (place, (one, other)) in shown.iter().zip(standing).enumerate() {
        when(one.1 == other.1, || format!("{key} at place {place} shows {one:?}, the table has {other:?}"))?;
    }
    let rows: BTreeMap<&str, f64> = standing.iter().map(|(member, score)| (member.as_str(), *score)).collect();
    for (member, score) in shown {
        when(rows.get(member.as_str()) == Some(score), || {
            format!("{key} shows {member} at {score}, the table at {:?}", rows.get(member.as_str()))
        })?;
    }
    Ok(())
}
