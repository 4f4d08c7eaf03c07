//! Faults of the environment, and the strategy that each kind asks for.
//!
//! A fault of the data is not one of these: it is a [`workers::fold::Reject`] and becomes a letter.

use std::fmt;

/// Why something outside this process could not be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Bad weather: the same thing is tried again, with backoff, without limit.
    Transient(String),
    /// It will not pass by itself: stop, with this one line, which names the mending command.
    Fatal(String),
}

impl Fault {
    /// Bad weather, told in a line.
    pub fn transient(line: impl fmt::Display) -> Self {
        Self::Transient(line.to_string())
    }

    /// A standstill, told in a line that names the mending command.
    pub fn fatal(line: impl fmt::Display) -> Self {
        Self::Fatal(line.to_string())
    }

    /// The same fault, with what was being done before it.
    #[must_use]
    pub fn during(self, what: impl fmt::Display) -> Self {
        match self {
            Self::Transient(line) => Self::Transient(format!("{what}: {line}")),
            Self::Fatal(line) => Self::Fatal(format!("{what}: {line}")),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Transient(line) | Self::Fatal(line)) = self;
        f.write_str(line)
    }
}

impl std::error::Error for Fault {}
