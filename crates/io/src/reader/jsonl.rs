//! JSON Lines files: one object per line, a missing key is null.

use std::io::BufRead;
use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use arrow::json::ReaderBuilder;
use arrow::json::reader::infer_json_schema;

use super::{BATCH_ROWS, INFERENCE_ROWS, Stream, decompress, settle};
use crate::Source;
use crate::error::BoxError;

pub(super) fn infer_schema(source: &Source, text_columns: &[String]) -> Result<SchemaRef, BoxError> {
    let (schema, _) = infer_json_schema(decompress::open(source)?, Some(INFERENCE_ROWS))?;
    Ok(settle(schema, text_columns))
}

/// Starts at row `first`; the objects before it are scanned, their values not kept.
pub(super) fn read(
    source: &Source,
    schema: &SchemaRef,
    columns: &[usize],
    first: u64,
) -> Result<Stream, BoxError> {
    let mut bytes = decompress::open(source)?;
    let skipped = skip(&mut bytes, first)?;
    let batches = builder(Arc::new(schema.project(columns)?), BATCH_ROWS).build(bytes)?;
    Ok(Stream { first: skipped, batches: Box::new(batches) })
}

/// Scans past `count` objects, or to the end of the file; returns how many there were.
fn skip(bytes: &mut impl BufRead, count: u64) -> Result<u64, BoxError> {
    let mut skipped = 0;
    while skipped < count {
        let rows = (count - skipped).min(BATCH_ROWS as u64) as usize;
        let nothing = Arc::new(Schema::empty());
        // A decoder reads no further than its batch, so the next one starts where it stopped.
        match builder(nothing, rows).build(&mut *bytes)?.next().transpose()? {
            Some(batch) => skipped += batch.num_rows() as u64,
            None => break,
        }
    }
    Ok(skipped)
}

/// Numbers and booleans in a text column are read as their text.
fn builder(schema: SchemaRef, batch_rows: usize) -> ReaderBuilder {
    ReaderBuilder::new(schema).with_batch_size(batch_rows).with_coerce_primitive(true)
}
