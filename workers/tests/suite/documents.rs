//! What web servers are told of Redis: every key and every field of what stands under it is named where they look for it.

use std::collections::BTreeSet;

use serde_json::Value as Json;
use workers::{
    ROLES,
    fold::{Family, Form, Play, Role, Value, text::records},
};

const README: &str = include_str!("../../../README.md");
/// Documents that are objects by achievement: their outermost names are ids, which the catalogue lists.
const BY_ID: [&str; 2] = ["achievements-unlocked", "achievement-progress"];

/// The line of the table of keys that begins with this one.
fn told(key: &str) -> &'static str {
    let begin = format!("| `{key}` |");
    README.lines().find(|it| it.starts_with(&begin)).unwrap_or_else(|| panic!("README.md, For web servers: no line begins with {begin}"))
}

/// The names of all objects within a document.
fn names(json: &Json, found: &mut BTreeSet<String>) {
    match json {
        Json::Object(members) => members.iter().for_each(|(name, value)| {
            found.insert(name.clone());
            names(value, found);
        }),
        Json::Array(values) => values.iter().for_each(|it| names(it, found)),
        _ => {}
    }
}

/// The names in all documents of a family that a role makes of its examples.
fn written(role: &'static Role, family: &Family, column: &str) -> BTreeSet<String> {
    let mut play = Play::new(role);
    play.batch(&records(role.topic, role.topic.examples).unwrap()).unwrap();
    let place = role.tables.iter().position(|it| it.name == family.table.name).unwrap();
    let column = role.tables[place].place(column).unwrap();
    let mut found = BTreeSet::new();
    for row in play.model().rows(place) {
        let Value::Text(text) = &row[column] else { panic!("no document") };
        match serde_json::from_str(text).unwrap() {
            Json::Object(members) if BY_ID.contains(&family.name) => members.values().for_each(|it| names(it, &mut found)),
            document => names(&document, &mut found),
        }
    }
    found
}

#[test]
fn every_key_and_every_field_of_its_documents_is_told_to_web_servers() {
    for role in ROLES {
        for family in role.caches {
            let (key, fields) = match &family.form {
                Form::Document(it) => (it.key, written(role, family, it.column)),
                Form::Gathered(it) => (it.key, it.columns.iter().map(|it| (*it).to_owned()).collect()),
                Form::Board(_) => ("leaderboard:{category}:{timeframe}", BTreeSet::new()),
            };
            let line = told(key);
            assert!(fields.is_empty() == matches!(family.form, Form::Board(_)), "{key}: the examples come to no document");
            let untold: Vec<&String> = fields.iter().filter(|it| !line.contains(&format!("`{it}`"))).collect();
            assert!(untold.is_empty(), "README.md, For web servers, {key}: nothing is said of {untold:?}");
        }
    }
}
