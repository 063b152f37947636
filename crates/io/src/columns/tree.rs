//! Walks over nested types.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};

/// `field` with `change` applied to each of its leaves, from the first to the last: for a column of a
/// Parquet file, those are the leaf columns in their order.
pub(crate) fn map_leaves(field: &FieldRef, change: &mut dyn FnMut(&Field) -> Field) -> FieldRef {
    map_fields(field, &mut |field, is_leaf| if is_leaf { change(field) } else { field.clone() })
}

/// `field` with `change` applied to each field in it and then to itself; the second argument says
/// whether none is in it.
pub(crate) fn map_fields(field: &FieldRef, change: &mut dyn FnMut(&Field, bool) -> Field) -> FieldRef {
    let mut inner = |child: &FieldRef| map_fields(child, &mut *change);
    let data_type = match field.data_type() {
        DataType::List(child) => DataType::List(inner(child)),
        DataType::LargeList(child) => DataType::LargeList(inner(child)),
        DataType::ListView(child) => DataType::ListView(inner(child)),
        DataType::LargeListView(child) => DataType::LargeListView(inner(child)),
        DataType::FixedSizeList(child, size) => DataType::FixedSizeList(inner(child), *size),
        DataType::Map(entries, sorted) => DataType::Map(inner(entries), *sorted),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(inner).collect()),
        _ => return Arc::new(change(field, true)),
    };
    Arc::new(change(&field.as_ref().clone().with_data_type(data_type), false))
}
