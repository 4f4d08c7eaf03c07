//! Boards: rankings as sorted sets, one a window, and one under the public key for the window that is shown.
//!
//! Public key `K` shows the best of the newest window of that board which has begun by the role's clock (the greatest
//! min(occurred_at, Kafka timestamp) of any applied event). Its companions lie in its hash slot: `{K}:<window>` (that window's best;
//! a window is called by its start in RFC 3339, at midnight by the date alone), `{K}:names` (member to name), `{K}:window` (the
//! window that `K` shows) and `{K}:windows` (the windows that there are, by their end in ms). A window older than the one shown
//! is kept for a while after its end by the role's clock; one that is past that takes no member.
//!
//! It ranks nothing and takes nothing back: scores never fall, so every set can be added to in any order. A key of a board holds
//! no braces, and a table with a board loses no rows; a board that may show too much is dropped and read anew (see `rebuild`).

use std::{
    collections::BTreeMap,
    time::{SystemTime, UNIX_EPOCH},
};

use redis::Cmd;
use workers::fold::{Board, END_OF_TIME, Placing, Time};

use super::scripts;

/// Members that one call of the script takes.
const MEMBERS: usize = 500;

/// Rows on their way to the windows of boards.
pub struct Standings {
    board: &'static Board,
    windows: BTreeMap<(String, Time), Vec<Placing>>,
}

/// What decides where members go: the role's clock, and the time of day.
#[derive(Clone, Copy, Debug)]
pub struct Clocks {
    /// The greatest min(occurred_at, Kafka timestamp) of any applied event.
    pub role: Time,
    /// The time of day.
    pub wall: Time,
}

impl Clocks {
    /// The role's clock, now.
    pub fn of(role: Time) -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { role, wall: Time(i64::try_from(since.as_millis()).unwrap_or(i64::MAX)) }
    }
}

impl Standings {
    /// None yet, of one family.
    pub fn of(board: &'static Board) -> Self {
        Self { board, windows: BTreeMap::new() }
    }

    /// Adds a row's place.
    pub fn add(&mut self, placing: Placing) {
        if placing.score.is_finite() {
            self.windows.entry((placing.board.clone(), placing.window_start)).or_default().push(placing);
        }
    }

    /// The public keys that are touched.
    pub fn boards(&self) -> Vec<&str> {
        let mut boards: Vec<&str> = self.windows.keys().map(|(board, _)| board.as_str()).collect();
        boards.dedup();
        boards
    }

    /// The commands that add all of it, older windows first, each with how many members it adds.
    pub fn commands(&self, clocks: Clocks) -> impl Iterator<Item = (Cmd, usize)> {
        let chunks = self.windows.values().flat_map(|it| it.chunks(MEMBERS));
        chunks.filter_map(move |it| Some((self.command(it, clocks)?, it.len())))
    }

    fn command(&self, members: &[Placing], clocks: Clocks) -> Option<Cmd> {
        let first = members.first()?;
        let window = Window { start: first.window_start, end: first.window_end.unwrap_or(END_OF_TIME) };
        let keys = Keys::of(&first.board);
        let mut command = scripts::BOARD.on(&[&first.board, &keys.names, &keys.shown, &keys.windows, &keys.set(&window.name()?)]);
        command.arg(window.name()?).arg(window.end.0);
        command.arg(u8::from(window.start <= clocks.role)).arg(u8::from(!window.lingers(self.board, clocks.role)));
        command.arg(window.kept_ms(self.board, clocks.wall)).arg(self.board.ttl_s.max(1)).arg(self.board.top).arg(self.board.window_top);
        for member in members {
            // The shortest text that reads back as the same double.
            command.arg(member.score.to_string()).arg(&member.member).arg(&member.label);
        }
        Some(command)
    }
}

/// The keys that belong to a board.
pub struct Keys<'a> {
    board: &'a str,
    /// Member to name.
    pub names: String,
    /// The window that the public key shows.
    pub shown: String,
    /// The windows that there are, by their end.
    pub windows: String,
}

impl<'a> Keys<'a> {
    /// Those of a public key.
    pub fn of(board: &'a str) -> Self {
        let companion = |name: &str| format!("{{{board}}}:{name}");
        Self { board, names: companion("names"), shown: companion("window"), windows: companion("windows") }
    }

    /// The set of a window.
    pub fn set(&self, window: &str) -> String {
        format!("{{{}}}:{window}", self.board)
    }
}

/// A window as its board's companions have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Its first instant.
    pub start: Time,
    /// The instant after its last.
    pub end: Time,
}

const MIDNIGHT: &str = "T00:00:00Z";

impl Window {
    /// What it is called: its start in RFC 3339, at midnight the date alone.
    pub fn name(self) -> Option<String> {
        let start = self.start.to_rfc3339()?;
        Some(start.strip_suffix(MIDNIGHT).map_or(start.clone(), ToOwned::to_owned))
    }

    /// The window of a name and an end.
    pub fn named(name: &str, end: i64) -> Option<Self> {
        let start = if name.contains('T') { Time::from_rfc3339(name) } else { Time::from_rfc3339(&format!("{name}{MIDNIGHT}")) };
        Some(Self { start: start?, end: Time(end) })
    }

    /// Whether its set is still kept, for being shown or not long over.
    pub fn lingers(self, board: &Board, clock: Time) -> bool {
        self.end.plus(board.linger_ms) > clock
    }

    /// Milliseconds that Redis is to keep its set if nobody asks again, 0 for ever.
    pub fn kept_ms(self, board: &Board, wall: Time) -> i64 {
        if self.end >= END_OF_TIME {
            return 0;
        }
        let least = i64::from(board.ttl_s.max(1)) * 1000;
        (self.end.plus(board.linger_ms).0.saturating_sub(wall.0)).max(least)
    }
}

/// A board's windows as found: the one to show, others to keep, and those that are over.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Found {
    show: Option<Window>,
    keep: Vec<Window>,
    over: Vec<String>,
}

impl Found {
    /// Sorts a board's windows, given by name and end.
    pub fn of(board: &Board, clock: Time, windows: &[(String, i64)]) -> Self {
        let mut found = Self::default();
        let known: Vec<Window> = windows.iter().filter_map(|(name, end)| Window::named(name, *end)).collect();
        found.show = known.iter().filter(|it| it.start <= clock).max_by_key(|it| it.end).copied();
        for window in known.into_iter().filter(|it| Some(*it) != found.show) {
            if window.lingers(board, clock) {
                found.keep.push(window);
            } else {
                found.over.extend(window.name());
            }
        }
        found
    }

    /// The command that keeps the board as it should be, `None` when nothing of it is left.
    pub fn command(&self, family: &Board, board: &str, clocks: Clocks) -> Option<Cmd> {
        let keys = Keys::of(board);
        let shown = self.show.or_else(|| self.keep.first().copied())?;
        let kept: Vec<Window> = std::iter::once(shown).chain(self.keep.iter().copied().filter(|it| *it != shown)).collect();
        let sets: Vec<String> = kept.iter().filter_map(|it| Some(keys.set(&it.name()?))).collect();
        let mut all = vec![board, &keys.names, &keys.shown, &keys.windows];
        all.extend(sets.iter().map(String::as_str));
        let mut command = scripts::KEEP.on(&all);
        // With none to show an empty name is found nowhere, and nothing is turned.
        command.arg(self.show.and_then(Window::name).unwrap_or_default());
        command.arg(family.ttl_s.max(1)).arg(family.top).arg(self.over.len()).arg(&self.over);
        for window in kept {
            command.arg(window.kept_ms(family, clocks.wall));
        }
        Some(command)
    }
}
