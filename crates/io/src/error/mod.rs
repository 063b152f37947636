//! What can go wrong between a file and a record batch.

mod hint;
mod kind;

use std::fmt::Display;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use arrow::datatypes::DataType;
use arrow::error::ArrowError;

pub use kind::ErrorKind;

use crate::reader::text::fault::{Fault, Place};

/// An error of any type, kept as the cause of an [`Error`].
pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Every failure of this crate. The message says what was expected and what was found;
/// [`Error::hint`] says what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An input argument (or the lack of any) leads to no data file.
    #[error("expected data files at `{input}`, found {found}")]
    NoInput {
        /// The argument as it was given.
        input: String,
        /// What is there instead.
        found: &'static str,
    },
    /// A link or another thing with the name of a data file leads to none.
    #[error("expected a file at {}, found {found}", path.display())]
    NotAFile {
        /// Its place.
        path: PathBuf,
        /// What is there.
        found: String,
    },
    /// A folder is a table, of which only some files count.
    #[error("{} is a table of {format}: which of its files and rows count stands in its log, not in the folder", folder.display())]
    TableFolder {
        /// The folder.
        folder: PathBuf,
        /// What the table is of.
        format: &'static str,
    },
    /// A file was named whose extension stands for no known format, or data was found within what is not read.
    #[error("expected a data file, found an unknown extension: {}", path.display())]
    UnknownExtension {
        /// The file.
        path: PathBuf,
    },
    /// Two different files would write parts of the same names.
    #[error("two inputs would both write parts named `{stem}-*`: {} and {}", first.display(), second.display())]
    SameStem {
        /// The shared stem of the part names.
        stem: String,
        /// The file found first.
        first: PathBuf,
        /// The file found second.
        second: PathBuf,
    },
    /// A column was asked for that the file lacks.
    #[error("expected a column `{column}` in {}, found {}", path.display(), list(found))]
    UnknownColumn {
        /// The file.
        path: PathBuf,
        /// The name asked for.
        column: String,
        /// The names the file has.
        found: Vec<String>,
    },
    /// A column was asked for whose name stands more than once in the file.
    #[error("expected one column `{column}` in {}, found {count}", path.display())]
    AmbiguousColumn {
        /// The file.
        path: PathBuf,
        /// The name asked for.
        column: String,
        /// How often the file has it.
        count: usize,
    },
    /// A column was given a type that the file's format has no values of.
    #[error("column `{column}` of {} cannot be read as {data_type}", path.display())]
    NotReadable {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
        /// The type it was given.
        data_type: DataType,
        /// Why not.
        source: BoxError,
    },
    /// An array was to be read as text, or lists or spans of it, and is not.
    #[error("expected {expected}, found {found}")]
    NotText {
        /// What it was to be.
        expected: &'static str,
        /// The array's type.
        found: DataType,
    },
    /// A file, or a column of it, is encrypted.
    #[error("{}{} is encrypted", of_column(column), path.display())]
    Encrypted {
        /// The file.
        path: PathBuf,
        /// The column, if not the whole file.
        column: Option<String>,
    },
    /// A file's bytes could not be turned into record batches.
    #[error("cannot read {}{}", path.display(), rows_suffix(rows))]
    Read {
        /// The file.
        path: PathBuf,
        /// The rows being read, where reading had come that far.
        rows: Option<Range<u64>>,
        /// What the reader said.
        source: BoxError,
    },
    /// A record of a text file is not written as its format says.
    #[error("cannot read {}, row {row} (line {line})", path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// The record, counted from 0.
        row: u64,
        /// The line of the file, counted from 1.
        line: u64,
        /// What is wrong with it.
        source: BoxError,
        /// What can be done.
        hint: &'static str,
    },
    /// A value of a text file is not of its column's type, and would not survive in it.
    #[error(
        "expected {} in column `{}` of {}, found {} in row {row} (line {line})",
        unfit.expected, unfit.column, path.display(), unfit.found
    )]
    Value {
        /// The file.
        path: PathBuf,
        /// The record, counted from 0.
        row: u64,
        /// The line of the file, counted from 1.
        line: u64,
        /// The value and its column.
        unfit: Box<Unfit>,
    },
    /// A value that the type of its column has no place for.
    #[error("{}, row {row}, column `{column}`: {reason}", path.display())]
    NotKept {
        /// The file.
        path: PathBuf,
        /// The row of the file, counted from 0.
        row: u64,
        /// The column.
        column: String,
        /// Why not.
        reason: String,
        /// A type that would keep it, where one is known.
        fitting: Option<&'static str>,
    },
    /// A file holds fewer rows than were asked of it.
    #[error("expected {expected} rows in {}, found {found}", path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
        /// The end of the range of rows that was asked for.
        expected: u64,
        /// The row at which the file ended.
        found: u64,
    },
    /// A file is not the one any more whose schema and identity were taken.
    #[error("{} changed while rows {}..{} were read", path.display(), rows.start, rows.end)]
    Changed {
        /// The file.
        path: PathBuf,
        /// The rows that were read.
        rows: Range<u64>,
    },
    /// The output format has no place for a column's type.
    #[error("the {format} format cannot hold column `{column}` of type {data_type}")]
    NotWritable {
        /// The column.
        column: String,
        /// Its type.
        data_type: DataType,
        /// The output format's name.
        format: &'static str,
        /// Why not.
        source: BoxError,
    },
    /// A batch does not have the columns the part was created with.
    #[error("expected batches of {expected} in {}, found {found}", path.display())]
    SchemaMismatch {
        /// The part.
        path: PathBuf,
        /// The part's columns.
        expected: String,
        /// The batch's columns.
        found: String,
    },
    /// Values, validity and shape of a vector column do not fit together.
    #[error("expected {expected}, found {found}")]
    Shape {
        /// What fits.
        expected: String,
        /// What was given.
        found: String,
    },
    /// A finite value is too large for float16.
    #[error("expected values within ±65504 for float16, found {value} in row {row}")]
    Float16Overflow {
        /// The row of the array, or of the input that it came of, counted from 0.
        row: usize,
        /// The value.
        value: f32,
    },
    /// A part could not be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The part.
        path: PathBuf,
        /// What the writer said.
        source: BoxError,
    },
    /// The manifest is there but cannot be understood.
    #[error("cannot understand {}", path.display())]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// What is wrong with it.
        source: BoxError,
    },
    /// The manifest was written by an incompatible version.
    #[error("expected format version {expected} in {}, found {found}", path.display())]
    ManifestVersion {
        /// The manifest.
        path: PathBuf,
        /// The version this build reads and writes.
        expected: u32,
        /// The version of the file.
        found: u64,
    },
    /// A name in a manifest would reach outside its folder.
    #[error("expected a plain {what} in the manifest, found `{name}`")]
    ManifestName {
        /// `file name` or `relative path`.
        what: &'static str,
        /// The offending name.
        name: String,
    },
    /// Another process is writing to the output folder.
    #[error("{} is in use{}", folder.display(), holder(pid, since))]
    Locked {
        /// The output folder.
        folder: PathBuf,
        /// The holder's process id, where it could be read.
        pid: Option<u32>,
        /// When the holder started (UTC, RFC 3339), where it could be read.
        since: Option<String>,
    },
    /// Another writer took the output over while this one could not be heard of.
    #[error("the lease of {} ran out: another run may write to it now", folder.display())]
    LeaseLost {
        /// The output folder.
        folder: PathBuf,
    },
    /// An address leads to no store, or not to one for this.
    #[error("cannot use {}: {reason}", address.display())]
    Address {
        /// The address.
        address: PathBuf,
        /// Why not.
        reason: String,
        /// What can be done.
        hint: &'static str,
    },
    /// A store did not do what was asked of it, also when asked again.
    #[error("cannot {doing} {}: {reason}", address.display())]
    Store {
        /// The address of the file or folder.
        address: PathBuf,
        /// What was asked.
        doing: &'static str,
        /// What kind of answer came.
        trouble: StoreTrouble,
        /// What the store said.
        reason: String,
    },
    /// The operating system refused; its message names the path.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// What kind of answer a store gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoreTrouble {
    /// There is no such file, bucket or server.
    NotThere,
    /// Whoever asks may not.
    Denied,
    /// The store does not know how.
    Unsupported,
    /// The file is another than before.
    Changed,
    /// None, or that something is wrong over there.
    Failed,
}

