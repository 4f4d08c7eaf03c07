//! Histograms and percentiles, against another implementation.

use proptest::{collection::vec, prelude::*};
use statrs::statistics::{Data, OrderStatistics};

use super::super::histogram::{Histogram, LONGEST};

fn histogram(values: &[i64]) -> Histogram {
    let mut histogram = Histogram::default();
    values.iter().for_each(|it| histogram.add(*it));
    histogram
}

#[test]
fn the_median_is_the_middle_one_or_the_mean_of_the_middle_two() {
    assert_eq!(histogram(&[]).percentile(50), None);
    assert_eq!(histogram(&[7]).percentile(50), Some(14));
    assert_eq!(histogram(&[7, 8]).percentile(50), Some(15));
    assert_eq!(histogram(&[9, 7, 8]).percentile(50), Some(16));
    assert_eq!(histogram(&[1, 1, 1, 100]).percentile(50), Some(2));
}

#[test]
fn p95_is_cut_alike() {
    let first = |n: i64| histogram(&(1..=n).collect::<Vec<_>>()).percentile(95);
    assert_eq!(first(1), Some(2));
    assert_eq!(first(19), Some(2 * 19));
    assert_eq!(first(20), Some(19 + 20));
    assert_eq!(first(21), Some(2 * 20));
    assert_eq!(first(100), Some(95 + 96));
}

#[test]
fn values_of_2_s_and_more_share_the_last_bucket() {
    assert_eq!(histogram(&[2_000, 5_000, i64::MAX]), histogram(&[2_000; 3]));
    assert_eq!(histogram(&[1_999, 1_999, 2_000]).percentile(50), Some(2 * 1_999));
}

#[test]
fn texts_are_the_contracts() {
    let text = |values: &[i64]| histogram(values).to_text();
    assert_eq!(text(&[]), "");
    assert_eq!(text(&[0]), "0");
    assert_eq!(text(&[0, 1]), "00");
    assert_eq!(text(&[15]), "u");
    assert_eq!(text(&[16]), "w1", "two digits");
    assert_eq!(text(&[0, 0]), "10");
    assert_eq!(text(&[5, 5, 5, 8]), "b14");
    assert_eq!(text(&[2_000]), "wZ3", "4,000 is 0 + 29 * 32 + 3 * 1,024");
}

#[test]
fn a_damaged_text_is_no_histogram() {
    for text in ["~", "é", "1", "w", "1w", "wZ30", "__________________", "1________________", "\"\""] {
        assert_eq!(Histogram::from_text(text), None, "{text}");
    }
}

proptest! {
    #[test]
    fn texts_come_back_as_the_same_histogram(values in vec(0..=LONGEST, 0..300), copies in 1..2_000_i64) {
        let mut histogram = histogram(&values);
        (0..copies).for_each(|_| histogram.add(77));
        prop_assert_eq!(Histogram::from_text(&histogram.to_text()), Some(histogram));
    }

    #[test]
    fn any_order_gives_the_same_text(values in vec(0..=LONGEST, 0..100)) {
        let mut turned = values.clone();
        turned.reverse();
        prop_assert_eq!(histogram(&turned).to_text(), histogram(&values).to_text());
    }

    #[test]
    fn percentiles_agree_with_another_implementation(values in vec(0..LONGEST, 1..200)) {
        let found = |percent: i64| histogram(&values).percentile(percent).map(|it| it as f64 / 2.0);
        let mut data = Data::new(values.iter().map(|it| *it as f64).collect::<Vec<_>>());
        prop_assert_eq!(found(50), Some(data.median()));
        let (rank, is_whole) = (values.len() * 95 / 100, values.len() * 95 % 100 == 0);
        let next = data.order_statistic(rank + 1);
        let p95 = if is_whole { f64::midpoint(data.order_statistic(rank), next) } else { next };
        prop_assert_eq!(found(95), Some(p95));
    }
}
