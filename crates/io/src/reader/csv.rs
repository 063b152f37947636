//! CSV and TSV files. An empty field is null.

use std::io::{self, BufRead, Read};
use std::ops::Range;
use std::sync::Arc;

use arrow::csv::ReaderBuilder;
use arrow::csv::reader::Format as CsvFormat;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use super::types::settle;
use super::{BATCH_ROWS, CsvDialect, INFERENCE_ROWS, ReadOptions, Stream, decompress};
use crate::error::BoxError;
use crate::{Format, Source};

/// Stands for no quote at all, which the reader does not know: no UTF-8 text has this byte.
const NO_QUOTE: u8 = 0xff;

pub(super) fn infer_schema(source: &Source, options: &ReadOptions) -> Result<SchemaRef, BoxError> {
    let bytes = open(source, options.csv)?;
    let (schema, _) = format(source, options.csv).infer_schema(bytes, Some(INFERENCE_ROWS))?;
    Ok(settle(schema, options))
}

/// Parses only `rows`; what stands before them is split into records and dropped.
pub(super) fn read(
    source: &Source,
    dialect: CsvDialect,
    schema: &SchemaRef,
    columns: &[usize],
    rows: &Range<u64>,
) -> Result<Stream, BoxError> {
    // A header counts as a record in the reader's arithmetic.
    let end = usize::try_from(rows.end)?.min(usize::MAX - 1);
    let reader = ReaderBuilder::new(schema.clone())
        .with_format(format(source, dialect))
        .with_batch_size(BATCH_ROWS)
        .with_projection(columns.to_vec())
        .with_bounds(usize::try_from(rows.start)?, end)
        .build_buffered(open(source, dialect)?)?;
    Ok(Stream { first: rows.start, batches: Box::new(reader) })
}

/// Reads one null of a type.
pub(super) fn read_null(data_type: &DataType) -> Result<(), BoxError> {
    if data_type.is_nested() {
        return Err("a field of CSV holds one value".into());
    }
    let schema = Schema::new(vec![Field::new("value", data_type.clone(), true)]);
    let mut decoder = ReaderBuilder::new(Arc::new(schema)).build_decoder();
    decoder.decode(b"\"\"\n")?;
    decoder.flush()?;
    Ok(())
}

fn format(source: &Source, dialect: CsvDialect) -> CsvFormat {
    let usual = if source.format == Format::Tsv { b'\t' } else { b',' };
    CsvFormat::default()
        .with_header(dialect.header)
        .with_delimiter(dialect.delimiter.unwrap_or(usual))
        .with_quote(dialect.quote.unwrap_or(NO_QUOTE))
}

fn open(source: &Source, dialect: CsvDialect) -> io::Result<Box<dyn BufRead + Send>> {
    let bytes = decompress::open(source)?;
    Ok(match dialect.quote {
        Some(_) => bytes,
        None => Box::new(Unquoted { bytes, checked: 0 }),
    })
}

/// Bytes without [`NO_QUOTE`]: the reader would drop it where the field of a damaged file starts
/// with one.
struct Unquoted {
    bytes: Box<dyn BufRead + Send>,
    /// How much of the buffer is known to be without it.
    checked: usize,
}

impl BufRead for Unquoted {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let buffer = self.bytes.fill_buf()?;
        if self.checked == 0 {
            if buffer.contains(&NO_QUOTE) {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "the text is not UTF-8: byte 0xff"));
            }
            self.checked = buffer.len();
        }
        Ok(buffer)
    }

    fn consume(&mut self, count: usize) {
        self.checked = self.checked.saturating_sub(count);
        self.bytes.consume(count);
    }
}

impl Read for Unquoted {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(into)?;
        self.consume(count);
        Ok(count)
    }
}
