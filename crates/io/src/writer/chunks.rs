//! Rows that are encoded at once: few where rows are wide, since a row group can outgrow its limit by
//! one chunk. Never a matter of the batches, so that those leave no trace in the file.

use arrow::array::RecordBatch;
use arrow::compute::BatchCoalescer;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;

use crate::columns::row_bytes;

const ROWS: usize = 1024;

pub(super) struct Chunks {
    batches: BatchCoalescer,
    most_bytes: usize,
    /// What the chunk that is begun has.
    rows: usize,
    bytes: usize,
}

impl Chunks {
    /// Chunks of so many bytes of values, or of one row that has more.
    pub(super) fn new(schema: SchemaRef, most_bytes: usize) -> Self {
        Self { batches: BatchCoalescer::new(schema, ROWS), most_bytes, rows: 0, bytes: 0 }
    }

    pub(super) fn push(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        let mut first = 0;
        for (row, bytes) in row_bytes(batch).into_iter().enumerate() {
            let is_full = self.rows == ROWS || self.bytes.saturating_add(bytes) > self.most_bytes;
            if self.rows > 0 && is_full {
                self.batches.push_batch(batch.slice(first, row - first))?;
                self.finish()?;
                first = row;
            }
            self.rows += 1;
            self.bytes = self.bytes.saturating_add(bytes);
        }
        self.batches.push_batch(batch.slice(first, batch.num_rows() - first))
    }

    /// Ends the chunk that is begun.
    pub(super) fn finish(&mut self) -> Result<(), ArrowError> {
        (self.rows, self.bytes) = (0, 0);
        self.batches.finish_buffered_batch()
    }

    pub(super) fn next(&mut self) -> Option<RecordBatch> {
        self.batches.next_completed_batch()
    }
}
