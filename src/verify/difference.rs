//! What differs between the fold and the tables: the first are listed, all are counted.
//!
//! It looks at nothing itself.

use serde::Serialize;
use serde_json::{Map, Value as Json, json};
use workers::fold::{Role, Table, Value, Values, text::value_text};

use super::found::hash;

/// Differences that are listed; the others are counted.
pub const LISTED: usize = 100;

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A row has other values than the fold gives it.
    Differs,
    /// The fold has it, the database has not.
    Missing,
    /// The database has it, the fold has not.
    Extra,
}

/// A row of the fold as the database has it, what it should be and what it is.
#[derive(Clone, Debug)]
pub struct Row {
    /// What is wrong.
    pub kind: Kind,
    /// The partition.
    pub partition: i32,
    /// The table's place.
    pub table: usize,
    /// The hash of its key.
    pub key: u128,
    /// The hash of the whole row as the snapshot had it.
    pub hash: Option<u128>,
    /// As the fold has it.
    pub expected: Option<Values>,
    /// As the database has it now, where it has it.
    pub found: Option<Values>,
}

impl Row {
    /// Whether the row has changed since the snapshot that was compared.
    fn is_newer(&self) -> bool {
        self.hash.is_some() && self.found.as_deref().map(hash) != self.hash
    }
}

/// A letter that is missing, or that no replay would write.
#[derive(Clone, Debug)]
pub struct Letter {
    /// What is wrong.
    pub kind: Kind,
    /// The partition.
    pub partition: i32,
    /// The record's offset.
    pub offset: i64,
    /// Why the fold rejects it.
    pub reason: Option<String>,
}

/// All differences.
#[derive(Clone, Debug, Default)]
pub struct Differences {
    /// The first rows.
    pub rows: Vec<Row>,
    /// The first letters.
    pub letters: Vec<Letter>,
    /// How many there are of both.
    pub count: u64,
}

impl Differences {
    /// Notes a row.
    pub fn row(&mut self, row: Row) {
        self.count += 1;
        if self.rows.len() < LISTED {
            self.rows.push(row);
        }
    }

    /// Notes a letter.
    pub fn letter(&mut self, letter: Letter) {
        self.count += 1;
        if self.letters.len() < LISTED {
            self.letters.push(letter);
        }
    }

    /// A line each: role, table, key, and column: expected / found.
    pub fn lines(&self, role: &Role) -> Vec<Line> {
        let rows = self.rows.iter().filter_map(|it| Line::of_row(role, it));
        rows.chain(self.letters.iter().map(|it| Line::of_letter(role, it))).take(LISTED).collect()
    }
}

/// A difference as it is printed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    role: &'static str,
    table: &'static str,
    partition: i32,
    kind: Kind,
    /// The worker has written the row since: what is shown as found is newer than what was compared.
    newer: bool,
    key: Map<String, Json>,
    columns: Map<String, Json>,
}

impl Line {
    fn of_row(role: &Role, row: &Row) -> Option<Self> {
        let table: &Table = role.tables.get(row.table)?;
        let (expected, found) = (row.expected.as_deref(), row.found.as_deref());
        let text = |values: Option<&[Value]>, place: usize| Some(value_text(table.columns.get(place)?.kind, values?.get(place)?));
        let (mut key, mut columns) = (Map::new(), Map::new());
        for (place, column) in table.columns.iter().enumerate() {
            let (expected, found) = (text(expected, place), text(found, place));
            if place < table.key {
                key.insert(column.name.to_owned(), expected.or(found).into());
            } else if expected != found {
                columns.insert(column.name.to_owned(), json!({"expected": expected, "found": found}));
            }
        }
        Some(Self { role: role.name, table: table.name, partition: row.partition, kind: row.kind, newer: row.is_newer(), key, columns })
    }

    fn of_letter(role: &Role, letter: &Letter) -> Self {
        let key = Map::from_iter([("partition".to_owned(), letter.partition.into()), ("offset".to_owned(), letter.offset.into())]);
        let found = (letter.kind == Kind::Extra).then_some("a letter");
        let columns = Map::from_iter([("reason".to_owned(), json!({"expected": letter.reason, "found": found}))]);
        Self { role: role.name, table: "letters", partition: letter.partition, kind: letter.kind, newer: false, key, columns }
    }

    /// For people.
    pub fn text(&self) -> String {
        let key: Vec<String> = self.key.iter().map(|(name, value)| format!("{name}={}", word(value))).collect();
        let column = |(name, it): (&String, &Json)| {
            format!("{name}: {} / {}", word(it.get("expected").unwrap_or(&Json::Null)), word(it.get("found").unwrap_or(&Json::Null)))
        };
        let columns: Vec<String> = self.columns.iter().map(column).collect();
        let kind = match self.kind {
            Kind::Differs => "",
            Kind::Missing => "missing; ",
            Kind::Extra => "extra; ",
        };
        let newer = if self.newer { " (written since)" } else { "" };
        format!("{} {} {}: {kind}{}{newer}", self.role, self.table, key.join(" "), columns.join(", "))
    }
}

/// A text as it is; nothing as a dash.
fn word(value: &Json) -> String {
    match value {
        Json::Null => "-".to_owned(),
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use workers::ROLES;

    use super::*;

    #[test]
    fn a_line_names_the_key_and_each_column_that_differs() {
        let role = ROLES[0];
        let place = role.tables.iter().position(|it| it.columns.len() > it.key).unwrap();
        let table = role.tables[place];
        let values =
            |last: i64| (0..table.columns.len()).map(|at| Value::Long(if at + 1 == table.columns.len() { last } else { 1 })).collect();
        let row = |kind, expected, found| Row { kind, partition: 0, table: place, key: 0, hash: None, expected, found };
        let mut differences = Differences::default();
        let found: Values = values(6);
        differences.row(Row { hash: Some(hash(&found)), ..row(Kind::Differs, Some(values(5)), Some(found)) });
        differences.row(row(Kind::Missing, Some(values(5)), None));
        differences.letter(Letter { kind: Kind::Extra, partition: 3, offset: 81, reason: None });
        let texts: Vec<String> = differences.lines(role).iter().map(Line::text).collect();
        let last = table.columns.last().unwrap();
        let (five, six) = (value_text(last.kind, &Value::Long(5)), value_text(last.kind, &Value::Long(6)));
        assert!(texts[0].starts_with(&format!("{} {} {}=", role.name, table.name, table.columns[0].name)), "{texts:?}");
        assert!(texts[0].ends_with(&format!(": {}: {five} / {six}", last.name)), "{texts:?}");
        assert!(texts[1].contains(": missing; "), "{texts:?}");
        assert_eq!(texts[2], format!("{} letters partition=3 offset=81: extra; reason: - / a letter", role.name));
        assert_eq!(differences.count, 3);
    }

    #[test]
    fn past_the_first_hundred_they_are_only_counted() {
        let mut differences = Differences::default();
        for offset in 0..250 {
            differences.letter(Letter { kind: Kind::Missing, partition: 0, offset, reason: None });
        }
        assert_eq!((differences.lines(ROLES[0]).len(), differences.count), (LISTED, 250));
    }
}
