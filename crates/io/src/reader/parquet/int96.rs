//! Times of 96 bits, which say neither their unit nor their range: read as microseconds, and refused
//! where those are not all of it.

use std::sync::Arc;

use arrow::array::{Array, ArrayData, ArrayRef, PrimitiveArray, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Schema, TimeUnit, TimestampMicrosecondType, TimestampNanosecondType};
use arrow::error::ArrowError;

use crate::reader::ArrowBatches;
use crate::reader::unfit::Unfit;

/// Batches of microseconds, held against the same batches in nanoseconds.
pub(super) struct Whole {
    pub(super) microseconds: ArrowBatches,
    /// Those of its columns that have such times, in nanoseconds that wrap around.
    pub(super) nanoseconds: ArrowBatches,
    /// The names of those that are to be in nanoseconds.
    pub(super) wanted: Vec<String>,
}

impl Iterator for Whole {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = match self.microseconds.next()? {
            Ok(batch) => batch,
            error => return Some(error),
        };
        Some(match self.nanoseconds.next() {
            Some(Ok(nanoseconds)) => self.whole(&batch, &nanoseconds),
            Some(error) => error,
            None => Err(ArrowError::ParquetError("the file ends early".to_owned())),
        })
    }
}

impl Whole {
    fn whole(&self, batch: &RecordBatch, nanoseconds: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let mut fields = batch.schema().fields().to_vec();
        let mut columns = batch.columns().to_vec();
        for (field, column) in nanoseconds.schema().fields().iter().zip(nanoseconds.columns()) {
            let Some(place) = fields.iter().position(|found| found.name() == field.name()) else { continue };
            let is_wanted = self.wanted.contains(field.name());
            let (fits, reason, fitting) = match is_wanted {
                true => (
                    in_range as Fits,
                    "a time of 96 bits is beyond the range of nanoseconds",
                    "Timestamp(µs)",
                ),
                false => (
                    without_rest as Fits,
                    "a time of 96 bits has a fraction of a microsecond",
                    "Timestamp(ns)",
                ),
            };
            check(&columns[place], column, fits).map_err(|row| Unfit {
                row,
                column: field.name().clone(),
                reason: reason.to_owned(),
                fitting: Some(fitting),
            })?;
            if is_wanted {
                (fields[place], columns[place]) = (field.clone(), column.clone());
            }
        }
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)
    }
}

/// Whether microseconds and nanoseconds, both of which wrap around, are one time.
type Fits = fn(i64, i64) -> bool;

fn without_rest(microseconds: i64, nanoseconds: i64) -> bool {
    nanoseconds.wrapping_sub(microseconds.wrapping_mul(1000)) == 0
}

fn in_range(microseconds: i64, nanoseconds: i64) -> bool {
    nanoseconds.div_euclid(1000) == microseconds
}

/// The first row with a time that does not fit.
fn check(microseconds: &ArrayRef, nanoseconds: &ArrayRef, fits: Fits) -> Result<(), usize> {
    if all_fit(&microseconds.to_data(), &nanoseconds.to_data(), fits) {
        return Ok(());
    }
    let is_bad = |row: &usize| {
        !all_fit(&microseconds.slice(*row, 1).to_data(), &nanoseconds.slice(*row, 1).to_data(), fits)
    };
    Err((0..microseconds.len()).find(is_bad).unwrap_or_default())
}

fn all_fit(microseconds: &ArrayData, nanoseconds: &ArrayData, fits: Fits) -> bool {
    let times = (microseconds.data_type(), nanoseconds.data_type());
    if let (DataType::Timestamp(TimeUnit::Microsecond, _), DataType::Timestamp(TimeUnit::Nanosecond, _)) =
        times
    {
        let micro = PrimitiveArray::<TimestampMicrosecondType>::from(microseconds.clone());
        let nano = PrimitiveArray::<TimestampNanosecondType>::from(nanoseconds.clone());
        return micro.iter().zip(&nano).all(|pair| match pair {
            (Some(micro), Some(nano)) => fits(micro, nano),
            _ => true,
        });
    }
    let children = microseconds.child_data().iter().zip(nanoseconds.child_data());
    let (start, length) = (microseconds.offset(), microseconds.len());
    children.into_iter().all(|(one, other)| match microseconds.data_type() {
        // The others have offsets of their own, or all of their children.
        DataType::Struct(_) => all_fit(&one.slice(start, length), &other.slice(start, length), fits),
        _ => all_fit(one, other, fits),
    })
}
