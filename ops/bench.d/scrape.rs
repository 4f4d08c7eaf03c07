//! A worker's metrics as it serves them, and quantiles of its histograms.
//!
//! It knows no metric by name.

use std::collections::HashMap;

/// The series of one scrape: their text up to the value, and the value.
#[derive(Default)]
pub struct Scrape {
    series: Vec<(String, f64)>,
}

impl Scrape {
    /// Reads the text format.
    pub fn parse(text: &str) -> Self {
        let lines = text.lines().filter(|it| !it.starts_with('#'));
        let series = lines.filter_map(|it| it.rsplit_once(' ')).filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?)));
        Self { series: series.collect() }
    }

    /// The sum over all series of a metric that carry this label, like `step="rows"`; every series for an empty one.
    pub fn sum(&self, metric: &str, label: &str) -> f64 {
        // From zero: an empty sum of its own is a negative one.
        self.of(metric, label).fold(0.0, |sum, (_, value)| sum + value)
    }

    /// What was added since an earlier scrape.
    pub fn minus(&self, before: &Self) -> Self {
        let before: HashMap<&str, f64> = before.series.iter().map(|(series, value)| (series.as_str(), *value)).collect();
        let added = |(series, value): &(String, f64)| (series.clone(), value - before.get(series.as_str()).copied().unwrap_or_default());
        Self { series: self.series.iter().map(added).collect() }
    }

    /// A histogram's quantile in seconds, as Prometheus interpolates it; 0 where nothing was observed.
    pub fn quantile(&self, histogram: &str, label: &str, share: f64) -> f64 {
        let mut buckets: Vec<(f64, f64)> = self
            .of(&format!("{histogram}_bucket"), label)
            .map(|(series, count)| (label_of(series, "le").parse().unwrap_or(f64::INFINITY), count))
            .collect();
        buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        let wanted = share * buckets.last().map_or(0.0, |it| it.1);
        let (mut below, mut seen) = (0.0, 0.0);
        for (bound, count) in buckets {
            if count >= wanted && count > seen {
                return if bound.is_finite() { below + (bound - below) * (wanted - seen) / (count - seen) } else { below };
            }
            (below, seen) = (bound, count);
        }
        0.0
    }

    fn of<'s>(&'s self, metric: &str, label: &str) -> impl Iterator<Item = (&'s str, f64)> {
        let (metric, label) = (metric.to_owned(), label.to_owned());
        self.series
            .iter()
            .filter(move |(series, _)| {
                let Some(rest) = series.strip_prefix(metric.as_str()) else { return false };
                (rest.is_empty() || rest.starts_with('{')) && rest.contains(label.as_str())
            })
            .map(|(series, value)| (series.as_str(), *value))
    }
}

fn label_of<'s>(series: &'s str, label: &str) -> &'s str {
    let labels = series.split_once('{').map_or("", |(_, labels)| labels);
    let value = labels.split(',').find_map(|it| it.strip_prefix(label)?.strip_prefix("=\""));
    value.and_then(|it| it.split_once('"')).map_or("", |(value, _)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_between_the_bounds_of_their_bucket() {
        let text = "# HELP x\nx_bucket{role=\"r\",le=\"0.1\",step=\"a\"} 50\nx_bucket{le=\"0.2\",step=\"a\"} 100\nx_bucket{le=\"+Inf\",step=\"a\"} 100\n\
                    x_count{step=\"a\"} 100\n";
        let scrape = Scrape::parse(text);
        assert!((scrape.quantile("x", "step=\"a\"", 0.75) - 0.15).abs() < 1e-9);
        assert!((scrape.quantile("x", "step=\"a\"", 0.5) - 0.1).abs() < 1e-9);
        assert_eq!(scrape.quantile("x", "step=\"b\"", 0.5), 0.0);
        assert_eq!(scrape.minus(&scrape).sum("x_count", ""), 0.0);
    }
}
