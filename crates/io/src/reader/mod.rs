//! A file as a stream of record batches: projected, bounded in memory, exactly the rows asked for.

mod arrow_ipc;
mod arrow_layout;
mod batches;
mod csv;
mod decompress;
mod guard;
mod jsonl;
mod options;
mod parquet;
mod types;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use ::parquet::arrow::arrow_reader::ArrowReaderMetadata;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;

pub use batches::RecordBatches;
pub use options::{CsvDialect, ReadOptions};

use crate::error::BoxError;
use crate::{Error, Format, Source, Stamp};
use guard::guarded;

/// The most rows a batch of [`RecordBatches`] has.
pub const BATCH_ROWS: usize = 1024;

/// How many rows of a text format decide its column types.
const INFERENCE_ROWS: usize = 1000;

type ArrowBatches = Box<dyn Iterator<Item = Result<RecordBatch, ArrowError>> + Send>;

/// Batches of a format's own size, the first of which starts at row `first`.
struct Stream {
    first: u64,
    batches: ArrowBatches,
}

/// An input file whose schema is known.
#[derive(Debug, Clone)]
pub struct Input {
    /// The file.
    pub source: Source,
    /// Its columns. Types that CSV and JSON Lines files were not given are inferred from the first
    /// 1000 rows; a column without a value among them counts as text.
    pub schema: SchemaRef,
    contents: Contents,
}

/// What a file says about its rows before they are read.
#[derive(Debug, Clone)]
enum Contents {
    Parquet(ArrowReaderMetadata),
    /// The rows of each batch.
    Arrow(Arc<[u64]>),
    Csv(CsvDialect),
    Jsonl,
}

impl Input {
    /// Reads the schema of a file, not its rows. `options` are about text formats alone.
    ///
    /// # Errors
    /// [`Error::Read`] if the file is not what its format promises; [`Error::NotReadable`],
    /// [`Error::UnknownColumn`], [`Error::AmbiguousColumn`] for a type that was given.
    pub fn open(source: Source, options: &ReadOptions) -> Result<Self, Error> {
        let path = &source.path;
        let opened = guarded(|| {
            Ok(match source.format {
                Format::Parquet => {
                    let footer = parquet::open(path)?;
                    (footer.schema().clone(), Contents::Parquet(footer))
                }
                Format::ArrowFile => {
                    let batches = arrow_layout::file_batches(path)?;
                    (arrow_ipc::file_schema(path)?, Contents::Arrow(batches.into()))
                }
                Format::ArrowStream => {
                    let batches = arrow_layout::stream_batches(path)?;
                    (arrow_ipc::stream_schema(path)?, Contents::Arrow(batches.into()))
                }
                Format::Csv | Format::Tsv => {
                    (csv::infer_schema(&source, options)?, Contents::Csv(options.csv))
                }
                Format::Jsonl => (jsonl::infer_schema(&source, options)?, Contents::Jsonl),
            })
        });
        let (schema, contents) = opened.map_err(|error| Error::read(path, None, error))?;
        let input = Self { source, schema, contents };
        input.check_types(&options.types)?;
        Ok(input)
    }

    /// Refuses a given type that would be no column's, or that the reader would refuse later.
    fn check_types(&self, types: &BTreeMap<String, DataType>) -> Result<(), Error> {
        for (column, data_type) in types {
            let checked = match self.contents {
                Contents::Parquet(_) | Contents::Arrow(_) => return Ok(()),
                Contents::Csv(_) => {
                    self.index(column)?;
                    types::check(data_type, csv::read_null)
                }
                Contents::Jsonl => types::check(data_type, jsonl::read_null),
            };
            checked.map_err(|source| Error::NotReadable {
                path: self.source.path.clone(),
                column: column.clone(),
                data_type: data_type.clone(),
                source,
            })?;
        }
        Ok(())
    }

