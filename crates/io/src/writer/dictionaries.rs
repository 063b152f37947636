//! Arrow files with dictionary columns. Such a file has one dictionary per column, written before
//! the batches, and it is complete only after the last batch: chunks wait in a spool file.

use std::io::{BufReader, BufWriter, Seek, Write};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, new_empty_array};
use arrow::compute::{cast, concat};
use arrow::datatypes::{DataType, SchemaRef};
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::{FileWriter, StreamWriter};
use fs_err::File;

use super::plain::decoded;
use crate::error::BoxError;
use crate::output::commit::SPOOL_SUFFIX;
use crate::output::sweep::ignore_absent;

pub(crate) struct SpooledWriter<W: Write> {
    schema: SchemaRef,
    writer: FileWriter<W>,
    spool: StreamWriter<BufWriter<File>>,
    /// For each column, the distinct values seen so far, in order of appearance; empty for columns
    /// that are no dictionaries.
    values: Vec<ArrayRef>,
}

impl<W: Write> SpooledWriter<W> {
    pub(super) fn new(sink: W, schema: &SchemaRef, path: &Path) -> Result<Self, BoxError> {
        let values =
            decoded(schema).fields().iter().map(|field| new_empty_array(field.data_type())).collect();
        Ok(Self {
            schema: schema.clone(),
            writer: FileWriter::try_new(sink, schema)?,
            spool: StreamWriter::try_new(BufWriter::new(nameless_file(path)?), &decoded(schema))?,
            values,
        })
    }

    /// Takes a chunk of [`decoded`] columns.
    pub(super) fn write(&mut self, chunk: &RecordBatch) -> Result<(), BoxError> {
        for (index, field) in self.schema.fields().iter().enumerate() {
            if is_dictionary(field.data_type()) {
                let values = &mut self.values[index];
                let both = packed(values, chunk.column(index), field.data_type())?;
                *values = both.as_any_dictionary().values().clone();
            }
        }
        Ok(self.spool.write(chunk)?)
    }

    /// Writes the file from the spooled chunks and the complete dictionaries.
    pub(super) fn finish(mut self) -> Result<W, BoxError> {
        let mut spool = self.spool.into_inner()?.into_inner().map_err(|error| error.into_error())?;
        spool.rewind()?;
        for chunk in StreamReader::try_new(BufReader::new(spool), None)? {
            self.writer.write(&encoded(&chunk?, &self.schema, &self.values)?)?;
        }
        self.writer.finish()?;
        Ok(self.writer.into_inner()?)
    }
}

pub(super) fn is_dictionary(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Dictionary(..))
}

/// A file that vanishes when it is closed, beside the temporary file at `path`.
fn nameless_file(path: &Path) -> Result<File, BoxError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let path = path.with_file_name(format!("{name}.{}{SPOOL_SUFFIX}", std::process::id()));
    let mut options = File::options();
    let file = options.read(true).write(true).create(true).truncate(true).open(&path)?;
    ignore_absent(fs_err::remove_file(&path))?;
    Ok(file)
}

/// `values` followed by `column`, as a dictionary. It starts with `values`, whose elements differ.
fn packed(values: &ArrayRef, column: &ArrayRef, data_type: &DataType) -> Result<ArrayRef, ArrowError> {
    cast(&concat(&[values, column])?, data_type)
}

/// A chunk with the columns of `schema`, dictionaries sharing `values`.
fn encoded(chunk: &RecordBatch, schema: &SchemaRef, values: &[ArrayRef]) -> Result<RecordBatch, ArrowError> {
    let columns = chunk.columns().iter().zip(values).zip(schema.fields());
    let columns = columns.map(|((column, values), field)| {
        if !is_dictionary(field.data_type()) {
            return Ok(column.clone());
        }
        let both = packed(values, column, field.data_type())?;
        let column = both.slice(values.len(), column.len());
        Ok(column.as_any_dictionary().with_values(Arc::clone(values)))
    });
    RecordBatch::try_new(schema.clone(), columns.collect::<Result<_, ArrowError>>()?)
}
