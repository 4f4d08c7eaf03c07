//! Values of columns: what a row is made of, and how a Rust type stands in a column.
//!
//! It knows no SQL and no wire format: the shell binds a [`Value`] by the [`Kind`] of its column.

use std::sync::Arc;

use serde::{Serialize, de::DeserializeOwned};
use uuid::Uuid;

use super::event::Reject;

/// One column's value. Booleans, hundredths, times and days are all `Long`: the column's [`Kind`] says which.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value {
    /// SQL NULL.
    Null,
    /// A whole number: itself, hundredths, milliseconds since 1970 or days since 1970.
    Long(i64),
    /// An id.
    Id(Uuid),
    /// Text, or a JSON document's bytes.
    Text(Arc<str>),
}

impl Value {
    /// Bytes this value holds in a lane's memory, about.
    pub(crate) fn size(&self) -> usize {
        size_of::<Self>() + if let Self::Text(text) = self { text.len() + 16 } else { 0 }
    }
}

/// How a column stands in MySQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// BIGINT or INT: a whole number.
    Long,
    /// TINYINT(1).
    Bool,
    /// DECIMAL(n,2): hundredths in Rust.
    Hundredths,
    /// DATETIME(3), UTC: milliseconds since 1970 in Rust.
    Time,
    /// DATE: days since 1970 in Rust.
    Day,
    /// CHAR(36) ascii_bin.
    Id,
    /// VARCHAR.
    Text,
    /// LONGTEXT with JSON_VALID.
    Json,
}

/// A Rust type that can stand in a column.
pub trait Field: Sized {
    /// The column's kind.
    const KIND: Kind;
    /// Whether the column may hold NULL.
    const NULLABLE: bool = false;
    /// The column's value.
    fn to_value(&self) -> Value;
    /// The Rust value of a column, `None` where the column holds something else.
    fn from_value(value: &Value) -> Option<Self>;
}

/// Declares a `Field` over `Value::Long`.
macro_rules! long_field {
    ($type:ty, $kind:expr, $to:expr, $from:expr) => {
        impl Field for $type {
            const KIND: Kind = $kind;
            fn to_value(&self) -> Value {
                Value::Long($to(self))
            }
            fn from_value(value: &Value) -> Option<Self> {
                if let Value::Long(long) = value { $from(*long) } else { None }
            }
        }
    };
}

long_field!(i64, Kind::Long, |it: &i64| *it, Some);
long_field!(i32, Kind::Long, |it: &i32| i64::from(*it), |it: i64| i32::try_from(it).ok());
long_field!(bool, Kind::Bool, |it: &bool| i64::from(*it), |it: i64| Some(it != 0));
long_field!(super::Hundredths, Kind::Hundredths, |it: &super::Hundredths| it.0, |it| Some(super::Hundredths(it)));
long_field!(super::Time, Kind::Time, |it: &super::Time| it.0, |it| Some(super::Time(it)));
long_field!(super::Day, Kind::Day, |it: &super::Day| i64::from(it.0), |it: i64| i32::try_from(it).ok().map(super::Day));

/// Gives an enum names, by which its variants stand in text columns, events and labels.
#[macro_export]
macro_rules! symbols {
    ($type:ty, { $($variant:ident: $name:literal),+ $(,)? }) => {
        impl $type {
            /// Every variant, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Its name in columns, events and labels.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }

        impl $crate::fold::Field for $type {
            const KIND: $crate::fold::Kind = $crate::fold::Kind::Text;
            fn to_value(&self) -> $crate::fold::Value {
                $crate::fold::Value::Text(self.name().into())
            }
            fn from_value(value: &$crate::fold::Value) -> Option<Self> {
                let $crate::fold::Value::Text(text) = value else { return None };
                Self::ALL.iter().copied().find(|it| it.name() == &**text)
            }
        }
    };
}

impl Field for Uuid {
    const KIND: Kind = Kind::Id;
    fn to_value(&self) -> Value {
        Value::Id(*self)
    }
    fn from_value(value: &Value) -> Option<Self> {
        if let Value::Id(id) = value { Some(*id) } else { None }
    }
}

impl Field for Arc<str> {
    const KIND: Kind = Kind::Text;
    fn to_value(&self) -> Value {
        Value::Text(Self::clone(self))
    }
    fn from_value(value: &Value) -> Option<Self> {
        if let Value::Text(text) = value { Some(Self::clone(text)) } else { None }
    }
}

/// A JSON document: the bytes that stand in the column, and as `data` in Redis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Json(pub Arc<str>);

impl Json {
    /// The document of a value whose fields and keys have a fixed order.
    ///
    /// # Errors
    /// A value that has no JSON form.
    pub fn of<T: Serialize>(value: &T) -> Result<Self, Reject> {
        let text = serde_json::to_string(value).map_err(|_| Reject::new("a document has no JSON form"))?;
        Ok(Self(text.into()))
    }

    /// The value that it is the document of.
    ///
    /// # Errors
    /// The column, as damaged: its row must not be written over.
    pub fn read<T: DeserializeOwned>(&self, column: &str) -> Result<T, Reject> {
        serde_json::from_str(&self.0).map_err(|_| Reject::new(format!("{column} is damaged")))
    }
}

impl Field for Json {
    const KIND: Kind = Kind::Json;
    fn to_value(&self) -> Value {
        Value::Text(Arc::clone(&self.0))
    }
    fn from_value(value: &Value) -> Option<Self> {
        if let Value::Text(text) = value { Some(Self(Arc::clone(text))) } else { None }
    }
}

impl<F: Field> Field for Option<F> {
    const KIND: Kind = F::KIND;
    const NULLABLE: bool = true;
    fn to_value(&self) -> Value {
        self.as_ref().map_or(Value::Null, Field::to_value)
    }
    fn from_value(value: &Value) -> Option<Self> {
        if *value == Value::Null { Some(None) } else { F::from_value(value).map(Some) }
    }
}
