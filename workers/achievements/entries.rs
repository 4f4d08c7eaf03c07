//! A document as its entries: what is not set anew is copied as it stands, neither parsed nor written again.
//!
//! It reads what this program writes and nothing else: no blanks, ids in order, and no closing bracket within an entry.

use std::borrow::Cow;

use serde::{Serialize, de::DeserializeOwned};

use crate::fold::{Json, Reject};

/// What stands under each id, in the order of the ids.
pub struct Entries<'d> {
    /// For people: where the document stands.
    column: &'static str,
    entries: Vec<(&'d str, Cow<'d, str>)>,
}

/// Bytes of an entry, about.
const USUAL: usize = 100;

impl<'d> Entries<'d> {
    /// The entries of a document, each up to the bracket that closes it; no document has none.
    ///
    /// # Errors
    /// A document that is none: a damaged row, which must not be written over.
    pub fn read(document: Option<&'d Json>, column: &'static str, close: char) -> Result<Self, Reject> {
        let entries = document.map_or_else(|| Some(Vec::new()), |it| split(&it.0, close));
        Ok(Self { column, entries: entries.ok_or_else(|| damaged(column))? })
    }

    /// What stands under an id.
    ///
    /// # Errors
    /// As [`Entries::read`].
    pub fn get<T: DeserializeOwned>(&self, id: &str) -> Result<Option<T>, Reject> {
        let place = self.entries.binary_search_by_key(&id, |it| it.0).ok();
        let entry = place.and_then(|it| self.entries.get(it)).map(|it| serde_json::from_str(&it.1));
        entry.transpose().map_err(|_| damaged(self.column))
    }

    /// Puts an entry in place of what stood there.
    ///
    /// # Errors
    /// An entry that has no JSON form.
    pub fn set<T: Serialize>(&mut self, id: &'d str, entry: &T) -> Result<(), Reject> {
        let entry = Cow::Owned(serde_json::to_string(entry).map_err(|_| Reject::new("a document has no JSON form"))?);
        let place = self.entries.partition_point(|it| it.0 < id);
        match self.entries.get_mut(place) {
            Some(there) if there.0 == id => there.1 = entry,
            _ => self.entries.insert(place, (id, entry)),
        }
        Ok(())
    }

    /// The document.
    pub fn document(&self) -> Json {
        let bytes = self.entries.iter().map(|(id, entry)| id.len() + entry.len() + 4).sum::<usize>();
        let mut text = String::with_capacity(bytes + 2);
        for (id, entry) in &self.entries {
            text.push_str(if text.is_empty() { "{\"" } else { ",\"" });
            text.push_str(id);
            text.push_str("\":");
            text.push_str(entry);
        }
        text.push_str(if text.is_empty() { "{}" } else { "}" });
        Json(text.into())
    }
}

fn damaged(column: &str) -> Reject {
    Reject::new(format!("{column} is damaged"))
}

fn split(document: &str, close: char) -> Option<Vec<(&str, Cow<'_, str>)>> {
    let mut rest = document.strip_prefix('{')?.strip_suffix('}')?;
    let mut entries: Vec<(&str, Cow<'_, str>)> = Vec::with_capacity(rest.len() / USUAL + 4);
    while !rest.is_empty() {
        let (id, after) = rest.strip_prefix('"')?.split_once("\":")?;
        let (entry, after) = after.split_at(after.find(close)? + close.len_utf8());
        if entries.last().is_some_and(|it| it.0 >= id) {
            return None;
        }
        entries.push((id, Cow::Borrowed(entry)));
        rest = match after.strip_prefix(',') {
            Some("") => return None,
            Some(more) => more,
            None if after.is_empty() => after,
            None => return None,
        };
    }
    Some(entries)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// As `serde_json` writes the whole.
    fn whole(entries: &BTreeMap<String, Vec<i64>>) -> Json {
        Json::of(entries).unwrap()
    }

    fn read(text: &str) -> Result<Vec<String>, Reject> {
        let document = Json(text.into());
        Ok(Entries::read(Some(&document), "t.c", ']')?.entries.iter().map(|it| it.0.to_owned()).collect())
    }

    #[test]
    fn what_is_no_document_is_damaged() {
        assert_eq!(read("{}"), Ok(vec![]));
        assert_eq!(read(r#"{"a":[1],"b":[]}"#), Ok(vec!["a".to_owned(), "b".to_owned()]));
        for text in
            ["", "{", "[]", r#"{"a":[1]"#, r#"{"a":[1],}"#, r#"{"a":[1]"b":[]}"#, r#"{"a":[1}"#, r#"{"b":[],"a":[]}"#, r#"{"a":[],"a":[]}"#]
        {
            assert_eq!(read(text), Err(Reject::new("t.c is damaged")), "{text}");
        }
        let document = Json(r#"{"a":[x]}"#.into());
        let entries = Entries::read(Some(&document), "t.c", ']').unwrap();
        assert_eq!(entries.get::<Vec<i64>>("a"), Err(Reject::new("t.c is damaged")), "when it is asked for");
        assert_eq!(entries.get::<Vec<i64>>("b"), Ok(None));
    }

    proptest! {
        #[test]
        fn setting_entries_gives_the_bytes_that_writing_the_whole_gives(
            (mut before, changes) in (
                prop::collection::btree_map("[a-d]{1,2}", prop::collection::vec(any::<i64>(), 0..3), 0..9),
                prop::collection::vec(("[a-d]{1,2}", prop::collection::vec(any::<i64>(), 0..3)), 0..9),
            )
        ) {
            let document = whole(&before);
            let mut entries = Entries::read((!before.is_empty()).then_some(&document), "t.c", ']').unwrap();
            for (id, values) in &changes {
                prop_assert_eq!(entries.get(id).unwrap(), before.get(id).cloned());
                entries.set(id, values).unwrap();
                before.insert(id.clone(), values.clone());
            }
            prop_assert_eq!(entries.document(), whole(&before));
        }
    }
}
