//! A set of days, and the runs of days in a row in it.
//!
//! It keeps every day, since a late one may join two runs: 32 a number, by their place. The set's bytes depend on its days alone, and
//! are bounded by the calendar: 12 numbers a year, so about 200 bytes for each year that someone did something in.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::fold::Day;

/// Days of one number.
const BLOCK: i32 = 32;

/// A set of days: bit n of the number at place b is day 32 b + n since 1970.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Days(BTreeMap<i32, u32>);

impl Days {
    /// Adds a day: the length of the run that it stands in from now on.
    pub fn add(&mut self, day: Day) -> i64 {
        *self.0.entry(place(day)).or_default() |= bit(day);
        let before = (1..).take_while(|it| self.holds(day.plus(-it))).count();
        let after = (1..).take_while(|it| self.holds(day.plus(*it))).count();
        i64::try_from(before + 1 + after).unwrap_or(i64::MAX)
    }

    fn holds(&self, day: Day) -> bool {
        self.0.get(&place(day)).is_some_and(|it| it & bit(day) != 0)
    }
}

fn place(day: Day) -> i32 {
    day.0.div_euclid(BLOCK)
}

fn bit(day: Day) -> u32 {
    1 << day.0.rem_euclid(BLOCK)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn longest(days: &[i32]) -> i64 {
        let mut set = Days::default();
        days.iter().map(|it| set.add(Day(*it))).max().unwrap_or_default()
    }

    #[test]
    fn runs_go_across_numbers_and_a_late_day_joins_two() {
        assert_eq!(longest(&[31]), 1);
        assert_eq!(longest(&[30, 31, 33, 34]), 2);
        assert_eq!(longest(&[30, 31, 33, 34, 32]), 5);
        assert_eq!(longest(&[-1, 0, 1, 0]), 3);
        let year: Vec<i32> = (0..366).rev().collect();
        assert_eq!(longest(&year), 366);
    }

    #[test]
    fn a_set_is_a_few_numbers() {
        let mut set = Days::default();
        let runs = (19_840..19_904).step_by(2).map(|it| set.add(Day(it)));
        assert_eq!(runs.max(), Some(1));
        let text = serde_json::to_string(&set).unwrap();
        assert_eq!(text, r#"{"620":1431655765,"621":1431655765}"#);
        assert_eq!(serde_json::from_str::<Days>(&text).unwrap(), set);
    }
}
