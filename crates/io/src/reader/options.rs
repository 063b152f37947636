//! What the text formats leave open: the types of their columns, and how they are written.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use arrow::datatypes::{DataType, Field};
use encoding_rs::Encoding;

use crate::columns::is_json;

/// How files are read that say less of themselves than is to be known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadOptions {
    /// Types of columns, in place of inferred ones or those of the file. A file has them all, but in a
    /// JSON file a column may first appear in any row.
    pub types: BTreeMap<String, ColumnType>,
    /// Columns taken as text if `types` says nothing of them, so that `007` stays `007`.
    pub text_columns: Vec<String>,
    /// The columns that will be read; `None` for all of them. Nothing is found out about the others:
    /// they have the type null.
    pub needed: Option<Vec<String>>,
    /// How CSV and TSV files are written.
    pub csv: CsvDialect,
    /// How the text is encoded; `None` for UTF-8. A byte order mark wins.
    pub encoding: Option<&'static Encoding>,
    /// Whether binary columns of Parquet files are text where the file does not say what they are.
    pub binary_as_text: bool,
    /// Types of the columns in the paths of files; see [`partition_types`](crate::partition_types).
    pub partitions: BTreeMap<String, DataType>,
}

impl ReadOptions {
    /// Whether a column will be read, or a field of it.
    pub(crate) fn is_needed(&self, name: &str) -> bool {
        self.needed.as_ref().is_none_or(|needed| needed.iter().any(|needed| needed == name))
    }
}

/// The type of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ColumnType {
    /// An Arrow type.
    Arrow(DataType),
    /// Values of any kind, kept as their JSON text: a string column that is marked as `arrow.json`.
    Json,
}

impl ColumnType {
    /// The type of a field.
    pub(crate) fn of(field: &Field) -> Self {
        if is_json(field) { Self::Json } else { Self::Arrow(field.data_type().clone()) }
    }
}

impl fmt::Display for ColumnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Arrow(data_type) => data_type.fmt(f),
            Self::Json => f.write_str("Json"),
        }
    }
}

impl FromStr for ColumnType {
    type Err = arrow::error::ArrowError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        if name == "Json" { Ok(Self::Json) } else { name.parse().map(Self::Arrow) }
    }
}

impl From<DataType> for ColumnType {
    fn from(data_type: DataType) -> Self {
        Self::Arrow(data_type)
    }
}

/// How a CSV file is divided into records and fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CsvDialect {
    /// The ASCII character between two fields; `None` for the one the extension stands for, a comma
    /// or a tab.
    pub delimiter: Option<u8>,
    /// Whether the first record holds the names of the columns. They are `column_1`, `column_2`, …
    /// if it does not.
    pub header: bool,
    /// The ASCII character around fields that hold a delimiter or a line break; `None` where no
    /// field is wrapped, and quotation marks are text.
    pub quote: Option<u8>,
    /// The ASCII character before one that would otherwise divide or end a field; `None` where a
    /// quote within quotes is written twice.
    pub escape: Option<u8>,
}

impl Default for CsvDialect {
    fn default() -> Self {
        Self { delimiter: None, header: true, quote: Some(b'"'), escape: None }
    }
}
