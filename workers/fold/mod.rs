//! The fold: what every role is made of, and the machine that runs one over a batch.
//!
//! Nothing here knows a role, a broker or a database.

mod batch;
mod cache;
mod compat;
pub mod drain;
mod event;
pub mod limit;
mod memory;
mod model;
mod people;
pub mod plain;
mod play;
mod role;
mod row;
mod tables;
pub mod text;
mod topic;
mod units;
mod value;

pub use batch::{Cached, Changes, Entry, Fold, Progress};
pub use cache::{Board, Document, Family, Form, Gathered, Placing, object};
pub use event::{
    Decode, Decoded, Event, FUTURE_MS, Missing, Place, Reject, Stop, WRONG_PARTITION, check_text, check_within, decode, event_id, other_id,
    write_event_id,
};
pub use model::{Conflict, Model};
pub use plain::PlainEvent;
pub use play::{Flush, Play, Record};
pub use role::{Catalogue, Role};
pub use row::{Column, IntoKey, Key, LANE, Row, Sort, Table, Values, column};
pub use tables::{Emit, MAX_EMIT, Presume, Tables, body_hash, derived_id, key_text, to_datum};
pub use topic::{ENVELOPE, MAX_MESSAGE_BYTES, Parsed, Topic, envelope, open_envelope, partition_of};
pub use units::{Day, END_OF_TIME, FIRST_TIME, Hundredths, Time, millis_of_seconds};
pub use value::{Field, Json, Kind, Value};
