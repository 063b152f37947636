//! JSON files: objects, one a line, one after another, or all in one array. A missing key is null.

mod build;
mod records;
mod scan;
mod shape;

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::error::ArrowError;

use build::{Node, Objects};
use records::Records;
use scan::{Kind, Scanner, Stop};
use shape::{Asked, Object};

use super::batches::{Collector, batches};
use super::bytes::Bytes;
use super::{Opened, settled};
use crate::Source;
use crate::error::BoxError;
use crate::reader::{ReadOptions, Stream};

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
    Ok(Stream { first, batches: batches(schema, Rows { records, objects }) })
}

/// The objects of a file, as columns.
struct Rows {
    records: Records,
    objects: Objects,
}

impl Collector for Rows {
    fn take(&mut self) -> Result<Option<usize>, ArrowError> {
        let Some(record) = self.records.next().map_err(ArrowError::ExternalError)? else { return Ok(None) };
        self.objects.push(record.entries()).map_err(|misfit| misfit.fault(record.place()))?;
        Ok(Some(record.bytes()))
    }

    fn finish(&mut self) -> Result<Vec<ArrayRef>, ArrowError> {
        self.objects.finish()
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
