//! What the text formats leave open: the types of their columns, and how CSV is written.

use std::collections::BTreeMap;

use arrow::datatypes::DataType;

/// How CSV, TSV and JSON Lines files are read. The other formats say all of it themselves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadOptions {
    /// Types of columns, in place of inferred ones. A CSV file has them all; in a JSON Lines file a
    /// column may first appear in any row.
    pub types: BTreeMap<String, DataType>,
    /// Columns taken as text if `types` says nothing of them, so that `007` stays `007`.
    pub text_columns: Vec<String>,
    /// How CSV and TSV files are written.
    pub csv: CsvDialect,
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
}

impl Default for CsvDialect {
    fn default() -> Self {
        Self { delimiter: None, header: true, quote: Some(b'"') }
    }
}
