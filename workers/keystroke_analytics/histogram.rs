//! Histograms of milliseconds, a bucket each up to 2 s and one for all from there on; how they stand as text, and their percentiles.
//!
//! They lose no order of arrival and keep none: the same values give the same text.

/// The bucket of 2,000 ms and more.
pub const LONGEST: i64 = 2_000;

/// Digits of the text: five bits each, those from `g` on say that another digit follows.
const DIGITS: &[u8; 64] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_";
const BITS: u32 = 5;
const MORE: u64 = 1 << BITS;

/// How many values lie in each bucket, in the order of the buckets, without empty ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram(Vec<(i64, i64)>);

impl Histogram {
    /// Adds a value.
    pub fn add(&mut self, value: i64) {
        let bucket = value.clamp(0, LONGEST);
        match self.0.binary_search_by_key(&bucket, |it| it.0) {
            Ok(place) => self.0.get_mut(place).into_iter().for_each(|it| it.1 = it.1.saturating_add(1)),
            Err(place) => self.0.insert(place, (bucket, 1)),
        }
    }

    /// Twice the percentile, so that it is a whole number; `None` of nothing.
    ///
    /// Of n values in order and h = n * percent / 100: the mean of values h and h + 1 if h is whole, else the value ceil(h). So the
    /// median is the middle one, or the mean of the middle two; other percentiles are cut alike (Hyndman and Fan's definition 2).
    pub fn percentile(&self, percent: i64) -> Option<i64> {
        let n: i64 = self.0.iter().map(|it| it.1).sum();
        let (rank, rest) = ((n * percent).div_euclid(100), (n * percent).rem_euclid(100));
        let next = self.at(rank + 1)?;
        Some(next + if rest == 0 { self.at(rank)? } else { next })
    }

    /// The value of a rank, from 1.
    fn at(&self, rank: i64) -> Option<i64> {
        let mut below = 0;
        self.0
            .iter()
            .find(|it| {
                below += it.1;
                rank <= below
            })
            .map(|it| it.0)
    }

    /// As text: for each bucket, two times the empty buckets before it, + 1 if it holds more than one value; then how many more than
    /// two. Numbers in base 32, lowest digit first.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        let mut next = 0;
        for (bucket, count) in &self.0 {
            let several = *count > 1;
            push(&mut text, ((bucket - next).cast_unsigned() << 1) | u64::from(several));
            if several {
                push(&mut text, (count - 2).cast_unsigned());
            }
            next = bucket + 1;
        }
        text
    }

    /// The histogram of a text, `None` of one that is none.
    pub fn from_text(text: &str) -> Option<Self> {
        let mut digits = text.bytes();
        let mut buckets = Vec::new();
        let mut next = 0;
        while let Some(first) = digits.next() {
            let gap = number(first, &mut digits)?;
            let count = if gap & 1 == 0 { 1 } else { number(digits.next()?, &mut digits)?.checked_add(2)? };
            let bucket = i64::try_from(gap >> 1).ok()?.checked_add(next).filter(|it| *it <= LONGEST)?;
            buckets.push((bucket, i64::try_from(count).ok()?));
            next = bucket + 1;
        }
        Some(Self(buckets))
    }
}

fn push(text: &mut String, mut number: u64) {
    loop {
        let more = if number >= MORE { MORE } else { 0 };
        let digit = usize::try_from(number & (MORE - 1) | more).ok().and_then(|it| DIGITS.get(it));
        text.extend(digit.map(|it| char::from(*it)));
        number >>= BITS;
        if more == 0 {
            return;
        }
    }
}

/// The number that begins with this digit.
fn number(first: u8, digits: &mut impl Iterator<Item = u8>) -> Option<u64> {
    let (mut number, mut shift, mut digit) = (0, 0, value(first)?);
    while digit & MORE != 0 {
        number |= (digit & (MORE - 1)).checked_shl(shift)?;
        shift += BITS;
        digit = value(digits.next()?)?;
    }
    Some(number | digit.checked_shl(shift)?)
}

fn value(digit: u8) -> Option<u64> {
    Some(match digit {
        b'0'..=b'9' => u64::from(digit - b'0'),
        b'a'..=b'z' => u64::from(digit - b'a') + 10,
        b'A'..=b'Z' => u64::from(digit - b'A') + 36,
        b'-' => 62,
        b'_' => 63,
        _ => return None,
    })
}
