//! Whether an output format has a place for every column, known before any work is done.

use std::io;
use std::panic::catch_unwind;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, new_null_array};
use arrow::compute::{cast, concat};
use arrow::datatypes::{DataType, Field, Schema};

use crate::error::BoxError;
use crate::writer::encode::Encoder;
use crate::writer::plain::decode;
use crate::{Error, OutputFormat, WriterOptions};

/// Checks that every column of `schema` can be written in `format`.
///
/// # Errors
/// [`Error::NotWritable`] for the first column that cannot.
pub fn check_writable(schema: &Schema, format: OutputFormat) -> Result<(), Error> {
    schema.fields().iter().try_for_each(|field| {
        check_field(field, format).map_err(|source| Error::NotWritable {
            column: field.name().clone(),
            data_type: field.data_type().clone(),
            format: format.name(),
            source,
        })
    })
}

fn check_field(field: &Field, format: OutputFormat) -> Result<(), BoxError> {
    let schema = Schema::new(vec![field.clone().with_nullable(true)]);
    let fields = schema.flattened_fields();
    let types = || fields.iter().map(|field| field.data_type());
    match format {
        OutputFormat::Parquet if types().any(|data_type| matches!(data_type, DataType::Union(..))) => {
            Err("it has no unions".into())
        }
        // Such a file has one dictionary per field; they are gathered only for whole columns.
        OutputFormat::Arrow
            if types().skip(1).any(|data_type| matches!(data_type, DataType::Dictionary(..))) =>
        {
            Err("a dictionary inside another type is not supported".into())
        }
        _ => catch_unwind(|| probe(schema, format))
            .unwrap_or_else(|_| Err("the writer does not know the type".into())),
    }
}

/// Takes two nulls through everything that is done to a column on its way to the file: some types
/// are refused only with the first row.
fn probe(schema: Schema, format: OutputFormat) -> Result<(), BoxError> {
    let data_type = schema.field(0).data_type();
    let null = match data_type {
        DataType::Dictionary(_, values) => new_null_array(values, 1),
        _ => new_null_array(data_type, 1),
    };
    let nulls: ArrayRef = cast(&concat(&[&null, &null])?, data_type)?;
    let schema = Arc::new(schema);
    let batch = RecordBatch::try_new(schema.clone(), vec![nulls])?;
    if format == OutputFormat::Parquet {
        let mut encoder = Encoder::new(io::sink(), Path::new(""), &schema, &WriterOptions::default())?;
        encoder.write(&decode(&batch)?)?;
        encoder.finish()?;
    }
    Ok(())
}
