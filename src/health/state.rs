//! The states of a lane, by the names that metrics, HTTP and people use.
//!
//! It does not decide them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a lane is doing, or what stopped it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// The partition is assigned; its ledger row is being taken.
    Claiming,
    /// At the log's end.
    Idle,
    /// Records come in and are projected.
    Flowing,
    /// The log has more, but nothing arrives.
    Starved,
    /// A store refuses or is away; the same flush is tried again.
    SinkBlocked,
    /// Too many letters: it waits for a person, or for the cause to go.
    BreakerOpen,
    /// The ledger's position lies outside the log.
    OutOfRange,
    /// The topic is not the one that the ledger's position belongs to.
    LogChanged,
    /// The topic has another number of partitions than the contract.
    PartitionsChanged,
    /// The ledger has no row for the partition.
    LedgerMissing,
    /// A writer's schema that the contract's cannot read.
    SchemaIncompatible,
    /// Behind, and for long nothing was projected, although nothing is known to hinder it.
    Stuck,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 12] = [
        Self::Claiming,
        Self::Idle,
        Self::Flowing,
        Self::Starved,
        Self::SinkBlocked,
        Self::BreakerOpen,
        Self::OutOfRange,
        Self::LogChanged,
        Self::PartitionsChanged,
        Self::LedgerMissing,
        Self::SchemaIncompatible,
        Self::Stuck,
    ];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Claiming => "claiming",
            Self::Idle => "idle",
            Self::Flowing => "flowing",
            Self::Starved => "starved",
            Self::SinkBlocked => "sink-blocked",
            Self::BreakerOpen => "breaker-open",
            Self::OutOfRange => "out-of-range",
            Self::LogChanged => "log-changed",
            Self::PartitionsChanged => "partitions-changed",
            Self::LedgerMissing => "ledger-missing",
            Self::SchemaIncompatible => "schema-incompatible",
            Self::Stuck => "stuck",
        }
    }

    /// Whether it does not get on, and somebody should know.
    pub fn is_blocked(self) -> bool {
        !matches!(self, Self::Claiming | Self::Idle | Self::Flowing)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
