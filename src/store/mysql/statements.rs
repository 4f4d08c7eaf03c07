//! The statements of a table, generated in this one place from its declaration, in a few fixed shapes.
//!
//! Fixed shapes are what MySQL's prepared statements are fast with: a text for each of a few row counts, no other.

use std::{collections::BTreeMap, iter::repeat_n};

use workers::fold::{Column, Gathered, Kind, Role, Sort, Table};

/// Rows of one statement, greatest first; a count of rows is cut into these. The small ones are close: a small batch is a statement or
/// two a table, and still a connection prepares few texts. Those past [`MAX_ROWS`] are for who asks for them.
const SIZES: [usize; 18] = [1000, 500, 250, 180, 120, 90, 64, 48, 32, 24, 16, 12, 8, 6, 4, 3, 2, 1];
/// Rows said once more that cost less than another statement.
const REPEATED: usize = 20;
/// Keys of one look-up: past a few hundred MySQL's range optimiser gives up on lists.
const MOST_KEYS: usize = 300;
/// Placeholders that one prepared statement may have.
const MOST_PLACEHOLDERS: usize = 65_535;

/// The statement texts of one shape, by number of rows.
#[derive(Debug, Default)]
pub struct Shape(BTreeMap<usize, String>);

impl Shape {
    /// The texts of a statement of so many placeholders a row, of so many rows at most.
    pub fn new(columns: usize, most: usize, text: impl Fn(usize) -> String) -> Self {
        let fits = |size: &&usize| **size <= most && **size * columns <= MOST_PLACEHOLDERS;
        Self(SIZES.iter().filter(fits).map(|size| (*size, text(*size))).collect())
    }

    /// The largest statement that takes at most this many rows: how many it takes, and its text.
    pub fn at_most(&self, rows: usize) -> Option<(usize, &str)> {
        self.0.range(..=rows).next_back().map(|(size, text)| (*size, text.as_str()))
    }

    /// The statement to send next of so many rows where a row may be said twice: one that takes all of them and few more, else the
    /// largest that is filled.
    pub fn filled(&self, rows: usize) -> Option<(usize, &str)> {
        let fits = |size: usize| rows > 0 && (rows..=rows + REPEATED).contains(&size);
        self.at_least(rows).filter(|(size, _)| fits(*size)).or_else(|| self.at_most(rows))
    }

    /// The smallest statement that takes at least this many rows, else the largest: how many it takes, and its text.
    pub fn at_least(&self, rows: usize) -> Option<(usize, &str)> {
        let enough = self.0.range(rows..).next().or_else(|| self.0.last_key_value());
        enough.map(|(size, text)| (*size, text.as_str()))
    }

    /// The statement to send next of these where the last may be said again: its text, what to bind, and what is left for another.
    pub fn repeating<'a, T>(&'a self, rows: &'a [T]) -> Option<(&'a str, impl Iterator<Item = &'a T> + Clone, &'a [T])> {
        let (size, text) = self.at_least(rows.len())?;
        let (now, later) = rows.split_at(size.min(rows.len()));
        Some((text, now.iter().chain(repeat_n(now.last()?, size - now.len())), later))
    }
}

/// The statements of one table.
#[derive(Debug)]
pub struct Statements {
    /// Writes rows: upserts, plain inserts, steps or insert-if-absent, by the table's sort.
    pub write: Shape,
    /// Deletes by key.
    pub delete: Shape,
    /// Reads by key: [`Statements::read_columns`] in order.
    pub read: Shape,
    /// The columns that `read` gives: all, or of a history its key and last column.
    pub read_columns: Vec<Column>,
}

impl Statements {
    /// The statements of a table.
    pub fn of(table: &'static Table) -> Self {
        Self::up_to(table, MAX_ROWS)
    }

    /// The same, with so many rows a write at most.
    pub fn up_to(table: &'static Table, most: usize) -> Self {
        let read_columns = match (table.sort, table.columns.last()) {
            (Sort::History, Some(last)) => table.key_columns().iter().chain([last]).copied().collect(),
            _ => table.columns.to_vec(),
        };
        let keys = table.key;
        Self {
            write: Shape::new(table.columns.len(), most, |rows| write(table, rows)),
            delete: Shape::new(keys, MOST_KEYS, |rows| format!("DELETE FROM {} WHERE {}", quote(table.name), keys_one_by_one(table, rows))),
            read: Shape::new(keys, MOST_KEYS, |rows| {
                format!("SELECT {} FROM {} WHERE {}", names(&read_columns), quote(table.name), key_in(table, rows))
            }),
            read_columns,
        }
    }

    /// The statements of all tables of a role, in its order.
    pub fn of_role(role: &Role) -> Vec<Self> {
        role.tables.iter().map(|it| Self::of(it)).collect()
    }
}

