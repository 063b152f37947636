//! Days and moments from their texts, with nothing of them left out.

use arrow::array::timezone::Tz;
use arrow::compute::kernels::cast_utils::{Parser, string_to_datetime};
use arrow::datatypes::{Date32Type, TimeUnit};

/// The day of a text like `2024-02-29`, which may be followed by midnight.
pub(crate) fn date(text: &str) -> Option<i32> {
    let (day, rest) = text.split_at_checked(10)?;
    let is_midnight = matches!(rest.as_bytes(), [] | [b'T' | b' ', ..])
        && rest.bytes().skip(1).all(|byte| matches!(byte, b'0' | b':' | b'.'));
    (is_day(day) && is_midnight).then(|| Date32Type::parse(day))?
}

fn is_day(text: &str) -> bool {
    is_of(text, b"dddd-dd-dd")
}

/// Whether a text is of a form in which `d` stands for a digit.
fn is_of(text: &str, form: &[u8]) -> bool {
    text.len() == form.len()
        && text.bytes().zip(form).all(|(byte, &form)| match form {
            b'd' => byte.is_ascii_digit(),
            form => byte == form,
        })
}

pub(crate) fn unit_nanoseconds(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1_000_000_000,
        TimeUnit::Millisecond => 1_000_000,
        TimeUnit::Microsecond => 1_000,
        TimeUnit::Nanosecond => 1,
    }
}

/// Whether a time of day has digits, other than zero, that parsers pass over.
pub(crate) fn is_beyond_nanoseconds(clock: &str) -> bool {
    let fraction = clock.split_once('.').map_or("", |(_, rest)| rest);
    let fraction = &fraction[..fraction.bytes().take_while(u8::is_ascii_digit).count()];
    fraction.get(9..).is_some_and(|beyond| beyond.bytes().any(|digit| digit != b'0'))
}

/// The moment of a text, counted in `unit` since 1970. Without a zone, it may have no offset; with
/// one, a text without an offset is meant there.
pub(crate) fn timestamp(text: &str, unit: TimeUnit, zone: Option<Tz>) -> Option<i64> {
    let clock = text.get(11..).unwrap_or_default();
    let has_offset = clock.bytes().any(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'+' | b'-'));
    if has_offset && zone.is_none() || is_beyond_nanoseconds(clock) {
        return None;
    }
    let utc = || "+00:00".parse::<Tz>().ok();
    let moment = string_to_datetime(&zone.or_else(utc)?, text).ok()?;
    let nanoseconds = i64::from(moment.timestamp_subsec_nanos());
    if nanoseconds % unit_nanoseconds(unit) != 0 || nanoseconds >= 1_000_000_000 {
        return None;
    }
    match unit {
        TimeUnit::Second => Some(moment.timestamp()),
        TimeUnit::Millisecond => Some(moment.timestamp_millis()),
        TimeUnit::Microsecond => Some(moment.timestamp_micros()),
        TimeUnit::Nanosecond => moment.timestamp_nanos_opt(),
    }
}

/// What a text like `2024-02-29 12:30:00.5Z` needs of a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    /// The unit that its fraction needs.
    pub unit: TimeUnit,
    /// Whether it is said to be of UTC.
    pub is_utc: bool,
    /// Whether it can be counted in nanoseconds.
    pub fits_nanoseconds: bool,
}

/// Understands a text as a moment, without an offset or in UTC.
pub(crate) fn moment(text: &str) -> Option<Moment> {
    let local = text.strip_suffix('Z').or_else(|| text.strip_suffix("+00:00"));
    let (local, is_utc) = local.map_or((text, false), |local| (local, true));
    let (whole, fraction) = local.split_at_checked(19)?;
    if !is_of(whole, b"dddd-dd-ddTdd:dd:dd") && !is_of(whole, b"dddd-dd-dd dd:dd:dd") {
        return None;
    }
    let digits = match fraction.strip_prefix('.') {
        Some(digits) if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) => digits,
        None if fraction.is_empty() => "",
        _ => return None,
    };
    let unit = match digits.len() {
        0 => TimeUnit::Second,
        1..=3 => TimeUnit::Millisecond,
        4..=6 => TimeUnit::Microsecond,
        7..=9 => TimeUnit::Nanosecond,
        _ => return None,
    };
    let counted = |unit| timestamp(local, unit, None).is_some();
    counted(unit).then(|| Moment { unit, is_utc, fits_nanoseconds: counted(TimeUnit::Nanosecond) })
}
