//! Which lanes this process holds, and how far it knows their tables to be.
//!
//! Only what the ledger confirms counts: whoever relies on this compares it with the ledger's row.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::store::ledger::Token;

/// The lanes of one role that are claimed here.
#[derive(Debug, Default)]
pub struct Held(Mutex<BTreeMap<i32, (Token, i64)>>);

impl Held {
    /// A lane is claimed under this token, and its tables are as far as this offset.
    pub fn note(&self, partition: i32, token: Token, next: i64) {
        self.lanes().insert(partition, (token, next));
    }

    /// A lane is no longer held.
    pub fn forget(&self, partition: i32) {
        self.lanes().remove(&partition);
    }

    /// Every lane held: its partition, its token, its next offset at least.
    pub fn all(&self) -> Vec<(i32, Token, i64)> {
        self.lanes().iter().map(|(partition, (token, next))| (*partition, *token, *next)).collect()
    }

    fn lanes(&self) -> MutexGuard<'_, BTreeMap<i32, (Token, i64)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
