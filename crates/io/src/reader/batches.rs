//! The rows of a range, cut from a format's own batches, in the types they are to have.

use std::ops::Range;
use std::path::{Path, PathBuf};

use arrow::array::{ArrayRef, RecordBatchOptions};
use arrow::compute::kernels::cmp::not_distinct;
use arrow::datatypes::{Field, SchemaRef};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;

use super::guard::guarded;
use super::partitions::repeated;
use super::place::Place;
use super::unfit::Unfit;
use super::{ArrowBatches, BATCH_BYTES, BATCH_ROWS, Stream};
use crate::Error;
use crate::columns::{adapt, first_misfit, row_bytes};

/// The batches of [`Input::read`](crate::Input::read): at most [`BATCH_ROWS`] rows each, and values of
/// some megabytes unless a single row has more; together exactly the rows asked for. Ends after the first
/// error.
pub struct RecordBatches {
    path: PathBuf,
    schema: SchemaRef,
    columns: Vec<Column>,
    /// Rows still to be given.
    rows: Range<u64>,
    /// The row at which the next batch of `batches` starts.
    position: u64,
    batches: ArrowBatches,
    /// What is left of the last batch of `batches`; starts at `rows.start`.
    rest: Option<RecordBatch>,
}

/// Where the values of a column come from.
pub(super) enum Column {
    /// A column of the format's own batches. In each row it must have the value that the path has, if
    /// the path has one.
    Stored { place: Place, in_path: Option<Option<String>> },
    /// The path of the file.
    Path(Option<String>),
}

impl RecordBatches {
    pub(super) fn new(
        path: &Path,
        schema: SchemaRef,
        columns: Vec<Column>,
        rows: Range<u64>,
        stream: Stream,
    ) -> Self {
        let Stream { first: position, batches } = stream;
        Self { path: path.to_owned(), schema, columns, rows, position, batches, rest: None }
    }

    /// The columns of every batch, in the order they were asked for.
    pub fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    /// The next batch of the file that has rows of the range, cut to the range.
    fn refill(&mut self) -> Result<RecordBatch, Error> {
        loop {
            let next = guarded(|| Ok(self.batches.next().transpose()?))
                .map_err(|error| self.unfit(self.position, error))?;
            let Some(batch) = next else {
                let (expected, found) = (self.rows.end, self.position);
                return Err(Error::Truncated { path: self.path.clone(), expected, found });
            };
            let first = self.position;
            self.position += batch.num_rows() as u64;
            if self.position > self.rows.start {
                let skip = (self.rows.start - first) as usize;
                let end = (self.position.min(self.rows.end) - first) as usize;
                return Ok(batch.slice(skip, end - skip));
            }
        }
    }

    /// The first rows of a batch: as many as are held at a time.
    fn take_rows(&mut self, batch: RecordBatch) -> Result<RecordBatch, Error> {
        let most = batch.slice(0, batch.num_rows().min(BATCH_ROWS));
        let mut bytes = 0_usize;
        let mut fits = |row_bytes: &usize| {
            bytes = bytes.saturating_add(*row_bytes);
            bytes <= BATCH_BYTES
        };
        let fitting = row_bytes(&most).iter().take_while(|bytes| fits(bytes)).count();
        let taken = fitting.clamp(1, most.num_rows().max(1)).min(most.num_rows());
        let first = self.rows.start;
        self.rows.start += taken as u64;
        if taken < batch.num_rows() {
            self.rest = Some(batch.slice(taken, batch.num_rows() - taken));
        }
        self.delivered(&most.slice(0, taken), first)
    }

    /// The columns of a batch as they were asked for; its first row is row `first` of the file.
    fn delivered(&self, batch: &RecordBatch, first: u64) -> Result<RecordBatch, Error> {
        let columns = self.columns.iter().zip(self.schema.fields()).map(|(column, field)| match column {
            Column::Path(value) => repeated(value.as_deref(), field, batch.num_rows())
                .map_err(|error| Error::read(&self.path, None, error)),
            Column::Stored { place, in_path } => {
                let array = place.array(batch).map_err(|error| Error::read(&self.path, None, error))?;
                let array = self.adapted(&array, field, first)?;
                match in_path {
                    Some(value) => self.held_to_path(array, field, value.as_deref(), first),
                    None => Ok(array),
                }
            }
        });
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)
            .map_err(|error| Error::read(&self.path, Some(first..first + batch.num_rows() as u64), error))
    }

    fn adapted(&self, array: &ArrayRef, field: &Field, first: u64) -> Result<ArrayRef, Error> {
        adapt(array, field.data_type()).map_err(|error| {
            let (row, error) = first_misfit(array, field.data_type()).unwrap_or((0, error));
            self.unfit(
                first,
                Unfit { row, column: field.name().clone(), reason: plainly(&error), fitting: None },
            )
        })
    }

    /// Makes sure that a column which is also in the path says what the path says.
    fn held_to_path(
        &self,
        array: ArrayRef,
        field: &Field,
        value: Option<&str>,
        first: u64,
    ) -> Result<ArrayRef, Error> {
        let differs = repeated(value, field, array.len())
            .and_then(|path| not_distinct(&path, &array))
            .map_or(Some(0), |same| same.values().iter().position(|same| !same));
        let Some(row) = differs else { return Ok(array) };
        let value = value.unwrap_or("null");
        let reason = format!("the path of the file says `{value}`, and the file says otherwise");
        Err(self.unfit(first, Unfit { row, column: field.name().clone(), reason, fitting: None }))
    }

    /// `unfit` is of a batch that begins at row `first`.
    fn unfit(&self, first: u64, unfit: impl Into<crate::error::BoxError>) -> Error {
        let error: crate::error::BoxError = unfit.into();
        let unfit = match error.downcast::<ArrowError>() {
            Ok(error) => match *error {
                ArrowError::ExternalError(cause) => cause,
                other => Box::new(other),
            },
            Err(other) => other,
        };
        match unfit.downcast::<Unfit>() {
            Ok(unfit) => {
                let Unfit { row, column, reason, fitting } = *unfit;
                Error::NotKept { path: self.path.clone(), row: first + row as u64, column, reason, fitting }
            }
            Err(other) => Error::read(&self.path, Some(self.rows.clone()), other),
        }
    }
}

/// What a cast says, without the name of its kind of error.
fn plainly(error: &ArrowError) -> String {
    match error {
        ArrowError::CastError(reason)
        | ArrowError::InvalidArgumentError(reason)
        | ArrowError::ComputeError(reason) => reason.clone(),
        other => other.to_string(),
    }
}

impl Iterator for RecordBatches {
    type Item = Result<RecordBatch, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rows.is_empty() {
            return None;
        }
        let batch = match self.rest.take() {
            Some(rest) => Ok(rest),
            None => self.refill(),
        };
        let batch = batch.and_then(|batch| self.take_rows(batch));
        if batch.is_err() {
            self.rows.start = self.rows.end;
        }
        Some(batch)
    }
}
