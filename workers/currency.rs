//! Currencies: the codes of ISO 4217, and how many decimal places the minor unit of each stands for.
//!
//! It converts nothing, and knows no rate. Codes without a minor unit (metals, units of account) have 0 places.

/// A line a code: the code, its decimal places. A code that ISO 4217 gives up stays, for payments of its time.
const CODES: &str = include_str!("currencies.txt");

/// Decimal places of a currency, `None` where the list has no such code: `EUR` has 2.
pub fn places(code: &str) -> Option<usize> {
    let places = |line: &str| line.strip_prefix(code)?.strip_prefix(' ')?.parse().ok();
    if code.len() == 3 { CODES.lines().find_map(places) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_three_capitals_and_its_places_in_order() {
        let lines: Vec<&str> = CODES.lines().collect();
        assert!(lines.is_sorted() && lines.len() > 150);
        for line in lines {
            let (code, digits) = line.split_once(' ').unwrap();
            assert!(code.len() == 3 && code.bytes().all(|it| it.is_ascii_uppercase()), "{line}");
            assert_eq!(places(code).map(|it| it.to_string()).as_deref(), Some(digits));
        }
    }

    #[test]
    fn other_texts_are_no_codes() {
        for text in ["", "eur", "EU", "EURO", "EUR ", "ZZZ", "E\nR", "2\nB"] {
            assert_eq!(places(text), None, "{text:?}");
        }
    }
}
