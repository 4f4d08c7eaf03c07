//! What is not yet confirmed outside MySQL, as bytes of the ledger's column `pending`.
//!
//! The column is a concatenation of parts, one or two a flush: each is encoded once, and written down until it is confirmed.

use serde::{Deserialize, Serialize, Serializer};
use workers::fold::{Emit, Key, Value};

use crate::fault::Fault;

/// What the column names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pending {
    /// Derived events, in order.
    pub emits: Vec<Emit>,
    /// Cache keys: the family's place, the row's key.
    pub keys: Vec<(usize, Key)>,
}

/// A part as it is read: derived events (topic's place, key, datum), cache keys.
type Part = (Vec<(usize, String, Vec<u8>)>, Vec<(usize, Vec<KeyPart>)>);

/// A key column's value.
#[derive(Serialize, Deserialize)]
enum KeyPart {
    Null,
    Long(i64),
    Id([u8; 16]),
    Text(String),
}

impl Pending {
    /// What the column's bytes name.
    ///
    /// # Errors
    /// Fatal: bytes of another version of fleet.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Fault> {
        let mut whole = Self::default();
        let mut rest = bytes;
        while !rest.is_empty() {
            let ((emits, keys), after): (Part, _) = postcard::take_from_bytes(rest).map_err(|_| {
                Fault::fatal(
                    "the ledger's pending column holds what this version cannot read: run the version that wrote it until it is empty",
                )
            })?;
            whole.emits.extend(emits.into_iter().map(|(topic, key, datum)| Emit { topic, key, datum }));
            whole.keys.extend(keys.into_iter().map(|(family, key)| (family, key.into_iter().map(Value::from).collect())));
            rest = after;
        }
        Ok(whole)
    }
}

/// The part that names these derived events; empty if there are none.
///
/// # Errors
/// Fatal: what cannot be written down.
pub fn part_of_emits(emits: &[Emit]) -> Result<Vec<u8>, Fault> {
    const AROUND: usize = 16;
    if emits.is_empty() {
        return Ok(Vec::new());
    }
    let room = emits.iter().map(|it| it.key.len() + it.datum.len() + AROUND).sum();
    encode(&(Emits(emits), [(); 0].as_slice()), room)
}

/// The part that names these cache keys; empty if there are none.
///
/// # Errors
/// Fatal: what cannot be written down.
pub fn part_of_keys(keys: &[(usize, &Key)]) -> Result<Vec<u8>, Fault> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    encode(&([(); 0].as_slice(), Keys(keys)), 0)
}

fn encode<P: Serialize>(part: &P, room: usize) -> Result<Vec<u8>, Fault> {
    postcard::to_extend(part, Vec::with_capacity(room)).map_err(|error| Fault::fatal(format!("pending: {error}")))
}

/// Derived events, written from where they lie.
struct Emits<'a>(&'a [Emit]);

impl Serialize for Emits<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|it| (it.topic, it.key.as_str(), Bytes(&it.datum))))
    }
}

/// Bytes at once: the same on the wire as a list of numbers.
struct Bytes<'a>(&'a [u8]);

impl Serialize for Bytes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

/// Cache keys, written from where they lie.
struct Keys<'a>(&'a [(usize, &'a Key)]);

impl Serialize for Keys<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|(family, key)| (*family, key.iter().map(KeyPart::from).collect::<Vec<_>>())))
    }
}

impl From<&Value> for KeyPart {
    fn from(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Long(long) => Self::Long(*long),
            Value::Id(id) => Self::Id(*id.as_bytes()),
            Value::Text(text) => Self::Text(text.to_string()),
        }
    }
}

impl From<KeyPart> for Value {
    fn from(part: KeyPart) -> Self {
        match part {
            KeyPart::Null => Self::Null,
            KeyPart::Long(long) => Self::Long(long),
            KeyPart::Id(id) => Self::Id(uuid::Uuid::from_bytes(id)),
            KeyPart::Text(text) => Self::Text(text.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn emit(topic: usize, datum: &[u8]) -> Emit {
        Emit { topic, key: "42".to_owned(), datum: datum.to_vec() }
    }

    fn key() -> Key {
        [Value::Null, Value::Long(-7), Value::Id(uuid::Uuid::from_u128(9)), Value::Text("日本".into())].into()
    }

    #[test]
    fn parts_one_after_the_other_name_all_in_order() {
        let (first, second) = ([emit(0, b"a"), emit(1, &[0xff; 300])], [emit(1, b"")]);
        let key = key();
        let parts = [part_of_emits(&first), part_of_keys(&[(3, &key)]), part_of_emits(&second)].map(Result::unwrap);
        let pending = Pending::from_bytes(&parts.concat()).unwrap();
        assert_eq!(pending.emits, [first.as_slice(), &second].concat());
        assert_eq!(pending.keys, [(3, key)]);
    }

    #[test]
    fn nothing_is_no_bytes() {
        assert_eq!((part_of_emits(&[]).unwrap(), part_of_keys(&[]).unwrap()), (vec![], vec![]));
        assert_eq!(Pending::from_bytes(&[]).unwrap(), Pending::default());
    }

    #[test]
    fn the_bytes_stay_as_they_are_in_ledgers() {
        assert_eq!(part_of_emits(&[emit(2, b"xy")]).unwrap(), [1, 2, 2, b'4', b'2', 2, b'x', b'y', 0]);
        let key: Key = [Value::Long(-1), Value::Text("k".into())].into();
        assert_eq!(part_of_keys(&[(1, &key)]).unwrap(), [0, 1, 1, 2, 1, 1, 3, 1, b'k']);
    }

    #[test]
    fn bytes_of_another_version_are_told() {
        let whole = part_of_emits(&[emit(0, b"abc")]).unwrap();
        assert!(Pending::from_bytes(&whole[..whole.len() - 2]).is_err());
    }
}
