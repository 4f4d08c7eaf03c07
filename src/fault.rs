//! Faults of the environment, and the strategy that each kind asks for.
//!
//! A fault of the data is not one of these: it is a [`workers::fold::Reject`] and becomes a letter.

use std::fmt;

/// Why something outside this process could not be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Bad weather: the same thing is tried again, with backoff, without limit.
    Transient(String, Weather),
    /// It will not pass by itself: stop, with this one line, which names the mending command.
    Fatal(String),
}

/// What kind of bad weather it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weather {
    /// No connection, none any more, or no answer in time.
    Away,
    /// It rolled back one of those who waited for each other.
    Deadlock,
    /// A lock that another held for too long.
    LockTimeout,
    /// It takes no writes for now.
    ReadOnly,
    /// It has no room.
    Full,
    /// It answered with another error that passes.
    Other,
}

impl Weather {
    /// As a metric's label has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Away => "away",
            Self::Deadlock => "deadlock",
            Self::LockTimeout => "lock-timeout",
            Self::ReadOnly => "read-only",
            Self::Full => "full",
            Self::Other => "other",
        }
    }
}

impl Fault {
    /// Somebody does not answer, told in a line.
    pub fn transient(line: impl fmt::Display) -> Self {
        Self::Transient(line.to_string(), Weather::Away)
    }

    /// What kind of weather it is; what is none is `other`.
    pub fn weather(&self) -> Weather {
        if let Self::Transient(_, weather) = self { *weather } else { Weather::Other }
    }

    /// A standstill, told in a line that names the mending command.
    pub fn fatal(line: impl fmt::Display) -> Self {
        Self::Fatal(line.to_string())
    }

    /// The same fault, with what was being done before it.
    #[must_use]
    pub fn during(self, what: impl fmt::Display) -> Self {
        match self {
            Self::Transient(line, weather) => Self::Transient(format!("{what}: {line}"), weather),
            Self::Fatal(line) => Self::Fatal(format!("{what}: {line}")),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Transient(line, _) | Self::Fatal(line)) = self;
        f.write_str(line)
    }
}

impl std::error::Error for Fault {}
