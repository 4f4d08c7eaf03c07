//! Values in and out of MySQL, by the kind of their column.

use sqlx::{
    Arguments, Row as _, Type, TypeInfo, ValueRef,
    mysql::{MySqlArguments, MySqlRow},
};
use time::{Date, OffsetDateTime, PrimitiveDateTime};
use uuid::Uuid;
use workers::fold::{Column, Day, Kind, Time, Value, Values};

use super::fault;
use crate::fault::Fault;

/// Adds one column's value to a statement's arguments.
///
/// # Errors
/// Fatal: a value that is not of its column's kind, or an instant outside the calendar.
pub fn bind(arguments: &mut MySqlArguments, column: &Column, value: &Value) -> Result<(), Fault> {
    let done = match (column.kind, value) {
        (_, Value::Null) => arguments.add(None::<&str>),
        (Kind::Long | Kind::Bool, Value::Long(long)) => arguments.add(*long),
        (Kind::Hundredths, Value::Long(long)) => arguments.add(Decimal::of(*long).as_str()),
        (Kind::Time, Value::Long(millis)) => arguments.add(datetime(Time(*millis)).ok_or_else(|| out_of_kind(column))?),
        (Kind::Day, Value::Long(days)) => arguments.add(date(*days).ok_or_else(|| out_of_kind(column))?),
        (Kind::Id, Value::Id(id)) => arguments.add(&*id.hyphenated().encode_lower(&mut Uuid::encode_buffer())),
        (Kind::Text | Kind::Json, Value::Text(text)) => arguments.add(&**text),
        _ => return Err(out_of_kind(column)),
    };
    done.map_err(|error| Fault::fatal(format!("column {}: {error}", column.name)))
}

/// Bytes of a value on the wire, at most: room made at once is not moved again and again.
pub fn room(value: &Value) -> usize {
    match value {
        Value::Null => 0,
        // The longest is a decimal.
        Value::Long(_) => 1 + Decimal::MOST,
        Value::Id(_) => 37,
        Value::Text(text) => 9 + text.len(),
    }
}

fn out_of_kind(column: &Column) -> Fault {
    Fault::fatal(format!("column {} was given a value that is not {:?}", column.name, column.kind))
}

/// Hundredths as decimal text, made in place: 7235 is "72.35".
pub struct Decimal {
    text: [u8; Self::MOST],
    from: usize,
}

impl Decimal {
    /// A sign, twenty digits and a point.
    const MOST: usize = 22;

    /// The text of these hundredths.
    pub fn of(hundredths: i64) -> Self {
        let mut it = Self { text: [0; Self::MOST], from: Self::MOST };
        let mut rest = hundredths.unsigned_abs();
        for place in 0.. {
            it.put(b'0' + u8::try_from(rest % 10).unwrap_or_default());
            rest /= 10;
            match place {
                1 => it.put(b'.'),
                2.. if rest == 0 => break,
                _ => {}
            }
        }
        if hundredths < 0 {
            it.put(b'-');
        }
        it
    }

    /// Puts a character before the rest.
    fn put(&mut self, character: u8) {
        self.from = self.from.saturating_sub(1);
        self.text.get_mut(self.from).into_iter().for_each(|it| *it = character);
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        self.text.get(self.from..).and_then(|it| std::str::from_utf8(it).ok()).unwrap_or_default()
    }
}

/// An instant as MySQL's DATETIME takes it.
pub fn datetime(at: Time) -> Option<PrimitiveDateTime> {
    let (seconds, millis) = (at.0.div_euclid(1000), u16::try_from(at.0.rem_euclid(1000)).ok()?);
    let at = OffsetDateTime::from_unix_timestamp(seconds).ok()?.replace_millisecond(millis).ok()?;
    Some(PrimitiveDateTime::new(at.date(), at.time()))
}

fn date(days: i64) -> Option<Date> {
    i32::try_from(days).ok().and_then(|it| Day(it).date())
}

/// The values of a row whose columns stand in this order.
///
/// # Errors
/// Fatal: a column that is not as declared.
pub fn read_row(columns: &[Column], row: &MySqlRow) -> Result<Values, Fault> {
    columns.iter().enumerate().map(|(place, column)| read(column, row, place)).collect()
}

