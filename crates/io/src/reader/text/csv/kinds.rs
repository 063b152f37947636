//! Which type holds every text of a column, and gives each of them back.

use std::sync::Arc;

use arrow::datatypes::{DataType, TimeUnit};

use crate::reader::text::times::{date, moment};
use crate::reader::text::values::is_exact;

/// What the texts of a column may all be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kinds {
    are: u8,
    has_values: bool,
    /// The finest unit that a moment needs.
    unit: TimeUnit,
    fits_nanoseconds: bool,
}

const SIGNED: u8 = 1;
const UNSIGNED: u8 = 2;
const FLOAT: u8 = 4;
const BOOLEAN: u8 = 8;
const DAY: u8 = 16;
const LOCAL: u8 = 32;
const UTC: u8 = 64;

impl Default for Kinds {
    fn default() -> Self {
        Self { are: u8::MAX, has_values: false, unit: TimeUnit::Second, fits_nanoseconds: true }
    }
}

impl Kinds {
    /// Adds a text, which is not empty.
    pub fn add(&mut self, text: &str) {
        self.has_values = true;
        if self.are != 0 {
            self.are &= self.kinds(text);
        }
    }

    fn kinds(&mut self, text: &str) -> u8 {
        match text.as_bytes() {
            [b't' | b'T' | b'f' | b'F', ..] => {
                let is_boolean = text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false");
                if is_boolean { BOOLEAN } else { 0 }
            }
            [b'-' | b'.' | b'0'..=b'9', ..] if self.are & (DAY | LOCAL | UTC) == 0 => number(text),
            [b'-' | b'.' | b'0'..=b'9', ..] => number(text) | self.time(text),
            _ => 0,
        }
    }

    fn time(&mut self, text: &str) -> u8 {
        if text.len() == 10 {
            return if date(text).is_some() { DAY } else { 0 };
        }
        let Some(moment) = moment(text) else { return 0 };
        self.unit = self.unit.max(moment.unit);
        self.fits_nanoseconds &= moment.fits_nanoseconds;
        if moment.is_utc { UTC } else { LOCAL }
    }

    /// Whether any field was not empty.
    pub fn has_values(self) -> bool {
        self.has_values
    }

    /// The type of all; text where there is no other, or nothing to go by.
    pub fn data_type(self) -> DataType {
        let moment = |zone| match (self.unit, self.fits_nanoseconds) {
            (TimeUnit::Nanosecond, false) => DataType::Utf8,
            (unit, _) => DataType::Timestamp(unit, zone),
        };
        match self.are {
            _ if !self.has_values => DataType::Utf8,
            are if are & SIGNED != 0 => DataType::Int64,
            are if are & UNSIGNED != 0 => DataType::UInt64,
            are if are & FLOAT != 0 => DataType::Float64,
            are if are & BOOLEAN != 0 => DataType::Boolean,
            are if are & DAY != 0 => DataType::Date32,
            are if are & LOCAL != 0 => moment(None),
            are if are & UTC != 0 => moment(Some(Arc::from("UTC"))),
            _ => DataType::Utf8,
        }
    }
}

/// What a text is as a number. One that begins with a zero or a plus is not taken for one: a postal
/// code or a telephone number would lose it.
fn number(text: &str) -> u8 {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_padded = matches!(digits.as_bytes(), [b'0', b'0'..=b'9', ..]);
    let is_number = digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'))
        && digits.bytes().any(|byte| byte.is_ascii_digit());
    if is_padded || !is_number {
        return 0;
    }
    if text == "-0" || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return if text.parse().is_ok_and(|value| is_exact(text, value)) { FLOAT } else { 0 };
    }
    let (signed, unsigned) = (text.parse::<i64>().ok(), text.parse::<u64>().ok());
    let exact = text.parse::<i128>().is_ok_and(|value| value as f64 as i128 == value);
    [(SIGNED, signed.is_some()), (UNSIGNED, unsigned.is_some()), (FLOAT, exact)]
        .into_iter()
        .filter(|(_, holds)| *holds)
        .fold(0, |kinds, (kind, _)| kinds | kind)
}
