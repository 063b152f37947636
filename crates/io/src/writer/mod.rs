//! Part files: written somewhere else, committed whole.

mod chunks;
mod dictionaries;
pub(crate) mod encode;
pub(crate) mod plain;
mod sink;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use fs_err::File;
use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, VariantNames};

use crate::output::commit::Partial;
use crate::{Error, check_writable};
use chunks::Chunks;
use encode::Encoder;
use sink::HashingFile;

/// The key of the provenance in a part's metadata.
pub const PROVENANCE_KEY: &str = "strata";

/// The format of the part files.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    Default,
    EnumString,
    Display,
    VariantNames,
    Serialize,
    Deserialize,
)]
#[strum(serialize_all = "lowercase")]
#[serde(rename_all = "lowercase")]
pub enum OutputFormat {
    /// Apache Parquet.
    #[default]
    Parquet,
    /// Arrow IPC with a footer, uncompressed, so that readers can map it into memory.
    Arrow,
}

impl OutputFormat {
    /// The extension of the part files, without the dot.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::Arrow => "arrow",
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Parquet => "Parquet",
            Self::Arrow => "Arrow",
        }
    }
}

/// How a part is written.
#[derive(Debug, Clone)]
pub struct WriterOptions {
    /// The file format.
    pub format: OutputFormat,
    /// A JSON text to keep in the file's metadata under [`PROVENANCE_KEY`].
    pub provenance: Option<String>,
    /// Parquet: the size at which a row group is closed, in encoded bytes.
    pub row_group_bytes: usize,
    /// Where the file grows.
    pub growing: Growing,
    /// Tells this writer's temporary files from those of others that write to the same folder;
    /// empty where there are none.
    pub owner: String,
}

/// Where a part is before it has its name.
#[derive(Debug, Clone, Default)]
pub enum Growing {
    /// Beside its place.
    #[default]
    Beside,
    /// In another folder of the same file system.
    In(PathBuf),
    /// Among the temporary files of this machine, without any name: its place is in a store.
    Apart,
}

impl Default for WriterOptions {
    fn default() -> Self {
        Self {
            format: OutputFormat::Parquet,
            provenance: None,
            row_group_bytes: 64 << 20,
            growing: Growing::Beside,
            owner: String::new(),
        }
    }
}

/// A committed part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FinishedPart {
    /// Its name in the output folder.
    pub file_name: String,
    /// Its number of rows.
    pub rows: u64,
    /// Its size in bytes.
    pub bytes: u64,
    /// The BLAKE3 hash of its bytes, in hexadecimal.
    pub blake3: String,
    /// The name it has in a store.
    pub stored_as: Option<String>,
}

/// A part whose bytes are durable but that has no name yet; dropped, it leaves nothing behind.
#[derive(Debug)]
pub struct ClosedPart {
    partial: Partial,
    file: File,
    finished: FinishedPart,
}

impl ClosedPart {
    /// Gives the part its name, for good.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn commit(self) -> Result<FinishedPart, Error> {
        self.partial.put_in_place()?;
        Ok(self.finished)
    }

    /// Its bytes, as long as it has no name, and what is known of them.
    pub(crate) fn into_bytes(self) -> (File, FinishedPart) {
        (self.file, self.finished)
    }
}

/// Writes one part. Nothing is visible under its name until [`PartWriter::finish`]; dropped before
/// that, it leaves nothing behind.
///
/// The bytes of a part depend on its rows, schema and options only, not on how the rows were
/// divided into batches.
pub struct PartWriter {
    partial: Partial,
    file_name: String,
    schema: SchemaRef,
    chunks: Chunks,
    encoder: Encoder<HashingFile>,
    rows: u64,
}

impl PartWriter {
    /// Starts the part `file_name` in `folder`, which must exist. The provenance joins the schema's own
    /// metadata.
    ///
    /// # Errors
    /// [`Error::NotWritable`] as of [`check_writable`], before anything is touched;
    /// [`Error::Io`] if the file cannot be created.
    pub fn create(
        folder: &Path,
        file_name: &str,
        schema: SchemaRef,
        options: &WriterOptions,
    ) -> Result<Self, Error> {
        check_writable(&schema, options.format)?;
        let mut metadata = schema.metadata().clone();
        if let Some(json) = &options.provenance {
            metadata.insert(PROVENANCE_KEY, json);
        }
        let schema = Arc::new(Schema::new_with_metadata(schema.fields().clone(), metadata));
        let target = folder.join(file_name);
        let (partial, file) = match &options.growing {
            Growing::Beside => Partial::create(&target, folder, &options.owner)?,
            Growing::In(other) => Partial::create(&target, other, &options.owner)?,
            Growing::Apart => Partial::apart(&target)?,
        };
        let encoder = Encoder::new(HashingFile::new(file), partial.path(), &schema, options)
            .map_err(|error| Error::write(&target, error))?;
        Ok(Self {
            partial,
            file_name: file_name.to_owned(),
            chunks: Chunks::new(plain::decoded(&schema), options.row_group_bytes / 8),
            schema,
            encoder,
            rows: 0,
        })
    }

    /// Appends the rows of a batch.
    ///
    /// # Errors
    /// [`Error::SchemaMismatch`] if the batch has other columns than the part;
    /// [`Error::Write`] if it cannot be encoded or the disk is full.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        if batch.schema().fields() != self.schema.fields() {
            return Err(Error::SchemaMismatch {
                path: self.path(),
                expected: columns(&self.schema),
                found: columns(&batch.schema()),
            });
        }
        let decoded = plain::decode(batch).map_err(|error| self.failure(error))?;
        self.chunks.push(&decoded).map_err(|error| self.failure(error))?;
        self.rows += batch.num_rows() as u64;
        self.drain()
    }

    /// Completes the file, makes it durable and gives it its name.
    ///
    /// # Errors
    /// [`Error::Write`] or [`Error::Io`]; nothing is then left behind.
    pub fn finish(self) -> Result<FinishedPart, Error> {
        self.close()?.commit()
    }

    /// Completes the file and makes its bytes durable; it has no name yet.
    ///
    /// # Errors
    /// [`Error::Write`] or [`Error::Io`]; nothing is then left behind.
    pub fn close(mut self) -> Result<ClosedPart, Error> {
        self.chunks.finish().map_err(|error| self.failure(error))?;
        self.drain()?;
        let target = self.path();
        let sink = self.encoder.finish().map_err(|error| Error::write(&target, error))?;
        let (file, bytes, blake3) = sink.finish()?;
        file.sync_all()?;
        let finished =
            FinishedPart { file_name: self.file_name, rows: self.rows, bytes, blake3, stored_as: None };
        Ok(ClosedPart { partial: self.partial, file, finished })
    }

    fn drain(&mut self) -> Result<(), Error> {
        while let Some(chunk) = self.chunks.next() {
            self.encoder.write(&chunk).map_err(|error| self.failure(error))?;
        }
        Ok(())
    }

    fn path(&self) -> PathBuf {
        self.partial.target().to_owned()
    }

    fn failure(&self, error: impl Into<crate::error::BoxError>) -> Error {
        Error::write(self.partial.target(), error)
    }
}

fn columns(schema: &Schema) -> String {
    let describe = |field: &Arc<Field>| format!("{}: {}", field.name(), type_name(field));
    schema.fields().iter().map(describe).collect::<Vec<_>>().join(", ")
}

fn type_name(field: &Field) -> String {
    let data_type: &DataType = field.data_type();
    format!("{data_type}{}", if field.is_nullable() { "" } else { " not null" })
}