/// All rows of a table, their columns in its order.
pub fn whole(table: &Table) -> String {
    format!("SELECT {} FROM {}", names(table.columns), quote(table.name))
}

/// Rows of one statement at most: more write no faster, and every place of a prepared statement costs the server memory.
pub const MAX_ROWS: usize = 250;

/// The statements that read a whole table in the order of its key, a page at a time.
#[derive(Debug)]
pub struct Pages {
    /// The first page.
    pub first: String,
    /// The page after a key. Its columns are bound as often as it has any: the first alone, then the first two, and so on.
    pub next: String,
}

impl Pages {
    /// Those of a table, all columns, so many rows a page.
    pub fn of(table: &Table, rows: usize) -> Self {
        let select = format!("SELECT {} FROM {}", names(table.columns), quote(table.name));
        let order = format!("ORDER BY {} LIMIT {rows}", names(table.key_columns()));
        Self { first: format!("{select} {order}"), next: format!("{select} WHERE {} {order}", after(table.key_columns())) }
    }
}

/// Whether a key lies after another, in a form that MySQL reads as ranges of an index: `(a > ?) OR (a = ? AND b > ?)`.
fn after(key: &[Column]) -> String {
    let mut equal = String::new();
    let mut alternatives = Vec::with_capacity(key.len());
    for column in key {
        let name = quote(column.name);
        alternatives.push(format!("({equal}{name} > ?)"));
        equal.push_str(&format!("{name} = ? AND "));
    }
    alternatives.join(" OR ")
}

/// An owner's first rows, of the columns that its list shows; the owner is bound.
pub fn newest(table: &Table, gathered: &Gathered) -> String {
    let Gathered { owner, order, most, .. } = gathered;
    let shown = names(&gathered.shown(table));
    let order: Vec<String> = order.iter().map(|it| format!("{} DESC", quote(it))).collect();
    format!("SELECT {shown} FROM {} WHERE {} = ? ORDER BY {} LIMIT {most}", quote(table.name), quote(owner), order.join(", "))
}

/// Owners in order, each once, so many at most: the first, or those after one that is bound.
pub fn owners(table: &Table, gathered: &Gathered, (is_next, most): (bool, usize)) -> String {
    let owner = quote(gathered.owner);
    let after = if is_next { format!("WHERE {owner} > ? ") } else { String::new() };
    format!("SELECT DISTINCT {owner} FROM {} {after}ORDER BY {owner} LIMIT {most}", quote(table.name))
}

/// The INSERT of a table's sort, for so many rows.
fn write(table: &Table, rows: usize) -> String {
    let insert = format!("INSERT INTO {} ({}) VALUES {}", quote(table.name), names(table.columns), tuples(table.columns.len(), rows));
    let first = table.columns.first().map_or_else(String::new, |it| quote(it.name));
    let rest = table.other_columns().iter().map(|it| quote(it.name));
    let update: Vec<String> = match table.sort {
        Sort::History => return insert,
        Sort::State | Sort::Catalogue if table.other_columns().is_empty() => vec![format!("{first} = {first}")],
        Sort::State | Sort::Catalogue => rest.map(|it| format!("{it} = VALUES({it})")).collect(),
        Sort::Counter => rest.map(|it| format!("{it} = {it} + VALUES({it})")).collect(),
        Sort::Queue => vec![format!("{first} = {first}")],
    };
    format!("{insert} ON DUPLICATE KEY UPDATE {}", update.join(", "))
}

fn key_in(table: &Table, rows: usize) -> String {
    let columns: Vec<&str> = table.key_columns().iter().map(|it| key_parameter(it.kind)).collect();
    let tuple = format!("({})", columns.join(","));
    format!("({}) IN ({})", names(table.key_columns()), vec![tuple; rows].join(","))
}

/// The keys of so many rows as alternatives. MySQL 9.7 cannot prepare a DELETE that compares tuples with a DATE or DATETIME in them:
/// it reads the parameters before there are any (error 1292).
fn keys_one_by_one(table: &Table, rows: usize) -> String {
    let columns: Vec<String> = table.key_columns().iter().map(|it| format!("{} = ?", quote(it.name))).collect();
    let key = format!("({})", columns.join(" AND "));
    vec![key; rows].join(" OR ")
}

/// A key column's parameter. Without the cast MySQL 9.7 finds no row at all the first time that a prepared statement is
/// executed which compares tuples with a DATE or DATETIME in them.
fn key_parameter(kind: Kind) -> &'static str {
    match kind {
        Kind::Time => "CAST(? AS DATETIME(3))",
        Kind::Day => "CAST(? AS DATE)",
        _ => "?",
    }
}

/// `(?,?),(?,?)`.
fn tuples(columns: usize, rows: usize) -> String {
    let tuple = format!("({})", vec!["?"; columns].join(","));
    vec![tuple; rows].join(",")
}

