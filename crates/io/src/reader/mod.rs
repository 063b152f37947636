//! A file as a stream of record batches: projected, bounded in memory, exactly the rows asked for.

mod arrow_ipc;
mod arrow_layout;
mod batches;
mod guard;
mod noted;
mod options;
mod parquet;
mod place;
pub(crate) mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use ::parquet::arrow::arrow_reader::ArrowReaderMetadata;
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use encoding_rs::Encoding;

pub use batches::RecordBatches;
pub use options::{ColumnType, CsvDialect, ReadOptions};

use crate::error::BoxError;
use crate::{Error, Format, Notes, Source, Stamp};
use guard::guarded;
use place::Place;
use text::csv::Dialect;
use text::{csv, json};

/// The most rows a batch of [`RecordBatches`] has.
pub const BATCH_ROWS: usize = 1024;

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
    /// Its columns. Types that CSV and JSON files were not given are those that hold every value of
    /// the file, and a column without a value counts as text. Of columns that are not needed nothing
    /// is found out: they have the type null.
    pub schema: SchemaRef,
    contents: Contents,
}

/// What a file says about its rows before they are read.
#[derive(Debug, Clone)]
enum Contents {
    Parquet(ArrowReaderMetadata),
    /// The rows of each batch.
    Arrow(Arc<[u64]>),
    Text {
        layout: Layout,
        encoding: Option<&'static Encoding>,
        /// The number of rows, if all were looked at.
        rows: Option<u64>,
    },
}

/// How the records of a text file are written.
#[derive(Debug, Clone, Copy)]
enum Layout {
    Csv(Dialect),
    Json,
}

impl Input {
    /// Finds out the schema of a file. That of a text file follows from all of its values that are
    /// needed. `options` are about text formats alone.
    ///
    /// # Errors
    /// [`Error::Read`], [`Error::Record`] if the file is not what its format promises;
    /// [`Error::Value`] if no type holds every value of a column; [`Error::NotReadable`],
    /// [`Error::UnknownColumn`], [`Error::AmbiguousColumn`] for a type that was given.
    pub fn open(source: Source, options: &ReadOptions) -> Result<Self, Error> {
        Self::open_noted(source, options, &Notes::default())
    }

