//! Intervals as Parquet stores them: months, days and milliseconds, each a whole number that is not
//! negative.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, FixedSizeBinaryArray, IntervalDayTimeArray, IntervalMonthDayNanoArray,
    IntervalYearMonthArray,
};
use arrow::datatypes::{IntervalDayTime, IntervalMonthDayNano, IntervalUnit};
use arrow::error::ArrowError;

/// Bytes of an interval in a Parquet file.
pub(super) const STORED: i32 = 12;

const NANOSECONDS: i64 = 1_000_000;

fn unfit(reason: &str) -> ArrowError {
    ArrowError::CastError(reason.to_owned())
}

pub(super) fn from_stored(array: &FixedSizeBinaryArray) -> Result<IntervalMonthDayNanoArray, ArrowError> {
    let interval = |bytes: &[u8]| {
        let part = |place: usize| {
            bytes
                .get(place..place + 4)
                .and_then(|part| part.try_into().ok())
                .map(u32::from_le_bytes)
                .unwrap_or_default()
        };
        let count = |place| i32::try_from(part(place)).map_err(|_| unfit("an interval is too long"));
        Ok(IntervalMonthDayNano::new(count(0)?, count(4)?, i64::from(part(8)) * NANOSECONDS))
    };
    array.iter().map(|bytes| bytes.map(interval).transpose()).collect()
}

pub(super) fn to_stored(array: &IntervalMonthDayNanoArray) -> Result<ArrayRef, ArrowError> {
    let mut bytes = Vec::with_capacity(array.len() * STORED as usize);
    for interval in array {
        let IntervalMonthDayNano { months, days, nanoseconds } =
            interval.unwrap_or(IntervalMonthDayNano::ZERO);
        if nanoseconds % NANOSECONDS != 0 {
            return Err(unfit("Parquet has intervals of whole milliseconds only"));
        }
        let parts = [i64::from(months), i64::from(days), nanoseconds / NANOSECONDS];
        for part in parts {
            let part = u32::try_from(part).map_err(|_| {
                unfit("Parquet has no intervals that are negative, or of more than 49 days in milliseconds")
            })?;
            bytes.extend_from_slice(&part.to_le_bytes());
        }
    }
    let nulls = array.nulls().cloned();
    Ok(Arc::new(FixedSizeBinaryArray::try_new(STORED, bytes.into(), nulls)?))
}

/// Months, days and nanoseconds in a type that has not all of them.
pub(super) fn to_unit(array: &IntervalMonthDayNanoArray, unit: IntervalUnit) -> Result<ArrayRef, ArrowError> {
    Ok(match unit {
        IntervalUnit::MonthDayNano => Arc::new(array.clone()),
        IntervalUnit::YearMonth => {
            let months = |interval: IntervalMonthDayNano| match (interval.days, interval.nanoseconds) {
                (0, 0) => Ok(interval.months),
                _ => Err(unfit("an interval has days beside months")),
            };
            let months = array.iter().map(|interval| interval.map(months).transpose());
            Arc::new(months.collect::<Result<IntervalYearMonthArray, _>>()?)
        }
        IntervalUnit::DayTime => {
            let days = |interval: IntervalMonthDayNano| match interval.months {
                0 => i32::try_from(interval.nanoseconds / NANOSECONDS)
                    .map(|milliseconds| IntervalDayTime::new(interval.days, milliseconds))
                    .map_err(|_| unfit("an interval is too long")),
                _ => Err(unfit("an interval has months beside days")),
            };
            let days = array.iter().map(|interval| interval.map(days).transpose());
            Arc::new(days.collect::<Result<IntervalDayTimeArray, _>>()?)
        }
    })
}
