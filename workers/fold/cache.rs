//! Caches: which Redis keys a role keeps, as data. The shell writes them, and makes them again from the tables.

use super::{
    row::{Column, Table},
    text::hundredths,
    units::{Day, Time},
    value::{Kind, Value},
};

/// One family of Redis keys, made from the rows of one table.
#[derive(Debug)]
pub struct Family {
    /// Its name, in metrics and in `pending`.
    pub name: &'static str,
    /// The table whose rows it shows.
    pub table: &'static Table,
    /// What stands under its keys.
    pub form: Form,
}

/// What stands under a family's keys.
#[derive(Debug)]
pub enum Form {
    /// One JSON document a row.
    Document(Document),
    /// Sorted sets, a member a row.
    Board(Board),
    /// One JSON list an owner of rows.
    Gathered(Gathered),
}

impl Family {
    /// The columns of the keys by which its entries are asked for: a row's key, or of a gathered family the owner alone.
    pub fn key_columns(&self) -> &'static [Column] {
        match &self.form {
            Form::Gathered(gathered) => gathered.owner_column(self.table),
            Form::Document(_) | Form::Board(_) => self.table.key_columns(),
        }
    }
}

/// `{"v":…,"data":…}` under one key a row, with the bytes of one column as data.
#[derive(Debug)]
pub struct Document {
    /// The key, with `{column}` where a key column's text goes.
    pub key: &'static str,
    /// The JSON column.
    pub column: &'static str,
    /// Seconds until Redis forgets it.
    pub ttl_s: u32,
}

/// `{"v":…,"data":[…]}` under one key an owner: objects of the owner's first rows, whichever lanes those are of.
///
/// No lane holds all of an owner's rows, so an entry names the owner, and the list is read from the table, all lanes in one snapshot.
/// Whatever moves a row from one owner to another asks for both.
#[derive(Debug)]
pub struct Gathered {
    /// The key, with the owner's column in braces where its text goes.
    pub key: &'static str,
    /// The column that says whose a row is. The table has an index of it and `order`.
    pub owner: &'static str,
    /// The columns that order an owner's rows, the greatest first. Together with the owner they name one row.
    pub order: &'static [&'static str],
    /// Rows of a list at most.
    pub most: u32,
    /// The columns of each object, in order.
    pub columns: &'static [&'static str],
    /// Seconds until Redis forgets it.
    pub ttl_s: u32,
}

impl Gathered {
    /// The declared columns of its objects.
    pub fn shown(&self, table: &Table) -> Vec<Column> {
        self.columns.iter().filter_map(|name| table.columns.iter().find(|it| it.name == *name)).copied().collect()
    }

    fn owner_column(&self, table: &'static Table) -> &'static [Column] {
        let place = table.place(self.owner).unwrap_or(table.columns.len());
        table.columns.get(place..=place).unwrap_or_default()
    }
}

/// A row as a JSON object: its columns in order, times in milliseconds since 1970, days as 2024-05-13, hundredths with two places.
pub fn object(columns: &[Column], values: &[Value]) -> String {
    let members = columns.iter().zip(values).map(|(column, value)| format!("\"{}\":{}", column.name, json(column.kind, value)));
    format!("{{{}}}", members.collect::<Vec<_>>().join(","))
}

fn json(kind: Kind, value: &Value) -> String {
    match (kind, value) {
        (_, Value::Null) => "null".to_owned(),
        (Kind::Bool, Value::Long(it)) => (*it != 0).to_string(),
        (Kind::Hundredths, Value::Long(it)) => hundredths(*it),
        (Kind::Day, Value::Long(it)) => {
            let date = i32::try_from(*it).ok().and_then(|it| Day(it).date());
            date.map_or_else(|| "null".to_owned(), |it| format!("\"{it}\""))
        }
        (_, Value::Long(it)) => it.to_string(),
        (_, Value::Id(it)) => format!("\"{it}\""),
        (Kind::Json, Value::Text(it)) => it.to_string(),
        (_, Value::Text(it)) => serde_json::Value::from(&**it).to_string(),
    }
}

/// A ranking by a monotone score: one sorted set a window, and one under the public name for the current window.
#[derive(Debug)]
pub struct Board {
    /// Where a row stands.
    pub place: fn(&[Value]) -> Option<Placing>,
    /// Members kept under the public name.
    pub top: u32,
    /// Members kept in each window's set.
    pub window_top: u32,
    /// Seconds until the public name goes when no worker lives.
    pub ttl_s: u32,
    /// Milliseconds that a window's set is kept after the window's end.
    pub linger_ms: i64,
    /// The best rows of every board's window that was current at an instant: the last of its windows to have begun by then. The query
    /// has one `?`, the instant (DATETIME(3)), and gives the table's columns in order.
    pub rebuild: &'static str,
}

/// A row's place on a board.
#[derive(Clone, Debug, PartialEq)]
pub struct Placing {
    /// The public key.
    pub board: String,
    /// The window's first instant.
    pub window_start: Time,
    /// The instant after its last, `None` for one that never ends.
    pub window_end: Option<Time>,
    /// Who stands there.
    pub member: String,
    /// The score, which never falls for a member of a window.
    pub score: f64,
    /// The member's name, for people.
    pub label: String,
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn an_object_has_its_columns_in_order_by_their_kinds() {
        let column = |name, kind| Column { name, kind, nullable: true };
        let text = |it: &str| Value::Text(it.into());
        for (kind, value, expected) in [
            (Kind::Long, Value::Long(-7), "-7"),
            (Kind::Bool, Value::Long(1), "true"),
            (Kind::Hundredths, Value::Long(-705), "-7.05"),
            (Kind::Time, Value::Long(1_715_592_600_001), "1715592600001"),
            (Kind::Day, Value::Long(19_856), "\"2024-05-13\""),
            (Kind::Id, Value::Id(Uuid::from_u128(1)), "\"00000000-0000-0000-0000-000000000001\""),
            (Kind::Text, text("a\"\n\u{1}é"), "\"a\\\"\\n\\u0001é\""),
            (Kind::Json, text("[1]"), "[1]"),
            (Kind::Text, Value::Null, "null"),
        ] {
            let made = object(&[column("b", Kind::Long), column("a", kind)], &[Value::Long(1), value]);
            assert_eq!(made, format!("{{\"b\":1,\"a\":{expected}}}"));
            assert!(serde_json::from_str::<serde_json::Value>(&made).is_ok(), "{made}");
        }
    }
}