/// A value that has no place in its column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfit {
    /// The column, with the keys that lead from there to the value.
    pub column: String,
    /// What the column holds.
    pub expected: String,
    /// The value.
    pub found: String,
    /// The column with a type that keeps all of its values.
    pub keep: String,
}

impl Error {
    /// A [`Error::Read`] of `path`, at `rows` where known.
    pub(crate) fn read(path: &Path, rows: Option<Range<u64>>, source: impl Into<BoxError>) -> Self {
        let source = match source.into().downcast::<Self>() {
            Ok(error) => return *error,
            Err(source) => source,
        };
        match Self::of_fault(path, source) {
            Ok(error) => error,
            Err(source) => Self::Read { path: path.to_owned(), rows, source },
        }
    }

    /// The error of a text file, if its reader ended with a fault.
    fn of_fault(path: &Path, source: BoxError) -> Result<Self, BoxError> {
        let source = match source.downcast::<ArrowError>().map(|error| *error) {
            Ok(ArrowError::ExternalError(inner)) => inner,
            Ok(other) => return Err(Box::new(other)),
            Err(source) => source,
        };
        let path = path.to_owned();
        Ok(match *source.downcast::<Fault>()? {
            Fault::Record { place: Place { row, line }, reason, hint } => {
                Self::Record { path, row, line, source: reason.into(), hint }
            }
            Fault::Value { place: Place { row, line }, unfit } => Self::Value { path, row, line, unfit },
        })
    }

    /// A [`Error::Write`] of `path`.
    pub(crate) fn write(path: &Path, source: impl Into<BoxError>) -> Self {
        let (path, source) = (path.to_owned(), source.into());
        Self::Write { path, source }
    }

    /// A [`Error::Manifest`] at `path`.
    pub(crate) fn manifest(path: &Path, source: impl Into<BoxError>) -> Self {
        let (path, source) = (path.to_owned(), source.into());
        Self::Manifest { path, source }
    }
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "no columns".to_owned() } else { names.join(", ") }
}

fn of_column(column: &Option<String>) -> String {
    column.as_ref().map(|column| format!("column `{column}` of ")).unwrap_or_default()
}

fn rows_suffix(rows: &Option<Range<u64>>) -> String {
    rows.as_ref().map(|rows| format!(", rows {}..{}", rows.start, rows.end)).unwrap_or_default()
}

fn holder(pid: &Option<impl Display>, since: &Option<String>) -> String {
    let pid = pid.as_ref().map(|pid| format!(" by process {pid}"));
    let since = since.as_ref().map(|since| format!(" since {since}"));
    pid.unwrap_or_default() + &since.unwrap_or_default()
}