    /// As [`Input::open`]; what `notes` know of a text file is not looked for again.
    ///
    /// # Errors
    /// As [`Input::open`].
    pub fn open_noted(source: Source, options: &ReadOptions, notes: &Notes) -> Result<Self, Error> {
        let path = &source.path;
        let look = |look: fn(&Source, &ReadOptions) -> Result<text::Opened, BoxError>| {
            noted::recall(&source, options, notes).map_or_else(|| look(&source, options), Ok)
        };
        let as_text = |layout, opened: text::Opened| {
            let contents = Contents::Text { layout, encoding: options.encoding, rows: opened.rows };
            (opened.schema, contents)
        };
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
                Format::Csv | Format::Tsv | Format::Text => {
                    let layout = Layout::Csv(Dialect::of(&source, options));
                    as_text(layout, look(csv::open)?)
                }
                Format::Json => as_text(Layout::Json, look(json::open)?),
            })
        });
        let (schema, contents) = opened.map_err(|error| Error::read(&source.shown, None, error))?;
        let input = Self { source, schema, contents };
        input.check_types(&options.types)?;
        Ok(input)
    }

    /// Notes what was found in a text file by opening it with `options`, unless it is noted.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be looked at.
    pub fn note(&self, options: &ReadOptions, notes: &mut Notes) -> Result<(), Error> {
        let Contents::Text { rows, .. } = self.contents else { return Ok(()) };
        let stamp = Stamp::of(&self.source.path)?;
        let is_same = (stamp.bytes, stamp.modified_ns) == (self.source.bytes, self.source.modified_ns);
        if is_same && noted::recall(&self.source, options, notes).is_none() {
            let opened = text::Opened { schema: self.schema.clone(), rows };
            noted::remember(&self.source, options, &opened, stamp, notes);
        }
        Ok(())
    }

    /// Refuses a given type that would be no column's, or that the reader would refuse later.
    fn check_types(&self, types: &BTreeMap<String, ColumnType>) -> Result<(), Error> {
        let Contents::Text { layout, .. } = self.contents else { return Ok(()) };
        for (name, given) in types {
            let ColumnType::Arrow(data_type) = given else { continue };
            let field = Field::new(name, data_type.clone(), true);
            let has_values = match layout {
                Layout::Csv(_) => {
                    self.index(name)?;
                    csv::has_values(&field)
                }
                Layout::Json => json::has_values(&field),
            };
            if !has_values {
                let reason = match layout {
                    Layout::Csv(_) if data_type.is_nested() => "a field of CSV holds one value",
                    Layout::Csv(_) => "no text stands for a value of this type",
                    Layout::Json => "no JSON value stands for a value of this type",
                };
                return Err(Error::NotReadable {
                    path: self.source.shown.clone(),
                    column: name.clone(),
                    data_type: data_type.clone(),
                    source: reason.into(),
                });
            }
        }
        Ok(())
    }

    /// The number of rows. Parquet and Arrow state it; of the others, every record is passed over
    /// once, if it was not when the file was opened.
    ///
    /// # Errors
    /// [`Error::Read`], [`Error::Record`] if the file cannot be read to its end.
    pub fn count_rows(&self) -> Result<u64, Error> {
        let counted = guarded(|| match &self.contents {
            Contents::Parquet(footer) => parquet::row_group_sizes(footer).sum(),
            Contents::Arrow(batches) => Ok(batches.iter().sum()),
            Contents::Text { rows: Some(rows), .. } => Ok(*rows),
            Contents::Text { .. } => {
                let batches = self.stream(&[], &(0..u64::MAX))?.batches;
                batches.map(|batch| Ok(batch?.num_rows() as u64)).sum()
            }
        });
        counted.map_err(|error| Error::read(&self.source.shown, None, error))
    }

    /// The field of a column, or of a field within structs, whose name is then the path to it:
    /// `data.text`.
    pub fn field(&self, column: &str) -> Option<Field> {
        Place::of(column, &self.schema).map(|place| place.field(column, &self.schema))
    }

    /// Streams `columns`, in the order given, of exactly the rows in `rows`. A name that is no
    /// column's may lead to a field within structs, as [`Input::field`] has it.
    ///
    /// Parquet skips row groups, Arrow files skip batches before the range. Text formats are scanned
    /// from the start, and compressed ones decompressed: read neighbouring ranges as one.
    ///
    /// # Errors
    /// [`Error::UnknownColumn`], [`Error::AmbiguousColumn`]; [`Error::Read`] if the file changed
    /// since it was opened. The iterator itself yields [`Error::Read`], [`Error::Record`] for damaged
    /// data, [`Error::Value`] for a value that is not of its column's type, and [`Error::Truncated`]
    /// if the file ends before the range does; nothing follows an error.
    pub fn read(&self, columns: &[String], rows: Range<u64>) -> Result<RecordBatches, Error> {
        let places = columns.iter().map(|column| self.place(column)).collect::<Result<Vec<_>, _>>()?;
        // Not every reader can repeat or reorder columns: read each once, in the file's order.
        let ascending: Vec<usize> =
            places.iter().map(|place| place.index).collect::<BTreeSet<_>>().into_iter().collect();
        let fields = places.iter().zip(columns).map(|(place, column)| place.field(column, &self.schema));
        let schema = Schema::new_with_metadata(fields.collect::<Vec<_>>(), self.schema.metadata().clone());
        let order = places.iter().filter_map(|place| {
            let index = ascending.binary_search(&place.index).ok()?;
            Some(Place { index, path: place.path.clone() })
        });
        let order = order.collect();
        let stream = guarded(|| self.stream(&ascending, &rows)).map_err(|e| self.failure(&rows, e))?;
        Ok(RecordBatches::new(&self.source.shown, schema.into(), order, rows, stream))
    }

    /// Makes sure that the file is still the one that was found, after `rows` of it were read.
    ///
    /// # Errors
    /// [`Error::Changed`]; [`Error::Io`] if it cannot be looked at.
    pub fn check_unchanged(&self, rows: &Range<u64>) -> Result<(), Error> {
        let Source { path, shown, bytes, modified_ns, .. } = &self.source;
        let now = Stamp::of(path)?;
        if (now.bytes, now.modified_ns) == (*bytes, *modified_ns) {
            return Ok(());
        }
        Err(Error::Changed { path: shown.clone(), rows: rows.clone() })
    }

    fn failure(&self, rows: &Range<u64>, error: impl Into<BoxError>) -> Error {
        Error::read(&self.source.shown, Some(rows.clone()), error)
    }

    fn stream(&self, columns: &[usize], rows: &Range<u64>) -> Result<Stream, BoxError> {
        let path = &self.source.path;
        match (&self.contents, self.source.format) {
            _ if rows.is_empty() => Ok(Stream::empty(rows.start)),
            (Contents::Parquet(footer), _) => parquet::read(path, footer, columns, rows),
            (Contents::Arrow(_), Format::ArrowStream) => arrow_ipc::read_stream(path, columns),
            (Contents::Arrow(batches), _) => arrow_ipc::read_file(path, batches, columns, rows.start),
            (Contents::Text { layout, encoding, .. }, _) => match layout {
                Layout::Csv(dialect) => {
                    csv::read(&self.source, *dialect, *encoding, &self.schema, columns, rows.start)
                }
                Layout::Json => json::read(&self.source, *encoding, &self.schema, columns, rows.start),
            },
        }
    }

    fn place(&self, column: &str) -> Result<Place, Error> {
        match Place::of(column, &self.schema) {
            Some(place) if !place.path.is_empty() => Ok(place),
            _ => self.index(column).map(Place::from),
        }
    }

    fn index(&self, column: &str) -> Result<usize, Error> {
        let fields = self.schema.fields();
        let count = fields.iter().filter(|field| field.name() == column).count();
        let (path, name) = (self.source.shown.clone(), column.to_owned());
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
