//! CSV and TSV files, and lines of text, which are CSV of one column that nothing divides.

mod kinds;
mod split;

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef};
use arrow::error::ArrowError;

use split::Records;

use super::batches::{Collector, batches};
use super::bytes::Bytes;
use super::fault::{Fault, Place, shown};
use super::{Opened, settled};
use crate::columns::{Fits, Values, json_field, values};
use crate::error::BoxError;
use crate::reader::options::ColumnType;
use crate::reader::{ReadOptions, Stream};
use crate::{Format, Source, Unfit};

/// The column of a file of lines.
const LINES: &str = "text";

/// How a file is divided into records and fields.
#[derive(Debug, Clone, Copy)]
pub(in crate::reader) struct Dialect {
    delimiter: Option<u8>,
    quote: Option<u8>,
    escape: Option<u8>,
    header: bool,
    /// Whether a line is a text, also one that is empty.
    is_lines: bool,
}

impl Dialect {
    pub fn of(source: &Source, options: &ReadOptions) -> Self {
        let csv = options.csv;
        let usual = match source.format {
            Format::Text => {
                return Self { delimiter: None, quote: None, escape: None, header: false, is_lines: true };
            }
            Format::Tsv => b'\t',
            _ => b',',
        };
        Self {
            delimiter: Some(csv.delimiter.unwrap_or(usual)),
            quote: csv.quote,
            // A quote that escapes itself is what the reader knows anyway.
            escape: csv.escape.filter(|escape| Some(*escape) != csv.quote),
            header: csv.header,
            is_lines: false,
        }
    }
}

/// Finds the columns of a file and the types that hold all of their values.
pub(in crate::reader) fn open(source: &Source, options: &ReadOptions) -> Result<Opened, BoxError> {
    let dialect = Dialect::of(source, options);
    let mut records = Records::new(Bytes::open(source, options.encoding)?, dialect);
    let mut names = if dialect.is_lines { vec![LINES.to_owned()] } else { Vec::new() };
    if dialect.header
        && let Some(header) = records.header()?
    {
        let name = |index| {
            let bytes = header.text(index);
            let name = std::str::from_utf8(bytes).map_err(|_| Fault::encoding(header.place(), bytes))?;
            Ok::<_, Fault>(name.to_owned())
        };
        names = (0..header.len()).map(name).collect::<Result<_, _>>()?;
    }
    let mut fits = vec![Fits::ALL; names.len()];
    let mut looked_at = looked_at(&names, options);
    if !settled(options) || names.is_empty() {
        while let Some(record) = records.next()? {
            if names.is_empty() && !dialect.header {
                names = (1..=record.len()).map(|number| format!("column_{number}")).collect();
                fits = vec![Fits::ALL; names.len()];
                looked_at = self::looked_at(&names, options);
                if settled(options) {
                    return Ok(Opened { schema: schema(&names, &fits, options), rows: None });
                }
            }
            for &(index, is_typed) in &looked_at {
                let Some(bytes) = record.get(index) else { continue };
                let text =
                    simdutf8::basic::from_utf8(bytes).map_err(|_| Fault::encoding(record.place(), bytes))?;
                let among = &mut fits[index];
                if !is_typed && *among != Fits::TEXT {
                    *among = among.and(kinds::fits(text, *among));
                }
            }
        }
        return Ok(Opened { schema: schema(&names, &fits, options), rows: Some(records.rows()) });
    }
    Ok(Opened { schema: schema(&names, &fits, options), rows: None })
}

/// The columns that are needed, and whether their types are known.
fn looked_at(names: &[String], options: &ReadOptions) -> Vec<(usize, bool)> {
    let is_typed = |name: &String| options.types.contains_key(name) || options.text_columns.contains(name);
    let columns = names.iter().enumerate().filter(|(_, name)| options.is_needed(name));
    columns.map(|(index, name)| (index, is_typed(name))).collect()
}

fn schema(names: &[String], fits: &[Fits], options: &ReadOptions) -> SchemaRef {
    let field = |(name, fits): (&String, &Fits)| {
        let data_type = match options.types.get(name) {
            Some(ColumnType::Json) => return json_field(name),
            Some(ColumnType::Arrow(data_type)) => data_type.clone(),
            None if !options.is_needed(name) => DataType::Null,
            None if options.text_columns.contains(name) => DataType::Utf8,
            None => return fits.field(name),
        };
        Field::new(name, data_type, true)
    };
    Schema::new(names.iter().zip(fits).map(field).collect::<Vec<_>>()).into()
}

/// Whether a field's type has values that a text stands for.
pub(in crate::reader) fn has_values(field: &Field) -> bool {
    values(field).is_some()
}

/// Starts at row `first`; the records before it are passed over.
pub(in crate::reader) fn read(
    source: &Source,
    dialect: Dialect,
    encoding: Option<&'static encoding_rs::Encoding>,
    schema: &SchemaRef,
    columns: &[usize],
    first: u64,
) -> Result<Stream, BoxError> {
    let mut records = Records::new(Bytes::open(source, encoding)?, dialect);
    if dialect.header {
        records.header()?;
    }
    while records.rows() < first && records.next()?.is_some() {}
    let schema: SchemaRef = Arc::new(schema.project(columns)?);
    let column =
        |(index, field): (&usize, &Arc<Field>)| Some(Column { index: *index, values: values(field)? });
    let columns = columns.iter().zip(schema.fields()).map(column).collect::<Option<Vec<_>>>();
    let columns = columns.ok_or("a column is of a type that no field of CSV has")?;
    let first = records.rows();
    let fields = schema.fields().clone();
    let rows = Rows { records, columns, fields, is_lines: dialect.is_lines };
    Ok(Stream { first, batches: batches(schema, rows) })
}

struct Column {
    index: usize,
    values: Box<dyn Values>,
}

/// The rows of a file, as columns.
struct Rows {
    records: Records,
    columns: Vec<Column>,
    fields: Fields,
    is_lines: bool,
}

impl Collector for Rows {
    fn take(&mut self) -> Result<Option<usize>, ArrowError> {
        let Some(record) = self.records.next().map_err(ArrowError::ExternalError)? else { return Ok(None) };
        for (Column { index, values }, field) in self.columns.iter_mut().zip(&self.fields) {
            let text = if self.is_lines { Some(record.text(*index)) } else { record.get(*index) };
            match text {
                None => values.push_null(),
                Some(text) => push(values.as_mut(), text, field, || record.place())?,
            }
        }
        Ok(Some(record.bytes()))
    }

    fn finish(&mut self) -> Result<Vec<ArrayRef>, ArrowError> {
        Ok(self.columns.iter_mut().map(|column| column.values.finish()).collect())
    }
}

fn push(values: &mut dyn Values, text: &[u8], field: &Field, place: impl Fn() -> Place) -> Result<(), Fault> {
    let text = simdutf8::basic::from_utf8(text).map_err(|_| Fault::encoding(place(), text))?;
    if values.push(text, false) {
        return Ok(());
    }
    let unfit = Unfit {
        column: field.name().clone(),
        expected: ColumnType::of(field).to_string(),
        found: format!("`{}`", shown(text)),
        keep: format!("{}=Utf8", field.name()),
    };
    Err(Fault::Value { place: place(), unfit: Box::new(unfit) })
}
