//! Whether an output format has a place for every column, known before any work is done.

use std::io;
use std::panic::catch_unwind;
use std::sync::Arc;

use arrow::array::{RecordBatch, new_null_array};
use arrow::compute::can_cast_types;
use arrow::datatypes::{DataType, Field, Schema};
use parquet::arrow::ArrowWriter;

use crate::error::BoxError;
use crate::{Error, OutputFormat};

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

fn check_field(field: &Field, format: OutputFormat) -> Result<(), Option<BoxError>> {
    if let DataType::Dictionary(_, values) = field.data_type()
        && !(can_cast_types(field.data_type(), values) && can_cast_types(values, field.data_type()))
    {
        return Err(None);
    }
    match format {
        OutputFormat::Parquet => probe_parquet(field).map_err(Some),
        // A file may hold one dictionary per column only, and parts are written batch by batch.
        OutputFormat::Arrow if has_dictionary(field.data_type()) => Err(None),
        OutputFormat::Arrow => Ok(()),
    }
}

/// Writes one null to nowhere: some types are refused by the schema, some only with the first row.
fn probe_parquet(field: &Field) -> Result<(), BoxError> {
    let field = field.clone().with_nullable(true);
    catch_unwind(|| {
        let nulls = new_null_array(field.data_type(), 1);
        let schema = Arc::new(Schema::new(vec![field]));
        let batch = RecordBatch::try_new(schema.clone(), vec![nulls])?;
        let mut writer = ArrowWriter::try_new(io::sink(), schema, None)?;
        writer.write(&batch)?;
        writer.close()?;
        Ok(())
    })
    .unwrap_or_else(|_| Err("the writer does not know the type".into()))
}

fn has_dictionary(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(..) => true,
        DataType::List(field)
        | DataType::LargeList(field)
        | DataType::ListView(field)
        | DataType::LargeListView(field)
        | DataType::FixedSizeList(field, _)
        | DataType::Map(field, _) => has_dictionary(field.data_type()),
        DataType::Struct(fields) => fields.iter().any(|field| has_dictionary(field.data_type())),
        DataType::Union(fields, _) => fields.iter().any(|(_, field)| has_dictionary(field.data_type())),
        DataType::RunEndEncoded(_, values) => has_dictionary(values.data_type()),
        _ => false,
    }
}
