//! The rows of a range, cut from a format's own batches.

use std::ops::Range;
use std::path::{Path, PathBuf};

use arrow::datatypes::SchemaRef;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};

use super::guard::guarded;
use super::place::Place;
use super::{ArrowBatches, BATCH_ROWS, Stream};
use crate::Error;
use crate::error::BoxError;

/// The batches of [`Input::read`](crate::Input::read): at most [`BATCH_ROWS`] rows each, together
/// exactly the rows asked for. Ends after the first error.
pub struct RecordBatches {
    path: PathBuf,
    schema: SchemaRef,
    order: Vec<Place>,
    /// Rows still to be given.
    rows: Range<u64>,
    /// The row at which the next batch of `batches` starts.
    position: u64,
    batches: ArrowBatches,
    /// What is left of the last batch of `batches`; starts at `rows.start`.
    rest: Option<RecordBatch>,
}

impl RecordBatches {
    pub(super) fn new(
        path: &Path,
        schema: SchemaRef,
        order: Vec<Place>,
        rows: Range<u64>,
        stream: Stream,
    ) -> Self {
        let Stream { first: position, batches } = stream;
        Self { path: path.to_owned(), schema, order, rows, position, batches, rest: None }
    }

    /// The columns of every batch, in the order they were asked for.
    pub fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    /// The next batch of the file that has rows of the range, cut to the range.
    fn refill(&mut self) -> Result<RecordBatch, Error> {
        loop {
            let next = guarded(|| Ok(self.batches.next().transpose()?))
                .and_then(|batch| batch.map(|batch| self.pick(&batch)).transpose())
                .map_err(|error| Error::read(&self.path, Some(self.rows.clone()), error))?;
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

    /// The columns that were asked for.
    fn pick(&self, batch: &RecordBatch) -> Result<RecordBatch, BoxError> {
        let arrays = self.order.iter().map(|place| place.array(batch)).collect::<Result<_, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        Ok(RecordBatch::try_new_with_options(self.schema.clone(), arrays, &options)?)
    }

    fn take_rows(&mut self, batch: RecordBatch) -> RecordBatch {
        let taken = batch.num_rows().min(BATCH_ROWS);
        self.rows.start += taken as u64;
        if taken < batch.num_rows() {
            self.rest = Some(batch.slice(taken, batch.num_rows() - taken));
        }
        batch.slice(0, taken)
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
        if batch.is_err() {
            self.rows.start = self.rows.end;
        }
        Some(batch.map(|batch| self.take_rows(batch)))
    }
}
