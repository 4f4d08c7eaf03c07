//! Documents: one JSON value a row under a key of its own, which an older version never overwrites.
//!
//! It reads no row and sends nothing. A row that is gone leaves `null` as data, so that nothing older comes back.

use redis::Cmd;
use workers::fold::{Column, Document, Table, Value, Values, key_text};

use super::{Shown, Version, scripts};

/// The command that writes a row's document.
pub fn command(document: &Document, table: &Table, row: &Shown) -> Cmd {
    let key = key(document.key, table.key_columns(), &row.key);
    set(&key, row.version, data(document, table, row.values.as_ref()), document.ttl_s)
}

/// The command that sets data under a key as of a version.
pub fn set(key: &str, version: Version, data: &str, ttl_s: u32) -> Cmd {
    let mut command = scripts::DOCUMENT.on(&[key]);
    command.arg(value(version, data)).arg(ttl_s.max(1));
    command
}

/// A template with `{column}` replaced by the text of that key column.
pub fn key(template: &str, columns: &[Column], key: &[Value]) -> String {
    let mut made = String::with_capacity(template.len() + 16);
    let mut rest = template;
    while let Some((before, blank)) = rest.split_once('{') {
        made.push_str(before);
        let (name, after) = blank.split_once('}').unwrap_or((blank, ""));
        let place = columns.iter().position(|it| it.name == name);
        made.push_str(&place.and_then(|it| key.get(it)).map_or_else(String::new, key_text));
        rest = after;
    }
    made.push_str(rest);
    made
}

/// The bytes of the document's column.
fn data<'v>(document: &Document, table: &Table, values: Option<&'v Values>) -> &'v str {
    let value = table.place(document.column).and_then(|place| values?.get(place));
    if let Some(Value::Text(text)) = value { text } else { "null" }
}

/// `{"v":"…","data":…}`; the script finds the version by its place.
fn value(version: Version, data: &str) -> String {
    format!("{{\"v\":\"{version}\",\"data\":{data}}}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use workers::fold::{Column, Kind, Sort};

    static TABLE: Table = Table {
        name: "t",
        sort: Sort::State,
        key: 2,
        columns: &[
            Column { name: "a", kind: Kind::Long, nullable: false },
            Column { name: "b", kind: Kind::Text, nullable: false },
            Column { name: "doc", kind: Kind::Json, nullable: true },
        ],
    };
    static DOCUMENT: Document = Document { key: "x:{a}:{b}:doc", column: "doc", ttl_s: 60 };

    #[test]
    fn a_key_takes_the_text_of_its_columns() {
        assert_eq!(key(DOCUMENT.key, TABLE.key_columns(), &[Value::Long(42), Value::Text("é{a}".into())]), "x:42:é{a}:doc");
    }

    #[test]
    fn the_data_is_the_column_and_null_without_one() {
        let row: Values = [Value::Long(1), Value::Text("b".into()), Value::Text("[1]".into())].into();
        assert_eq!(data(&DOCUMENT, &TABLE, Some(&row)), "[1]");
        assert_eq!(data(&DOCUMENT, &TABLE, None), "null");
    }

    #[test]
    fn the_version_stands_where_the_script_looks() {
        let text = value(Version { epoch: 3, next_offset: 77 }, "[]");
        assert_eq!(&text[6..36], "0000000003-0000000000000000077");
        assert_eq!(text, "{\"v\":\"0000000003-0000000000000000077\",\"data\":[]}");
    }
}
