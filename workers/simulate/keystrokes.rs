//! Tests as events of `keystroke-analytics`: a sentence typed key by key, with the slips of hands.
//!
//! The times of keys are drawn in whole milliseconds: no logarithm, which machines might round differently, has a part in them.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use serde_avro_fast::ser::SerializerConfig;
use uuid::fmt::Hyphenated;

use super::{crowd::pick, typing::Test};
use crate::fold::Time;

/// What the help text says.
pub(super) const ABOUT: &str = "\
prompts   8..15 English words, some with a capital: 50 keys on average
layouts   each user keeps to one: 80 % qwerty, 8 % qwertz, 6 % azerty, 4 % dvorak, 2 % colemak; 1 session in 50 is on another
gaps      as the user's speed gives, half to twice of it; by the key up to 40 % more; 1 in 60 a pause of 1.5..6 s
holds     50..160 ms whatever the gap, so that quick typists roll over; 1 release in 500 is not seen
typos     the user's share of keys: 4 of 5 are corrected with a backspace
disorder  1 session in 20 has keys in the order of their releases, 1 in 50 a key twice";

#[derive(Serialize)]
struct KeystrokeSession<'t> {
    event_id: &'t str,
    occurred_at: Time,
    user_id: i64,
    session_id: String,
    language: &'t str,
    layout: &'t str,
    prompt: &'t str,
    typed: &'t str,
    keys: &'t [KeyPress],
}

#[derive(Clone, Serialize)]
struct KeyPress {
    key: String,
    code: i32,
    down_ms: i32,
    up_ms: Option<i32>,
    expected: Option<String>,
    correct: bool,
}

const WORDS: [&str; 48] = [
    "the", "of", "and", "to", "in", "that", "is", "was", "he", "for", "it", "with", "as", "his", "on", "be", "at", "by", "had", "not",
    "are", "but", "from", "or", "have", "they", "which", "one", "you", "were", "all", "her", "she", "there", "would", "their", "we", "him",
    "been", "has", "when", "who", "will", "no", "more", "if", "quick", "jazz",
];
const LAYOUTS: [(u32, &str); 5] = [(80, "qwerty"), (8, "qwertz"), (6, "azerty"), (4, "dvorak"), (2, "colemak")];

/// The datum of a test.
pub(super) fn tell(test: &Test, config: &mut SerializerConfig<'static>) -> Option<Vec<u8>> {
    let mut chance = ChaCha8Rng::seed_from_u64(test.event_id.as_u64_pair().1);
    let prompt = prompt(&mut chance);
    let mut hands = Hands::of(test, chance);
    prompt.chars().for_each(|it| hands.write(it));
    let Hands { mut keys, typed, mut chance, .. } = hands;
    disorder(&mut keys, &mut chance);
    let mut text = [0; Hyphenated::LENGTH];
    let event = KeystrokeSession {
        event_id: test.event_id.hyphenated().encode_lower(&mut text),
        occurred_at: test.occurred_at,
        user_id: test.typist.user_id,
        session_id: format!("session-{}", test.dice),
        language: "english",
        layout: layout(test, &mut chance),
        prompt: &prompt,
        typed: &typed,
        keys: &keys,
    };
    serde_avro_fast::to_datum_vec(&event, config).ok()
}

fn prompt(chance: &mut ChaCha8Rng) -> String {
    let words: Vec<String> = (0..chance.random_range(8..16)).map(|_| word(chance)).collect();
    words.join(" ")
}

/// A word, 1 in 8 with a capital.
fn word(chance: &mut ChaCha8Rng) -> String {
    let word = WORDS.get(chance.random_range(0..WORDS.len())).copied().unwrap_or_default();
    let mut letters = word.chars();
    match letters.next() {
        Some(first) if chance.random_ratio(1, 8) => format!("{}{}", first.to_ascii_uppercase(), letters.as_str()),
        _ => word.into(),
    }
}

fn layout(test: &Test, chance: &mut ChaCha8Rng) -> &'static str {
    // The user's own chance, the same in each session.
    let mut habit = ChaCha8Rng::seed_from_u64(test.typist.user_id.cast_unsigned());
    if chance.random_ratio(1, 50) { pick(&LAYOUTS, chance) } else { pick(&LAYOUTS, &mut habit) }
}

fn disorder(keys: &mut Vec<KeyPress>, chance: &mut ChaCha8Rng) {
    if chance.random_ratio(1, 20) {
        keys.sort_by_key(|it| it.up_ms);
    }
    if chance.random_ratio(1, 50) {
        let again = keys.get(chance.random_range(0..keys.len().max(1))).cloned();
        keys.extend(again);
    }
}

/// Hands on a keyboard, some way into a session.
struct Hands {
    chance: ChaCha8Rng,
    /// Milliseconds from key to key, as usual.
    pace_ms: i32,
    /// Wrong keys in a thousand.
    errors: u32,
    now_ms: i32,
    keys: Vec<KeyPress>,
    typed: String,
}

impl Hands {
    fn of(test: &Test, chance: ChaCha8Rng) -> Self {
        // 5 keys a word, 60,000 ms a minute.
        let pace_ms = (12_000.0 / test.typist.skill) as i32;
        Self { chance, pace_ms, errors: test.typist.errors, now_ms: 0, keys: Vec::new(), typed: String::new() }
    }

    /// Writes a character, perhaps after a slip.
    fn write(&mut self, wanted: char) {
        if self.chance.random_ratio(self.errors.min(1_000), 1_000) {
            let slip = char::from(self.chance.random_range(b'a'..=b'z'));
            self.press(slip.into(), letter_code(slip), Some(wanted));
            if self.chance.random_ratio(1, 5) {
                self.typed.push(slip);
                return;
            }
            self.press("BKSP".into(), 8, None);
        }
        if wanted.is_ascii_uppercase() {
            self.press("SHIFT".into(), 16, None);
        }
        self.press(wanted.into(), letter_code(wanted), Some(wanted));
        self.typed.push(wanted);
    }

    fn press(&mut self, key: String, code: i32, expected: Option<char>) {
        if !self.keys.is_empty() {
            self.now_ms += self.gap_ms(code);
        }
        let hold_ms = self.chance.random_range(25..=80) + self.chance.random_range(25..=80);
        let up_ms = (!self.chance.random_ratio(1, 500)).then_some(self.now_ms + hold_ms);
        let expected = expected.map(String::from);
        let correct = expected.as_ref().is_none_or(|it| *it == key);
        self.keys.push(KeyPress { key, code, down_ms: self.now_ms, up_ms, expected, correct });
    }

    fn gap_ms(&mut self, code: i32) -> i32 {
        if self.chance.random_ratio(1, 60) {
            return self.chance.random_range(1_501..=6_000);
        }
        let (one, other) = (self.chance.random_range(70..=140), self.chance.random_range(70..=140));
        let reach = 100 + code * 7 % 5 * 10;
        (self.pace_ms * one / 100 * other / 100 * reach / 100).max(1)
    }
}

/// The legacy keyCode of a letter or the space.
fn letter_code(letter: char) -> i32 {
    i32::try_from(u32::from(letter.to_ascii_uppercase())).unwrap_or(0)
}
