//! Records, collected into batches.

use arrow::array::{ArrayRef, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;

use crate::reader::{ArrowBatches, BATCH_ROWS};

/// The text after which a batch ends, whatever its rows: an array of texts holds two gigabytes at
/// most.
const BATCH_BYTES: usize = 16 << 20;

/// Takes the records of a file, one after the other.
pub(super) trait Collector: Send + 'static {
    /// Takes the next record; returns its bytes, or nothing at the end of the file.
    fn take(&mut self) -> Result<Option<usize>, ArrowError>;

    /// The columns of what was taken since the last time.
    fn finish(&mut self) -> Result<Vec<ArrayRef>, ArrowError>;
}

/// Batches of all records that are still to come.
pub(super) fn batches(schema: SchemaRef, mut collector: impl Collector) -> ArrowBatches {
    Box::new(std::iter::from_fn(move || batch(&schema, &mut collector).transpose()))
}

fn batch(schema: &SchemaRef, collector: &mut impl Collector) -> Result<Option<RecordBatch>, ArrowError> {
    let (mut rows, mut bytes) = (0, 0);
    while rows < BATCH_ROWS && bytes < BATCH_BYTES {
        let Some(taken) = collector.take()? else { break };
        bytes += taken;
        rows += 1;
    }
    if rows == 0 {
        return Ok(None);
    }
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(schema.clone(), collector.finish()?, &options).map(Some)
}
