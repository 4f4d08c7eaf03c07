//! Rows: a table is declared once, beside its Rust struct, and everything else is derived from that.
//!
//! [`row!`](crate::row) ties a struct to its table. It makes no SQL: the shell does, from [`Table`].

use std::sync::Arc;

use super::value::{Field, Kind, Value};

/// What a table's rows are, which decides how they are read, merged and written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// Absolute rows of one writer: `get`, `put`, `delete`.
    State,
    /// Append-only rows that remember identities; RANGE-partitioned by month of `occurred_at`: `seen`, `append`.
    History,
    /// Steps summed per key and lane: `add`. The key ends with `lane`, which the fold fills in.
    Counter,
    /// Rows that the fold only inserts and a drain then owns: `enqueue`.
    Queue,
    /// Rows that are the program's own: no verb of the fold touches one.
    Catalogue,
}

/// A column as declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// How it stands in MySQL.
    pub kind: Kind,
    /// Whether it may be NULL.
    pub nullable: bool,
}

/// A table as declared: the key's columns come first.
#[derive(Debug, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// What its rows are.
    pub sort: Sort,
    /// How many of the columns are the primary key.
    pub key: usize,
    /// The columns, in the order of a row's values.
    pub columns: &'static [Column],
}

impl Table {
    /// The primary key's columns.
    pub fn key_columns(&self) -> &'static [Column] {
        self.columns.get(..self.key).unwrap_or_default()
    }

    /// The columns that are not in the key.
    pub fn other_columns(&self) -> &'static [Column] {
        self.columns.get(self.key..).unwrap_or_default()
    }

    /// The place of a column, by name.
    pub fn place(&self, column: &str) -> Option<usize> {
        self.columns.iter().position(|it| it.name == column)
    }
}

/// The values of one row, in the table's order of columns.
pub type Values = Arc<[Value]>;
/// The values of one primary key.
pub type Key = Box<[Value]>;

/// A typed row of a declared table. Implemented by [`row!`](crate::row) only.
pub trait Row: Sized {
    /// Its table.
    const TABLE: &'static Table;
    /// Its values, in the table's order.
    fn to_values(&self) -> Vec<Value>;
    /// The values of its primary key; a counter's without its lane.
    fn key(&self) -> Key;
    /// The value of its last column.
    fn last(&self) -> Value;
    /// The row that holds these values, `None` if they are of another table.
    fn from_values(values: &[Value]) -> Option<Self>;
}

/// The name of the column that the fold appends to every counter's key.
pub const LANE: Column = Column { name: "lane", kind: Kind::Long, nullable: false };

/// The column that a field makes; the argument only names the field's type.
#[doc(hidden)]
pub const fn column<R, F: Field>(name: &'static str, _: fn(&R) -> &F) -> Column {
    Column { name, kind: F::KIND, nullable: F::NULLABLE }
}

/// Declares a struct to be a row: its sort, its table's name, the fields of its key, its other fields.
///
/// A counter's key ends with `lane`, which stands in the table and not in the struct.
#[macro_export]
macro_rules! row {
    ($row:ident, Counter, $name:literal, [$($key:ident),+ $(,)?], [$($rest:ident),* $(,)?]) => {
        $crate::row!(@impl $row, Counter, $name, [$($key),+], [$crate::fold::LANE], [$($rest),*]);
    };
    ($row:ident, $sort:ident, $name:literal, [$($key:ident),+ $(,)?], [$($rest:ident),* $(,)?]) => {
        $crate::row!(@impl $row, $sort, $name, [$($key),+], [], [$($rest),*]);
    };
    (@last $row:ident, $last:ident $(,)?) => { $row.$last.to_value() };
    (@last $row:ident, $first:ident, $($rest:ident),+ $(,)?) => { $crate::row!(@last $row, $($rest),+) };
    (@impl $row:ident, $sort:ident, $name:literal, [$($key:ident),+], [$($lane:path)?], [$($rest:ident),*]) => {
        impl $crate::fold::Row for $row {
            const TABLE: &'static $crate::fold::Table = {
                const COLUMNS: &[$crate::fold::Column] = &[
                    $($crate::fold::column(stringify!($key), |it: &$row| &it.$key),)+
                    $($lane,)?
                    $($crate::fold::column(stringify!($rest), |it: &$row| &it.$rest),)*
                ];
                const KEY: &[&str] = &[$(stringify!($key),)+ $({ let _: $crate::fold::Column = $lane; "lane" },)?];
                &$crate::fold::Table { name: $name, sort: $crate::fold::Sort::$sort, key: KEY.len(), columns: COLUMNS }
            };
            fn to_values(&self) -> Vec<$crate::fold::Value> {
                use $crate::fold::Field;
                vec![$(self.$key.to_value(),)+ $(self.$rest.to_value(),)*]
            }
            fn key(&self) -> $crate::fold::Key {
                use $crate::fold::Field;
                Box::new([$(self.$key.to_value()),+])
            }
            fn last(&self) -> $crate::fold::Value {
                use $crate::fold::Field;
                $crate::row!(@last self, $($key,)+ $($rest),*)
            }
            fn from_values(values: &[$crate::fold::Value]) -> Option<Self> {
                use $crate::fold::Field;
                let mut values = values.iter();
                Some(Self { $($key: Field::from_value(values.next()?)?,)+ $($rest: Field::from_value(values.next()?)?,)* })
            }
        }
    };
}

/// A primary key as a tuple of fields, in the table's order.
pub trait IntoKey {
    /// The key's values.
    fn into_key(self) -> Key;
}

/// Implements [`IntoKey`] for one length of tuple.
macro_rules! tuple_key {
    ($($name:ident),+) => {
        impl<$($name: Field),+> IntoKey for ($($name,)+) {
            fn into_key(self) -> Key {
                #[expect(non_snake_case, reason = "the names of the types serve as those of the fields")]
                let ($($name,)+) = self;
                Box::new([$($name.to_value()),+])
            }
        }
    };
}
tuple_key!(A);
tuple_key!(A, B);
tuple_key!(A, B, C);
tuple_key!(A, B, C, D);
tuple_key!(A, B, C, D, E);
tuple_key!(A, B, C, D, E, F);
tuple_key!(A, B, C, D, E, F, G);
tuple_key!(A, B, C, D, E, F, G, H);

impl IntoKey for Key {
    fn into_key(self) -> Key {
        self
    }
}
