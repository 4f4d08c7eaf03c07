//! What a command prints: a table on a terminal, aligned text in a pipe, JSON where it is asked for; progress bars for people.
//!
//! It logs nothing, and decides nothing about what is printed.

use std::{
    io::{self, IsTerminal, Write},
    time::Duration,
};

use comfy_table::{ContentArrangement, Table, presets};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::fault::Fault;

/// How results look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Tables with lines, fitted to the terminal.
    Terminal,
    /// Aligned columns, never wrapped.
    Plain,
    /// One JSON document.
    Json,
}

/// A column: its heading, and its cell of a row.
pub type Column<T> = (&'static str, fn(&T) -> String);

/// Where results go: standard output, in one form. Remarks and bars go to standard error.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    form: Form,
}

impl Output {
    /// Output in this form; without one, a terminal decides.
    pub fn new(form: Option<Form>) -> Self {
        let found = if io::stdout().is_terminal() { Form::Terminal } else { Form::Plain };
        Self { form: form.unwrap_or(found) }
    }

    /// How results look.
    pub fn form(&self) -> Form {
        self.form
    }

    /// Prints rows: as a table of these columns, or as a JSON array of the rows themselves.
    ///
    /// # Errors
    /// Standard output that takes no more.
    pub fn rows<T: Serialize>(&self, rows: &[T], columns: &[Column<T>]) -> Result<(), Fault> {
        match self.form {
            Form::Json => print(&json(&rows)?),
            Form::Terminal => print(&table(rows, columns, self.form)),
            Form::Plain => {
                let text = table(rows, columns, self.form);
                let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
                print(&lines.join("\n"))
            }
        }
    }

    /// Prints one thing: as this text, or as JSON.
    ///
    /// # Errors
    /// Standard output that takes no more.
    pub fn one<T: Serialize>(&self, thing: &T, text: impl FnOnce(&T) -> String) -> Result<(), Fault> {
        match self.form {
            Form::Json => print(&json(thing)?),
            Form::Terminal | Form::Plain => print(&text(thing)),
        }
    }

    /// A line to people, on standard error.
    pub fn remark(&self, line: &str) {
        // Nobody is left to tell when standard error is gone.
        let _ = writeln!(io::stderr(), "{line}");
    }

    /// A bar of so many steps, on standard error; invisible unless that is a terminal.
    pub fn bar(&self, what: &'static str, steps: u64) -> ProgressBar {
        let bar = ProgressBar::new(steps).with_message(what);
        styled(bar, "{msg} {wide_bar} {human_pos}/{human_len} {per_sec} {eta}")
    }

    /// A bar for work of unknown length, on standard error; invisible unless that is a terminal.
    pub fn spinner(&self, what: &'static str) -> ProgressBar {
        let bar = styled(ProgressBar::new_spinner().with_message(what), "{spinner} {msg} {human_pos} {per_sec} {elapsed}");
        bar.enable_steady_tick(Duration::from_millis(200));
        bar
    }
}

fn styled(bar: ProgressBar, template: &str) -> ProgressBar {
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

fn table<T>(rows: &[T], columns: &[Column<T>], form: Form) -> String {
    let mut table = Table::new();
    if form == Form::Terminal {
        table.load_preset(presets::UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Dynamic);
    } else {
        table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    }
    table.set_header(columns.iter().map(|(heading, _)| *heading));
    for row in rows {
        table.add_row(columns.iter().map(|(_, cell)| cell(row)));
    }
    if form == Form::Plain {
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
    }
    table.to_string()
}

fn json<T: Serialize>(thing: &T) -> Result<String, Fault> {
    serde_json::to_string_pretty(thing).map_err(|it| Fault::fatal(format!("cannot print as JSON: {it}")))
}

/// Prints a text and a line's end. A reader that went away (`| head`) is no trouble.
fn print(text: &str) -> Result<(), Fault> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Fault::fatal(format!("standard output: {error}"))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aligns_columns_in_a_pipe() {
        let rows = [("a", 1), ("longer", 22)];
        let text = table(&rows, &[("name", |it| it.0.to_owned()), ("n", |it| it.1.to_string())], Form::Plain);
        let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
        assert_eq!(lines, ["name    n", "a       1", "longer  22"]);
    }
}
