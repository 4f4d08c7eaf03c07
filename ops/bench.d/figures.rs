//! What was measured: figures with their units, limits and goals, printed as a table or as JSON.
//!
//! It judges nothing but whether a goal is met.

use fleet::{fault::Fault, output::Output};
use serde::Serialize;

/// One figure of one run.
#[derive(Serialize)]
pub struct Figure {
    run: u32,
    what: String,
    unit: &'static str,
    value: f64,
    limit: Option<f64>,
    of_limit: Option<f64>,
    goal: Option<String>,
    met: Option<bool>,
}

impl Figure {
    /// What the servers do without Fleet.
    pub fn beside(&mut self, limit: f64) -> &mut Self {
        (self.limit, self.of_limit) = (Some(limit), (limit > 0.0).then(|| self.value / limit));
        self
    }

    /// It should be at least so much.
    pub fn at_least(&mut self, goal: f64) -> &mut Self {
        (self.goal, self.met) = (Some(format!(">= {}", plain(goal))), Some(self.value >= goal));
        self
    }

    /// It should be at most so much.
    pub fn at_most(&mut self, goal: f64) -> &mut Self {
        (self.goal, self.met) = (Some(format!("<= {}", plain(goal))), Some(self.value <= goal));
        self
    }

    /// It should be at least such a share of its limit.
    pub fn share_at_least(&mut self, goal: f64) -> &mut Self {
        (self.goal, self.met) = (Some(format!(">= {goal} of it")), self.of_limit.map(|it| it >= goal));
        self
    }
}

/// The figures of all runs.
#[derive(Default)]
pub struct Figures {
    run: u32,
    all: Vec<Figure>,
}

impl Figures {
    /// What follows is of the next run.
    pub fn next_run(&mut self) {
        self.run += 1;
    }

    /// Adds a figure.
    pub fn add(&mut self, what: impl Into<String>, unit: &'static str, value: f64) -> &mut Figure {
        let figure = Figure { run: self.run, what: what.into(), unit, value, limit: None, of_limit: None, goal: None, met: None };
        self.all.push(figure);
        let last = self.all.len() - 1;
        #[expect(clippy::indexing_slicing, reason = "it was pushed the line before")]
        &mut self.all[last]
    }

    /// Prints them.
    ///
    /// # Errors
    /// Standard output that takes no more.
    pub fn print(&self, output: Output) -> Result<(), Fault> {
        output.rows(
            &self.all,
            &[
                ("run", |it| it.run.to_string()),
                ("what", |it| it.what.clone()),
                ("value", |it| plain(it.value)),
                ("unit", |it| it.unit.to_owned()),
                ("limit", |it| it.limit.map_or_else(String::new, plain)),
                ("of limit", |it| it.of_limit.map_or_else(String::new, |it| format!("{it:.2}"))),
                ("goal", |it| it.goal.clone().unwrap_or_default()),
                ("met", |it| it.met.map_or("", |it| if it { "yes" } else { "no" }).to_owned()),
            ],
        )
    }
}

/// Three significant places at least, no exponents.
fn plain(value: f64) -> String {
    match value.abs() {
        it if it >= 1000.0 => grouped(value.round()),
        it if it >= 100.0 || value == value.trunc() => format!("{value:.0}"),
        it if it >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// 1234567 is 1,234,567.
fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        let left = digits.len() - place;
        if place > 0 && left.is_multiple_of(3) && !text.ends_with('-') {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
