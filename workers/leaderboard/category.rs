//! Categories: one spelling of each, and the operator that it fixes.
//!
//! It knows no list of categories: producers open one by naming it.

use std::sync::Arc;

use super::Operator;

/// A category as it is stored: ASCII lower-cased, every character outside `a-z 0-9 _ . + # -` turned into `_`.
pub(super) fn normal(category: &Arc<str>) -> Arc<str> {
    if category.chars().all(is_plain) {
        return Arc::clone(category);
    }
    let plain = category.chars().map(|it| it.to_ascii_lowercase());
    plain.map(|it| if is_plain(it) { it } else { '_' }).collect::<String>().into()
}

fn is_plain(character: char) -> bool {
    matches!(character, 'a'..='z' | '0'..='9' | '_' | '.' | '+' | '#' | '-')
}

/// The operator of a stored category: total for `xp` and `total-*`, best for all others.
///
/// A category has one operator for good, so that scores which add up never meet scores which do not.
pub(super) fn operator(category: &str) -> Operator {
    if category == "xp" || category.starts_with("total-") { Operator::Total } else { Operator::Best }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spells_a_category_one_way() {
        for (category, stored) in [
            ("time-60-english", "time-60-english"),
            ("Time 60/English", "time_60_english"),
            ("C++ #1.0", "c++_#1.0"),
            ("ÄÖ\u{301}🐈", "____"),
            ("{a:b}", "_a_b_"),
            ("KELVIN \u{212a}", "kelvin__"),
        ] {
            assert_eq!(&*normal(&category.into()), stored);
            assert_eq!(&*normal(&stored.into()), stored, "twice is once");
        }
    }

    #[test]
    fn xp_and_totals_add_up_and_all_others_keep_the_best() {
        for (category, fixed) in [
            ("xp", Operator::Total),
            ("total-", Operator::Total),
            ("total-chars", Operator::Total),
            ("xp2", Operator::Best),
            ("total", Operator::Best),
            ("subtotal-a", Operator::Best),
        ] {
            assert_eq!(operator(category), fixed, "{category}");
        }
    }
}