    /// The number of rows. Parquet and Arrow state it; of the others, every record is passed over
    /// once.
    ///
    /// # Errors
    /// [`Error::Read`] if the file cannot be read to its end.
    pub fn count_rows(&self) -> Result<u64, Error> {
        let counted = guarded(|| match &self.contents {
            Contents::Parquet(footer) => parquet::row_group_sizes(footer).sum(),
            Contents::Arrow(batches) => Ok(batches.iter().sum()),
            Contents::Csv(_) | Contents::Jsonl => {
                let batches = self.stream(&[], &(0..u64::MAX))?.batches;
                batches.map(|batch| Ok(batch?.num_rows() as u64)).sum()
            }
        });
        counted.map_err(|error| Error::read(&self.source.path, None, error))
    }

    /// Streams `columns`, in the order given, of exactly the rows in `rows`.
    ///
    /// Parquet skips row groups, Arrow files skip batches before the range. CSV and JSON Lines
    /// scan from the start, and compressed ones decompress it: read neighbouring ranges as one.
    ///
    /// # Errors
    /// [`Error::UnknownColumn`], [`Error::AmbiguousColumn`]; [`Error::Read`] if the file changed
    /// since it was opened. The iterator itself yields [`Error::Read`] for damaged data and
    /// [`Error::Truncated`] if the file ends before the range does; nothing follows an error.
    pub fn read(&self, columns: &[String], rows: Range<u64>) -> Result<RecordBatches, Error> {
        let indices = self.indices(columns)?;
        // Not every reader can repeat or reorder columns: read each once, in the file's order.
        let ascending: Vec<usize> = indices.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
        let order: Vec<usize> =
            indices.iter().filter_map(|index| ascending.binary_search(index).ok()).collect();
        let schema = self.schema.project(&indices).map_err(|e| self.failure(&rows, e))?;
        let stream = guarded(|| self.stream(&ascending, &rows)).map_err(|e| self.failure(&rows, e))?;
        Ok(RecordBatches::new(&self.source.path, schema.into(), order, rows, stream))
    }

    /// Makes sure that the file is still the one that was found, after `rows` of it were read.
    ///
    /// # Errors
    /// [`Error::Changed`]; [`Error::Io`] if it cannot be looked at.
    pub fn check_unchanged(&self, rows: &Range<u64>) -> Result<(), Error> {
        let Source { path, bytes, modified_ns, .. } = &self.source;
        let now = Stamp::of(path)?;
        if (now.bytes, now.modified_ns) == (*bytes, *modified_ns) {
            return Ok(());
        }
        Err(Error::Changed { path: path.clone(), rows: rows.clone() })
    }

    fn failure(&self, rows: &Range<u64>, error: impl Into<BoxError>) -> Error {
        Error::read(&self.source.path, Some(rows.clone()), error)
    }

    fn stream(&self, columns: &[usize], rows: &Range<u64>) -> Result<Stream, BoxError> {
        let path = &self.source.path;
        match (&self.contents, self.source.format) {
            _ if rows.is_empty() => Ok(Stream::empty(rows.start)),
            (Contents::Parquet(footer), _) => parquet::read(path, footer, columns, rows),
            (Contents::Arrow(_), Format::ArrowStream) => arrow_ipc::read_stream(path, columns),
            (Contents::Arrow(batches), _) => arrow_ipc::read_file(path, batches, columns, rows.start),
            (Contents::Csv(dialect), _) => csv::read(&self.source, *dialect, &self.schema, columns, rows),
            (Contents::Jsonl, _) => jsonl::read(&self.source, &self.schema, columns, rows.start),
        }
    }

    fn indices(&self, columns: &[String]) -> Result<Vec<usize>, Error> {
        columns.iter().map(|column| self.index(column)).collect()
    }

    fn index(&self, column: &str) -> Result<usize, Error> {
        let fields = self.schema.fields();
        let count = fields.iter().filter(|field| field.name() == column).count();
        let (path, name) = (self.source.path.clone(), column.to_owned());
        match self.schema.index_of(column) {
            Ok(index) if count == 1 => Ok(index),
            Ok(_) => Err(Error::AmbiguousColumn { path, column: name, count }),
            Err(_) => {
                let found = fields.iter().map(|field| field.name().clone()).collect();
                Err(Error::UnknownColumn { path, column: name, found })
            }
        }
    }
}

impl Stream {
    fn empty(first: u64) -> Self {
        Self { first, batches: Box::new(std::iter::empty()) }
    }
}
