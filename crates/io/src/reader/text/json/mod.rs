//! JSON files: objects, one a line, one after another, or all in one array. A missing key is null.

mod build;
mod numbers;
mod records;
mod scan;
mod shape;

use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};

use build::{Node, Objects};
use records::Records;
pub(super) use scan::is_json_text;
use scan::{Kind, Scanner, Stop};
use shape::{Asked, Object};

use super::bytes::Bytes;
use super::{BATCH_BYTES, Opened, settled};
use crate::Source;
use crate::error::BoxError;
use crate::reader::{BATCH_ROWS, ReadOptions, Stream};

/// How many rows must show that every column is there, where no type is to be found.
const SAMPLE_ROWS: u64 = 1000;

/// Finds the columns of a file and the types that hold all of their values.
pub(in crate::reader) fn open(source: &Source, options: &ReadOptions) -> Result<Opened, BoxError> {
    let mut columns = Object::new(options.needed.is_none());
    for name in options.needed.iter().flatten() {
        columns.ask(name, &Asked::All);
    }
    for name in &options.text_columns {
        columns.ask(name, &Asked::Text);
    }
    for (name, given) in &options.types {
        columns.ask(name, &Asked::Typed(given.clone()));
    }
    let mut records = Records::new(Bytes::open(source, options.encoding)?);
    let is_settled = settled(options);
    while let Some(record) = records.next()? {
        columns.add(record.entries(), 0).map_err(|misfit| misfit.fault(record.place()))?;
        if is_settled
            && records.rows() == SAMPLE_ROWS
            && options.needed.iter().flatten().all(|name| columns.has(name))
        {
            return Ok(Opened { schema: schema(&columns), rows: None });
        }
    }
    Ok(Opened { schema: schema(&columns), rows: Some(records.rows()) })
}

fn schema(columns: &Object) -> SchemaRef {
    Schema::new(columns.fields()).into()
}

/// Whether a field's type has JSON values.
pub(in crate::reader) fn has_values(field: &Field) -> bool {
    Node::new(field).is_some()
}

/// Starts at row `first`; the objects before it are passed over.
pub(in crate::reader) fn read(
    source: &Source,
    encoding: Option<&'static encoding_rs::Encoding>,
    schema: &SchemaRef,
    columns: &[usize],
    first: u64,
) -> Result<Stream, BoxError> {
    let mut records = Records::new(Bytes::open(source, encoding)?);
    while records.rows() < first && records.next()?.is_some() {}
    let schema: SchemaRef = Arc::new(schema.project(columns)?);
    let objects = Objects::new(schema.fields()).ok_or("a column is of a type that no JSON value has")?;
    let first = records.rows();
    let mut batches = Batches { records, objects, schema };
    Ok(Stream { first, batches: Box::new(std::iter::from_fn(move || batches.next().transpose())) })
}

struct Batches {
    records: Records,
    objects: Objects,
    schema: SchemaRef,
}

impl Batches {
    fn next(&mut self) -> Result<Option<RecordBatch>, ArrowError> {
        let (mut rows, mut bytes) = (0, 0);
        while rows < BATCH_ROWS && bytes < BATCH_BYTES {
            let Some(record) = self.records.next().map_err(ArrowError::ExternalError)? else { break };
            bytes += record.bytes();
            self.objects.push(record.entries()).map_err(|misfit| misfit.fault(record.place()))?;
            rows += 1;
        }
        if rows == 0 {
            return Ok(None);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let arrays = self.objects.finish()?;
        RecordBatch::try_new_with_options(self.schema.clone(), arrays, &options).map(Some)
    }
}

/// A key, with its quotes, and its value.
type Entry<'a> = (&'a [u8], &'a [u8]);

/// The entries of the object that a scanner stands before.
fn entries<'a>(scanner: &mut Scanner<'a>) -> Result<Vec<Entry<'a>>, Stop> {
    let mut entries = Vec::new();
    let mut more = scanner.enter()?;
    while more {
        let (key, value) = (scanner.key()?, scanner.value()?);
        entries.push((scanner.slice(key), scanner.slice(value)));
        more = scanner.next(Kind::Object)?;
    }
    Ok(entries)
}
