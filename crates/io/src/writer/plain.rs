//! Dictionaries as the values that they stand for.

use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;

use crate::columns::{adapt, map_leaves};

/// `schema` with plain values in place of dictionaries. Batches bring dictionaries of their own; joined
/// as plain values they never outgrow the key type, and their past leaves no trace in the file.
pub(crate) fn decoded(schema: &Schema) -> SchemaRef {
    let plain = |field: &Field| match field.data_type() {
        DataType::Dictionary(_, values) => field.clone().with_data_type(values.as_ref().clone()),
        _ => field.clone(),
    };
    let fields = schema.fields().iter().map(|field| map_leaves(field, &mut |leaf| plain(leaf)));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// A batch with the columns of [`decoded`].
pub(crate) fn decode(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    with_types(batch, decoded(&batch.schema()))
}

/// A batch with its columns in the types of a schema.
pub(super) fn with_types(batch: &RecordBatch, schema: SchemaRef) -> Result<RecordBatch, ArrowError> {
    let fields = schema.fields().iter();
    let columns = std::iter::zip(batch.columns(), fields).map(|(column, field)| {
        if column.data_type() == field.data_type() {
            Ok(column.clone())
        } else {
            adapt(column, field.data_type())
        }
    });
    let columns = columns.collect::<Result<_, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(schema, columns, &options)
}
