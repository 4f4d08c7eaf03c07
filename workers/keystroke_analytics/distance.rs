//! The edit distance of two texts: how many characters to insert, delete or replace.
//!
//! It says how many, and not which. Characters are Unicode scalars.

use rustc_hash::FxHashMap;

/// Rows of the distance table that one word holds.
const WORD: usize = 64;

/// The Levenshtein distance.
///
/// Bit-parallel: Myers (1999) in the form of Hyyrö (2003). A column of the table is kept as the differences between its rows, 64 of
/// them to a word, so that 2,000 by 2,000 characters take 64,000 steps.
pub fn levenshtein(a: &str, b: &str) -> usize {
    let rows: Vec<char> = a.chars().collect();
    let mut column = Column::new(&rows);
    if rows.is_empty() {
        return b.chars().count();
    }
    b.chars().for_each(|it| column.step(it));
    column.distance
}

/// One word of a column: which rows are one more, and which one less, than the row above.
#[derive(Clone, Copy)]
struct Block {
    more: u64,
    less: u64,
}

/// The column of the table after some characters of the other text.
struct Column {
    blocks: Vec<Block>,
    /// Where each character stands among the rows, a bit a row.
    places: FxHashMap<char, Vec<u64>>,
    /// The bit of the last row, in the last block.
    last: u64,
    /// The value of the last row.
    distance: usize,
}

impl Column {
    fn new(rows: &[char]) -> Self {
        let words = rows.len().div_ceil(WORD);
        let mut places: FxHashMap<char, Vec<u64>> = FxHashMap::default();
        for (row, character) in rows.iter().enumerate() {
            let bits = places.entry(*character).or_insert_with(|| vec![0; words]);
            if let Some(word) = bits.get_mut(row / WORD) {
                *word |= 1 << (row % WORD);
            }
        }
        let last = 1 << (rows.len().saturating_sub(1) % WORD);
        Self { blocks: vec![Block { more: !0, less: 0 }; words], places, last, distance: rows.len() }
    }

    /// Goes on to the column of one more character.
    fn step(&mut self, character: char) {
        let equal = self.places.get(&character);
        // Above the first row each column is one more than the one before.
        let (mut more_above, mut less_above) = (1, 0);
        let count = self.blocks.len();
        for (word, block) in self.blocks.iter_mut().enumerate() {
            let equal = equal.and_then(|it| it.get(word)).copied().unwrap_or(0);
            let (more, less) = block.step(equal, more_above, less_above);
            if word + 1 == count {
                self.distance += usize::from(more & self.last != 0);
                self.distance -= usize::from(less & self.last != 0);
            }
            (more_above, less_above) = (more >> (WORD - 1), less >> (WORD - 1));
        }
    }
}

impl Block {
    /// Goes on to the next column: which rows became one more, and which one less, than in the column before.
    fn step(&mut self, equal: u64, more_above: u64, less_above: u64) -> (u64, u64) {
        let vertical = equal | self.less;
        let equal = equal | less_above;
        let diagonal = ((equal & self.more).wrapping_add(self.more) ^ self.more) | equal;
        let more = self.less | !(diagonal | self.more);
        let less = self.more & diagonal;
        let (more_down, less_down) = (more << 1 | more_above, less << 1 | less_above);
        self.more = less_down | !(vertical | more_down);
        self.less = more_down & vertical;
        (more, less)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_distances() {
        for (a, b, distance) in
            [("kitten", "sitting", 3), ("", "", 0), ("", "été", 3), ("été", "", 3), ("the", "teh", 2), ("日本", "本", 1)]
        {
            assert_eq!(levenshtein(a, b), distance, "{a} {b}");
        }
    }

    #[test]
    fn the_longest_texts_that_share_nothing() {
        assert_eq!(levenshtein(&"a".repeat(2_000), &"é".repeat(1_999)), 2_000);
        assert_eq!(levenshtein(&"ab".repeat(1_000), &"ba".repeat(1_000)), 2);
    }

    proptest! {
        #[test]
        fn agrees_with_another_implementation(a in "[a-cé🐈]{0,200}", b in "[a-cé🐈]{0,200}") {
            prop_assert_eq!(levenshtein(&a, &b), strsim::levenshtein(&a, &b));
            prop_assert_eq!(levenshtein(&a, &a), 0);
        }
    }
}
