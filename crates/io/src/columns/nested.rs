//! What stands within structs.

use arrow::array::{Array, ArrayRef, StructArray, make_array};
use arrow::buffer::NullBuffer;
use arrow::error::ArrowError;

/// The field of a struct at `index`, which is missing also where the struct is: Arrow lets any value stand there.
///
/// # Errors
/// The field is of a type that has no nulls of its own, as a union.
pub(crate) fn child(structs: &StructArray, index: usize) -> Result<ArrayRef, ArrowError> {
    let field = structs.column(index);
    match structs.nulls() {
        Some(nulls) if !field.data_type().is_null() => {
            let nulls = NullBuffer::union(Some(nulls), field.nulls());
            Ok(make_array(field.to_data().into_builder().nulls(nulls).build()?))
        }
        _ => Ok(field.clone()),
    }
}