fn names(columns: &[Column]) -> String {
    let quoted: Vec<String> = columns.iter().map(|it| quote(it.name)).collect();
    quoted.join(", ")
}

/// An identifier in backquotes.
pub fn quote(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn column(name: &'static str) -> Column {
        Column { name, kind: Kind::Long, nullable: false }
    }
    static COLUMNS: [Column; 3] = [column("a"), column("b"), column("n")];

    fn table(sort: Sort) -> &'static Table {
        Box::leak(Box::new(Table { name: "t", sort, key: 2, columns: &COLUMNS }))
    }

    #[test]
    fn every_sort_has_its_write() {
        let text = |sort| Statements::of(table(sort)).write.at_most(1).unwrap().1.to_owned();
        let insert = "INSERT INTO `t` (`a`, `b`, `n`) VALUES (?,?,?)";
        assert_eq!(text(Sort::History), insert);
        assert_eq!(text(Sort::State), format!("{insert} ON DUPLICATE KEY UPDATE `n` = VALUES(`n`)"));
        assert_eq!(text(Sort::Counter), format!("{insert} ON DUPLICATE KEY UPDATE `n` = `n` + VALUES(`n`)"));
        assert_eq!(text(Sort::Queue), format!("{insert} ON DUPLICATE KEY UPDATE `a` = `a`"));
    }

    #[test]
    fn any_count_of_rows_is_cut_into_the_few_sizes() {
        let statements = Statements::of(table(Sort::State));
        let mut left = 437;
        let mut cuts = Vec::new();
        while let Some((size, _)) = statements.write.at_most(left) {
            cuts.push(size);
            left -= size;
            if left == 0 {
                break;
            }
        }
        assert_eq!(cuts, [250, 180, 6, 1]);
        let looked_up = [1, 9, 250, 251, 5_000].map(|it| statements.read.at_least(it).unwrap().0);
        assert_eq!(looked_up, [1, 12, 250, 250, 250]);
        let filled = [1, 13, 100, 99, 250, 1_001].map(|it| statements.write.filled(it).unwrap().0);
        assert_eq!(filled, [1, 16, 120, 90, 250, 250], "few places too many, or none");
        assert!(statements.write.filled(0).is_none());
    }

    #[test]
    fn a_page_begins_after_the_key_before() {
        let pages = Pages::of(table(Sort::State), 9);
        assert_eq!(pages.first, "SELECT `a`, `b`, `n` FROM `t` ORDER BY `a`, `b` LIMIT 9");
        assert_eq!(pages.next, "SELECT `a`, `b`, `n` FROM `t` WHERE (`a` > ?) OR (`a` = ? AND `b` > ?) ORDER BY `a`, `b` LIMIT 9");
    }

    #[test]
    fn a_list_is_its_owners_first_rows() {
        let gathered = Gathered { key: "", owner: "b", order: &["n", "a"], most: 3, columns: &["n", "b"], ttl_s: 1 };
        let newest = newest(table(Sort::State), &gathered);
        assert_eq!(newest, "SELECT `n`, `b` FROM `t` WHERE `b` = ? ORDER BY `n` DESC, `a` DESC LIMIT 3");
        assert_eq!(owners(table(Sort::State), &gathered, (false, 9)), "SELECT DISTINCT `b` FROM `t` ORDER BY `b` LIMIT 9");
        assert_eq!(owners(table(Sort::State), &gathered, (true, 9)), "SELECT DISTINCT `b` FROM `t` WHERE `b` > ? ORDER BY `b` LIMIT 9");
    }

    #[test]
    fn times_in_keys_are_cast_in_look_ups_and_stand_alone_in_deletes() {
        let columns = Box::leak(Box::new([column("a"), Column { name: "at", kind: Kind::Time, nullable: false }]));
        let table = Box::leak(Box::new(Table { name: "t", sort: Sort::State, key: 2, columns }));
        let statements = Statements::of(table);
        let (read, delete) = (statements.read.at_most(1).unwrap().1, statements.delete.at_most(2).unwrap().1);
        assert_eq!(read, "SELECT `a`, `at` FROM `t` WHERE (`a`, `at`) IN ((?,CAST(? AS DATETIME(3))))");
        assert_eq!(delete, "DELETE FROM `t` WHERE (`a` = ? AND `at` = ?) OR (`a` = ? AND `at` = ?)");
    }

    #[test]
    fn a_history_reads_only_its_key_and_its_body() {
        let statements = Statements::of(table(Sort::History));
        assert_eq!(statements.read.at_most(1).unwrap().1, "SELECT `a`, `b`, `n` FROM `t` WHERE (`a`, `b`) IN ((?,?))");
    }
}
