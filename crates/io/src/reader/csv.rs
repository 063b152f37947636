//! CSV and TSV files with a header line. An empty field is null.

use std::ops::Range;

use arrow::csv::ReaderBuilder;
use arrow::csv::reader::Format as CsvFormat;
use arrow::datatypes::SchemaRef;

use super::{BATCH_ROWS, INFERENCE_ROWS, Stream, decompress, settle};
use crate::error::BoxError;
use crate::{Format, Source};

pub(super) fn infer_schema(source: &Source, text_columns: &[String]) -> Result<SchemaRef, BoxError> {
    let reader = decompress::open(source)?;
    let (schema, _) = format(source).infer_schema(reader, Some(INFERENCE_ROWS))?;
    Ok(settle(schema, text_columns))
}

/// Parses only `rows`; what stands before them is split into records and dropped.
pub(super) fn read(
    source: &Source,
    schema: &SchemaRef,
    columns: &[usize],
    rows: &Range<u64>,
) -> Result<Stream, BoxError> {
    // The header counts as a record in the reader's arithmetic.
    let end = usize::try_from(rows.end)?.min(usize::MAX - 1);
    let reader = ReaderBuilder::new(schema.clone())
        .with_format(format(source))
        .with_batch_size(BATCH_ROWS)
        .with_projection(columns.to_vec())
        .with_bounds(usize::try_from(rows.start)?, end)
        .build_buffered(decompress::open(source)?)?;
    Ok(Stream { first: rows.start, batches: Box::new(reader) })
}

fn format(source: &Source) -> CsvFormat {
    let delimiter = if source.format == Format::Tsv { b'\t' } else { b',' };
    CsvFormat::default().with_header(true).with_delimiter(delimiter)
}
