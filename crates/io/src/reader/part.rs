//! A part, opened for inspection.

use std::ops::Range;
use std::path::Path;

use arrow::datatypes::SchemaRef;

use crate::{Error, Input, PROVENANCE_KEY, ReadOptions, RecordBatches, Source, Store};

/// A committed part file.
#[derive(Debug, Clone)]
pub struct PartFile {
    /// Its columns.
    pub schema: SchemaRef,
    /// The JSON text that [`WriterOptions::provenance`](crate::WriterOptions::provenance) was.
    pub provenance: Option<String>,
    /// Its number of rows.
    pub rows: u64,
    input: Input,
}

impl PartFile {
    /// Reads what a part says about itself, not its rows.
    ///
    /// # Errors
    /// [`Error::UnknownExtension`], [`Error::Io`], [`Error::Read`] if it is no readable part.
    pub fn open(path: &Path) -> Result<Self, Error> {
        Self::open_in(&Store::Local, path)
    }

    /// As [`PartFile::open`], for a part in any store.
    ///
    /// # Errors
    /// As [`PartFile::open`]; [`Error::Store`].
    pub fn open_in(store: &Store, path: &Path) -> Result<Self, Error> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let source = Source::from_store(store, path.to_owned(), name)?;
        let input = Input::open(source, &ReadOptions::default())?;
        Ok(Self {
            schema: input.schema.clone(),
            provenance: input.schema.metadata().get(PROVENANCE_KEY).cloned(),
            rows: input.count_rows()?,
            input,
        })
    }

    /// Streams columns of a range of rows, as [`Input::read`] does.
    ///
    /// # Errors
    /// Those of [`Input::read`].
    pub fn read(&self, columns: &[String], rows: Range<u64>) -> Result<RecordBatches, Error> {
        self.input.read(columns, rows)
    }
}
