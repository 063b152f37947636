//! A file as a stream of record batches: projected, bounded in memory, exactly the rows asked for.

mod batches;
mod found;
mod guard;
mod ipc;
mod noted;
mod options;
mod parquet;
mod part;
mod partitions;
mod place;
pub(crate) mod text;
mod types;
mod unfit;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use encoding_rs::Encoding;

pub use batches::RecordBatches;
pub use options::{ColumnType, CsvDialect, ReadOptions};
pub use part::PartFile;
pub use partitions::partition_types;
pub use place::{column_at, field_at};

use self::parquet::Columns;
use crate::columns::fits::settled;
use crate::error::BoxError;
use crate::{Error, Format, Notes, Source};
use batches::Column;
use guard::guarded;
use place::Place;
use text::csv::Dialect;
use text::{csv, json};

/// The most rows a batch of [`RecordBatches`] has.
pub const BATCH_ROWS: usize = 1024;

/// The bytes of values at which a batch of [`RecordBatches`] ends, unless its one row has more.
pub const BATCH_BYTES: usize = 8 << 20;

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
    /// Its columns, and after them those that stand in its path. Types that CSV and JSON files were not given are those that hold every value of
    /// the file, and a column without a value counts as text. Of columns that are not needed nothing
    /// is found out: they have the type null.
    pub schema: SchemaRef,
    /// The columns as the format has them.
    stored: SchemaRef,
    /// The columns that stand in the path, by name.
    partitions: BTreeMap<String, Option<String>>,
    contents: Contents,
}

/// What a file says about its rows before they are read.
#[derive(Debug, Clone)]
enum Contents {
    Parquet(Box<Columns>),
    /// The rows of each batch.
    Arrow(Arc<[u64]>),
    Text {
        layout: Layout,
        /// The columns with what else would hold their values.
        found: SchemaRef,
        /// How many of them the file itself has.
        own: usize,
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
        let partitions: BTreeMap<_, _> = partitions::of(&source).into_iter().collect();
        // What is said of a column in the path is not said of the file.
        let mut own = options.clone();
        own.types.retain(|name, _| !partitions.contains_key(name));
        let look = |look: fn(&Source, &ReadOptions) -> Result<text::Opened, BoxError>| {
            noted::recall(&source, &own, notes).map_or_else(|| look(&source, &own), Ok)
        };
        let as_text = |layout, opened: text::Opened| {
            let text::Opened { schema: found, rows } = opened;
            let stored = Schema::new(found.fields().iter().map(settled).collect::<Vec<_>>());
            let own = found.fields().len();
            (stored.into(), Contents::Text { layout, found, own, encoding: options.encoding, rows })
        };
        let opened = guarded(|| {
            Ok(match source.format {
                Format::Parquet => {
                    let columns = parquet::open(&source, options)?;
                    (columns.schema.clone(), Contents::Parquet(Box::new(columns)))
                }
                Format::ArrowFile => {
                    let batches = ipc::file_batches(&source)?;
                    (ipc::file_schema(&source)?, Contents::Arrow(batches.into()))
                }
                Format::ArrowStream => {
                    ipc::refuse_feather_1(&source)?;
                    let batches = ipc::stream_batches(&source)?;
                    (ipc::stream_schema(&source)?, Contents::Arrow(batches.into()))
                }
                Format::Csv | Format::Tsv | Format::Text => {
                    let layout = Layout::Csv(Dialect::of(&source, options));
                    as_text(layout, look(csv::open)?)
                }
                Format::Json => as_text(Layout::Json, look(json::open)?),
            })
        });
        let (stored, contents) = opened.map_err(|error| Error::read(&source.shown, None, error))?;
        let mut input = Self { source, schema: stored.clone(), stored, partitions, contents };
        input.add_partitions(options);
        input.take_binary_as_text(options);
        input.check_types(&own.types)?;
        input.take_types(&options.types)?;
        Ok(input)
    }

    /// Notes what was found in a text file by opening it with `options`, unless it is noted.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be looked at.
    pub fn note(&self, options: &ReadOptions, notes: &mut Notes) -> Result<(), Error> {
        let Contents::Text { found, own, rows, .. } = &self.contents else { return Ok(()) };
        let stamp = self.source.stamp()?;
        if self.source.is_as(&stamp) && noted::recall(&self.source, options, notes).is_none() {
            let schema = Schema::new_with_metadata(found.fields()[..*own].to_vec(), found.metadata().clone());
            let opened = text::Opened { schema: schema.into(), rows: *rows };
            noted::remember(&self.source, options, &opened, stamp, notes);
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
            Contents::Parquet(found) => parquet::row_group_sizes(&found.decoder).sum(),
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
        field_at(&self.schema, column)
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
        let is_stored = |index: &usize| *index < self.stored.fields().len();
        let ascending: BTreeSet<usize> = places.iter().map(|place| place.index).filter(is_stored).collect();
        let ascending: Vec<usize> = ascending.into_iter().collect();
        let fields = places.iter().zip(columns).map(|(place, column)| place.field(column, &self.schema));
        let schema = Schema::new_with_metadata(fields.collect::<Vec<_>>(), self.schema.metadata().clone());
        let sources = places.iter().map(|place| {
            let in_path = self.partitions.get(self.schema.field(place.index).name()).cloned();
            match ascending.binary_search(&place.index) {
                Ok(index) => Column::Stored { place: Place { index, path: place.path.clone() }, in_path },
                Err(_) => Column::Path(in_path.flatten()),
            }
        });
        let sources = sources.collect();
        let stream = guarded(|| self.stream(&ascending, &rows)).map_err(|e| self.failure(&rows, e))?;
        Ok(RecordBatches::new(&self.source.shown, schema.into(), sources, rows, stream))
    }

    /// Makes sure that the file is still the one that was found, after `rows` of it were read.
    ///
    /// # Errors
    /// [`Error::Changed`]; [`Error::Io`] if it cannot be looked at.
    pub fn check_unchanged(&self, rows: &Range<u64>) -> Result<(), Error> {
        match self.source.is_unchanged()? {
            true => Ok(()),
            false => Err(Error::Changed { path: self.source.shown.clone(), rows: rows.clone() }),
        }
    }

    fn failure(&self, rows: &Range<u64>, error: impl Into<BoxError>) -> Error {
        Error::read(&self.source.shown, Some(rows.clone()), error)
    }

    fn stream(&self, columns: &[usize], rows: &Range<u64>) -> Result<Stream, BoxError> {
        let source = &self.source;
        match (&self.contents, self.source.format) {
            _ if rows.is_empty() => Ok(Stream::empty(rows.start)),
            (Contents::Parquet(found), _) => parquet::read(source, found, columns, &self.schema, rows),
            (Contents::Arrow(_), Format::ArrowStream) => ipc::read_stream(source, columns),
            (Contents::Arrow(batches), _) => ipc::read_file(source, batches, columns, rows.start),
            (Contents::Text { layout, encoding, .. }, _) => match layout {
                Layout::Csv(dialect) => {
                    csv::read(source, *dialect, *encoding, &self.stored, columns, rows.start)
                }
                Layout::Json => json::read(source, *encoding, &self.stored, columns, rows.start),
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
