//! Units: hundredths, milliseconds, instants and days, in integers.
//!
//! `f64` stays at this edge: past it every figure is a whole number, so that any order of additions gives the same bytes.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use time::{
    Date, Duration, Month, OffsetDateTime,
    format_description::well_known::Rfc3339,
    macros::{date, format_description},
};

/// A number in hundredths: 72.35 is `Hundredths(7235)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hundredths(pub i64);

impl Hundredths {
    /// Hundredths of a double x: floor((x + 2.220446049250313e-16) * 100 + 0.5), the rounding of the typing clients.
    pub fn of(x: f64) -> Self {
        Self(((x + f64::EPSILON) * 100.0 + 0.5).floor() as i64)
    }
}

impl Serialize for Hundredths {
    /// As a JSON number with two places at most: 72.35.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0 as f64 / 100.0)
    }
}

impl<'de> Deserialize<'de> for Hundredths {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        f64::deserialize(deserializer).map(Self::of)
    }
}

/// Milliseconds of seconds s: floor(s * 1000 + 0.5).
pub fn millis_of_seconds(seconds: f64) -> i64 {
    (seconds * 1000.0 + 0.5).floor() as i64
}

/// An instant: milliseconds since 1970-01-01 UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Time(pub i64);

/// The first instant that an event may carry: 2000-01-01.
pub const FIRST_TIME: Time = Time(946_684_800_000);
/// The instant after the last that fits a DATETIME(3): 10000-01-01.
pub const END_OF_TIME: Time = Time(253_402_300_800_000);

const DAY_MS: i64 = 86_400_000;

impl Time {
    /// The UTC day it lies in.
    pub fn day(self) -> Day {
        Day(i32::try_from(self.0.div_euclid(DAY_MS)).unwrap_or(i32::MAX))
    }

    /// This instant moved by so many milliseconds.
    pub fn plus(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// RFC 3339 text with milliseconds, `None` outside the years 0..9999.
    pub fn to_rfc3339(self) -> Option<String> {
        let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000_000).ok()?;
        at.format(&Rfc3339).ok()
    }

    /// The instant of an RFC 3339 text, cut to milliseconds.
    pub fn from_rfc3339(text: &str) -> Option<Self> {
        let at = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        i64::try_from(at.unix_timestamp_nanos().div_euclid(1_000_000)).ok().map(Self)
    }
}

/// A UTC day: days since 1970-01-01.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(pub i32);

impl Day {
    /// Its first instant.
    pub fn start(self) -> Time {
        Time(i64::from(self.0) * DAY_MS)
    }

    /// The day so many days later.
    pub fn plus(self, days: i32) -> Self {
        Self(self.0.saturating_add(days))
    }

    /// The Monday of its week.
    pub fn week(self) -> Self {
        Self(self.0 - (self.0 + 3).rem_euclid(7))
    }

    /// The first day of its month.
    pub fn month(self) -> Self {
        self.date().map_or(self, |it| Self(self.0 - i32::from(it.day()) + 1))
    }

    /// The first day of the next month.
    pub fn next_month(self) -> Self {
        self.month().plus(31).month()
    }

    /// The civil date, `None` outside the years of the calendar.
    pub fn date(self) -> Option<Date> {
        date!(1970 - 01 - 01).checked_add(Duration::days(i64::from(self.0)))
    }

    /// The day of a text like 2024-05-13.
    pub fn parse(text: &str) -> Option<Self> {
        let date = Date::parse(text, format_description!("[year]-[month]-[day]")).ok().filter(|_| text.len() == 10)?;
        Self::of(date.year(), date.month(), date.day())
    }

    /// The day of a civil date.
    pub fn of(year: i32, month: Month, day: u8) -> Option<Self> {
        let date = Date::from_calendar_date(year, month, day).ok()?;
        i32::try_from((date - date!(1970 - 01 - 01)).whole_days()).ok().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_hundredths_as_the_clients_do() {
        assert_eq!(Hundredths::of(196.205).0, 19621);
        assert_eq!(Hundredths::of(1.005).0, 101);
        assert_eq!(Hundredths::of(0.0).0, 0);
    }

    #[test]
    fn weeks_start_on_monday_and_months_on_the_first() {
        let thursday = Day(0);
        assert_eq!(thursday.week(), Day(-3));
        assert_eq!(Day(4).week(), Day(4));
        let leap = Day::of(2024, Month::February, 29).unwrap();
        assert_eq!(leap.month(), Day::of(2024, Month::February, 1).unwrap());
        assert_eq!(leap.next_month(), Day::of(2024, Month::March, 1).unwrap());
    }

    #[test]
    fn a_day_is_read_as_it_is_written_and_in_no_other_form() {
        for text in ["2000-01-01", "2024-02-29", "9999-12-31"] {
            assert_eq!(Day::parse(text).unwrap().date().unwrap().to_string(), text);
        }
        for text in ["", "2023-02-29", "2024-5-13", "+2024-05-13", "2024-05-13 ", "20240513", "2024-13-01", "gestern"] {
            assert_eq!(Day::parse(text), None, "{text}");
        }
    }

    #[test]
    fn rfc3339_round_trips() {
        let at = Time::from_rfc3339("2024-02-29T12:00:00.123Z").unwrap();
        assert_eq!(at.to_rfc3339().unwrap(), "2024-02-29T12:00:00.123Z");
    }
}
