//! Which type holds every number of a column.

use arrow::datatypes::DataType;

use crate::reader::text::values::is_exact;

/// Up to here, every whole number is a float64.
const MOST_EXACT: u64 = 1 << 53;

/// The numbers that were met so far.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::reader::text) struct Numbers {
    has_negative: bool,
    /// Beyond the largest signed integer.
    has_large: bool,
    has_float: bool,
    /// Whole numbers that no float64 is equal to.
    has_inexact: bool,
}

impl Numbers {
    /// Adds a number as JSON writes it; returns what type would be needed if there is none for all.
    pub fn add(&mut self, text: &str) -> Result<(), &'static str> {
        let is_whole = text != "-0" && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
        if is_whole {
            match text.parse::<i64>() {
                Ok(value) => {
                    self.has_negative |= value < 0;
                    self.has_inexact |=
                        value.unsigned_abs() > MOST_EXACT && value as f64 as i128 != i128::from(value);
                }
                Err(_) => {
                    let value: u64 = text.parse().map_err(|_| "a whole number of at most 64 bits")?;
                    self.has_large = true;
                    self.has_inexact |= value as f64 as u128 != u128::from(value);
                }
            }
        } else {
            let value: f64 = text.parse().map_err(|_| "a number")?;
            if !is_exact(text, value) {
                return Err("a number that a float64 can hold");
            }
            self.has_float = true;
        }
        self.check()
    }

    fn check(self) -> Result<(), &'static str> {
        match self {
            Self { has_float: true, has_inexact: true, .. } => {
                Err("numbers that are whole, or that a float64 can all hold")
            }
            Self { has_large: true, has_negative: true, has_float: false, .. } => {
                Err("whole numbers that fit into 64 bits, with a sign or without")
            }
            _ => Ok(()),
        }
    }

    /// The type that holds them all.
    pub fn data_type(self) -> DataType {
        match self {
            Self { has_float: true, .. } => DataType::Float64,
            Self { has_large: true, .. } => DataType::UInt64,
            _ => DataType::Int64,
        }
    }
}
