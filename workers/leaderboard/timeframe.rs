//! Timeframes: the windows that a score counts in, half-open and in UTC.
//!
//! It never asks what time it is: a window is that of an event.

use crate::{fold::Time, symbols};

/// How long a board's windows are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timeframe {
    /// One day.
    Daily,
    /// Seven days from Monday.
    Weekly,
    /// One month of the calendar.
    Monthly,
    /// One window for good, which starts at 1970-01-01.
    All,
}

symbols!(Timeframe, { Daily: "daily", Weekly: "weekly", Monthly: "monthly", All: "all" });

impl Timeframe {
    /// The first instant of the window that an instant lies in.
    pub fn start(self, at: Time) -> Time {
        match self {
            Self::Daily => at.day().start(),
            Self::Weekly => at.day().week().start(),
            Self::Monthly => at.day().month().start(),
            Self::All => Time(0),
        }
    }

    /// The instant after the last of the window that starts so, `None` where it never ends.
    pub fn end(self, start: Time) -> Option<Time> {
        match self {
            Self::Daily => Some(start.day().plus(1).start()),
            Self::Weekly => Some(start.day().plus(7).start()),
            Self::Monthly => Some(start.day().next_month().start()),
            Self::All => None,
        }
    }

    /// Whole seconds (daily) or minutes (weekly, monthly) from an instant to its window's end: always below 10^5.
    pub fn left(self, start: Time, at: Time) -> i64 {
        let unit_ms = if self == Self::Daily { 1_000 } else { 60_000 };
        self.end(start).map_or(0, |end| (end.0 - at.0).div_euclid(unit_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Time {
        Time::from_rfc3339(text).unwrap()
    }

    #[test]
    fn windows_are_those_of_the_calendar_in_utc() {
        let instant = at("2024-02-29T23:59:59.999Z");
        for (timeframe, start, end) in [
            (Timeframe::Daily, "2024-02-29T00:00:00Z", "2024-03-01T00:00:00Z"),
            (Timeframe::Weekly, "2024-02-26T00:00:00Z", "2024-03-04T00:00:00Z"),
            (Timeframe::Monthly, "2024-02-01T00:00:00Z", "2024-03-01T00:00:00Z"),
        ] {
            assert_eq!(timeframe.start(instant), at(start));
            assert_eq!(timeframe.end(at(start)), Some(at(end)));
            assert_eq!(timeframe.start(at(end)), at(end), "half-open");
        }
        assert_eq!((Timeframe::All.start(instant), Timeframe::All.end(Time(0))), (Time(0), None));
    }

    #[test]
    fn a_week_begins_on_monday_also_across_a_year() {
        assert_eq!(Timeframe::Weekly.start(at("2025-01-05T23:59:59.999Z")), at("2024-12-30T00:00:00Z"));
        assert_eq!(Timeframe::Weekly.start(at("2025-01-06T00:00:00Z")), at("2025-01-06T00:00:00Z"));
    }

    #[test]
    fn what_is_left_of_a_window_stays_below_its_five_digits() {
        for (timeframe, most) in
            [(Timeframe::Daily, 86_400), (Timeframe::Weekly, 10_080), (Timeframe::Monthly, 44_640), (Timeframe::All, 0)]
        {
            let start = timeframe.start(at("2024-05-13T12:00:00Z"));
            assert_eq!(timeframe.left(start, start), most);
            let last = timeframe.end(start).unwrap_or(start).plus(-1);
            assert_eq!(timeframe.left(start, last), 0, "{timeframe:?}");
        }
    }
}
