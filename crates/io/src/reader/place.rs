//! Columns by name, and fields within structs by the path to them.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema};
use arrow::error::ArrowError;

use crate::columns::child;

/// Where a column stands: its place in the file, and the places of the fields that lead to it from
/// there.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub index: usize,
    pub path: Vec<usize>,
}

impl From<usize> for Place {
    fn from(index: usize) -> Self {
        Self { index, path: Vec::new() }
    }
}

impl Place {
    /// The place of `name`: a column's, or else `column.field` and so on.
    pub fn of(name: &str, schema: &Schema) -> Option<Self> {
        let mut path = path(name, schema.fields())?;
        let index = path.remove(0);
        Some(Self { index, path })
    }

    /// The field there, called `name`. A field of a struct that is null is null.
    pub fn field(&self, name: &str, schema: &Schema) -> Field {
        let mut field = schema.field(self.index);
        let mut is_nullable = field.is_nullable();
        for &index in &self.path {
            if let DataType::Struct(fields) = field.data_type() {
                field = &fields[index];
                is_nullable |= field.is_nullable();
            }
        }
        field.clone().with_name(name).with_nullable(is_nullable)
    }

    /// The schema in which the field there has the type and metadata of `wanted`.
    pub fn with_type(&self, wanted: &Field, schema: &Schema) -> Schema {
        fn within(fields: &Fields, index: usize, path: &[usize], wanted: &Field) -> Fields {
            let mut fields: Vec<FieldRef> = fields.iter().cloned().collect();
            let field = fields[index].as_ref().clone();
            fields[index] = Arc::new(match (field.data_type(), path) {
                (DataType::Struct(inner), [index, path @ ..]) => {
                    let inner = within(inner, *index, path, wanted);
                    field.with_data_type(DataType::Struct(inner))
                }
                _ => {
                    let nullable = field.is_nullable() || wanted.is_nullable();
                    wanted.clone().with_name(field.name()).with_nullable(nullable)
                }
            });
            fields.into()
        }
        let fields = within(schema.fields(), self.index, &self.path, wanted);
        Schema::new_with_metadata(fields, schema.metadata().clone())
    }

    /// The column of a batch.
    pub fn array(&self, batch: &RecordBatch) -> Result<ArrayRef, ArrowError> {
        let mut array = batch.column(self.index).clone();
        for &index in &self.path {
            array = child(array.as_struct(), index)?;
        }
        Ok(array)
    }
}

/// The field of a column, or of a field within structs, whose name is then the path to it: `data.text`.
pub fn field_at(schema: &Schema, name: &str) -> Option<Field> {
    Place::of(name, schema).map(|place| place.field(name, schema))
}

/// The column of which [`field_at`] gives the field.
///
/// # Errors
/// There is none.
pub fn column_at(batch: &RecordBatch, name: &str) -> Result<ArrayRef, ArrowError> {
    let place = Place::of(name, batch.schema_ref());
    place.ok_or_else(|| ArrowError::SchemaError(format!("no column `{name}`")))?.array(batch)
}

/// The places that lead to a name; one that is written with dots wins over a path.
fn path(name: &str, fields: &Fields) -> Option<Vec<usize>> {
    if let Some((index, _)) = fields.find(name) {
        return Some(vec![index]);
    }
    name.match_indices('.').find_map(|(dot, _)| {
        let (index, field) = fields.find(&name[..dot])?;
        let DataType::Struct(fields) = field.data_type() else { return None };
        let mut places = vec![index];
        places.extend(path(&name[dot + 1..], fields)?);
        Some(places)
    })
}
