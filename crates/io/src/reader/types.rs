//! The types of columns in formats that do not state them: inferred, or given.

use std::panic::catch_unwind;

use arrow::datatypes::{DataType, FieldRef, Schema, SchemaRef};

use super::ReadOptions;
use crate::error::BoxError;

/// An inferred schema, made usable: columns have the types they were given, named ones become text,
/// and so do those that had no value to infer from.
pub(super) fn settle(schema: Schema, options: &ReadOptions) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| {
        let inferred = field.data_type();
        let is_text = options.text_columns.contains(field.name()) && !inferred.is_nested();
        let data_type = match options.types.get(field.name()) {
            Some(given) => given.clone(),
            None if is_text => DataType::Utf8,
            None => without_null(inferred),
        };
        field.as_ref().clone().with_data_type(data_type)
    });
    Schema::new(fields.collect::<Vec<_>>()).into()
}

/// `data_type` with text in place of every null type: a later row may have a value after all.
fn without_null(data_type: &DataType) -> DataType {
    let settled =
        |field: &FieldRef| field.as_ref().clone().with_data_type(without_null(field.data_type())).into();
    match data_type {
        DataType::Null => DataType::Utf8,
        DataType::List(field) => DataType::List(settled(field)),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(settled).collect()),
        other => other.clone(),
    }
}

/// Whether a format has values of a type: `read_null` reads one null of it, since readers refuse
/// some types only with the first row.
pub(super) fn check(
    data_type: &DataType,
    read_null: fn(&DataType) -> Result<(), BoxError>,
) -> Result<(), BoxError> {
    if data_type.is_null() {
        return Err("no value has this type".into());
    }
    catch_unwind(|| read_null(data_type)).unwrap_or_else(|_| Err("the reader does not know the type".into()))
}