/// One column's value.
///
/// # Errors
/// Fatal: a column that is not as declared.
pub fn read(column: &Column, row: &MySqlRow, place: usize) -> Result<Value, Fault> {
    let raw = row.try_get_raw(place).map_err(|error| fault(&error))?;
    if raw.is_null() {
        return Ok(Value::Null);
    }
    let value = match column.kind {
        Kind::Long | Kind::Bool => integer(row, place).map(Value::Long),
        Kind::Hundredths => {
            row.try_get_unchecked::<&str, _>(place).map(|it| parse_decimal(it).map(Value::Long)).map_err(Some).and_then(|it| it.ok_or(None))
        }
        Kind::Time => row.try_get::<PrimitiveDateTime, _>(place).map(|it| Value::Long(millis(it))).map_err(Some),
        Kind::Day => row.try_get::<Date, _>(place).map(|it| Value::Long(days(it))).map_err(Some),
        Kind::Id => {
            row.try_get_unchecked::<&str, _>(place).map_err(Some).and_then(|it| Uuid::try_parse(it).map(Value::Id).map_err(|_| None))
        }
        Kind::Text | Kind::Json => row.try_get_unchecked::<&str, _>(place).map(|it| Value::Text(it.into())).map_err(Some),
    };
    value.map_err(|error| match error {
        Some(error) => fault(&error),
        None => Fault::fatal(format!("column {} does not hold a {:?}: run `fleet migrate --check`", column.name, column.kind)),
    })
}

/// A text column by name. The client takes `_bin` collations for bytes, so the type is not checked.
///
/// # Errors
/// Fatal: a row without that column.
pub fn text(row: &MySqlRow, column: &str) -> Result<Option<String>, Fault> {
    row.try_get_unchecked(column).map_err(|error| fault(&error))
}

/// A whole number, whatever its width in the database.
fn integer(row: &MySqlRow, place: usize) -> Result<i64, Option<sqlx::Error>> {
    let raw = row.try_get_raw(place).map_err(Some)?;
    if raw.type_info().name() == "DECIMAL" {
        let text = row.try_get_unchecked::<&str, _>(place).map_err(Some)?;
        return text.parse().map_err(|_| None);
    }
    if <u64 as Type<sqlx::MySql>>::compatible(&raw.type_info()) {
        let wide = row.try_get::<u64, _>(place).map_err(Some)?;
        return i64::try_from(wide).map_err(|_| None);
    }
    row.try_get_unchecked::<i64, _>(place).map_err(Some)
}

/// Decimal text with at most two places, as hundredths.
fn parse_decimal(text: &str) -> Option<i64> {
    let (whole, places) = text.split_once('.').unwrap_or((text, ""));
    let places = match places.len() {
        0 => 0,
        1 => places.parse::<i64>().ok()? * 10,
        2 => places.parse().ok()?,
        _ => return None,
    };
    let whole_hundredths = whole.parse::<i64>().ok()?.checked_mul(100)?;
    Some(if whole.starts_with('-') { whole_hundredths - places } else { whole_hundredths + places })
}

/// Milliseconds since 1970 of a DATETIME(3).
pub fn millis(at: PrimitiveDateTime) -> i64 {
    i64::try_from(at.assume_utc().unix_timestamp_nanos().div_euclid(1_000_000)).unwrap_or(i64::MAX)
}

fn days(date: Date) -> i64 {
    i64::from(date.to_julian_day() - time::macros::date!(1970 - 01 - 01).to_julian_day())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hundredths_round_trip_as_text() {
        for hundredths in [0, 5, 99, 100, 7235, -1, -99, -250, 123_456_789, i64::MAX, i64::MIN + 100] {
            assert_eq!(parse_decimal(Decimal::of(hundredths).as_str()), Some(hundredths));
        }
        let texts = [0, 7, 60, 7235, -5, -12_345, i64::MIN].map(|it| Decimal::of(it).as_str().to_owned());
        assert_eq!(texts, ["0.00", "0.07", "0.60", "72.35", "-0.05", "-123.45", "-92233720368547758.08"]);
        assert_eq!(parse_decimal("7.5"), Some(750));
        assert_eq!(parse_decimal("7.123"), None);
    }

    #[test]
    fn instants_round_trip() {
        for at in [0, 1, -1, -62_135_596_800_000, 946_684_800_000, 1_700_000_000_123] {
            assert_eq!(millis(datetime(Time(at)).unwrap()), at);
        }
        assert_eq!(datetime(Time(i64::MAX)), None);
    }
}
