//! Record batches across Arrow's C data interface.

use arrow::array::{Array, RecordBatch, StructArray};
use arrow::datatypes::Schema;
use arrow::error::ArrowError;
use arrow::ffi::{FFI_ArrowArray, FFI_ArrowSchema, from_ffi, to_ffi};
use pyo3::prelude::*;
use pyo3::types::PyCapsule;

/// The names that Arrow's specification gives to the capsules.
const SCHEMA: &std::ffi::CStr = c"arrow_schema";
const ARRAY: &std::ffi::CStr = c"arrow_array";

/// Takes a batch out of what `__arrow_c_array__` gives.
pub fn import(schema: &Bound<'_, PyCapsule>, array: &Bound<'_, PyCapsule>) -> PyResult<RecordBatch> {
    let (schema, array) = (schema.pointer_checked(Some(SCHEMA))?, array.pointer_checked(Some(ARRAY))?);
    // SAFETY: capsules of these names hold these structures; what was in them is left released, as the
    // specification wants of whoever takes it.
    let (schema, array) = unsafe {
        (FFI_ArrowSchema::from_raw(schema.as_ptr().cast()), FFI_ArrowArray::from_raw(array.as_ptr().cast()))
    };
    // SAFETY: both come from one call of `__arrow_c_array__`, which promises that they fit.
    let data = unsafe { from_ffi(array, &schema) }.map_err(invalid)?;
    let metadata = Schema::try_from(&schema).map_err(invalid)?.metadata;
    let batch = RecordBatch::from(StructArray::from(data));
    let schema = batch.schema().as_ref().clone().with_metadata(metadata);
    batch.with_schema(schema.into()).map_err(invalid)
}

/// What `__arrow_c_array__` gives of a batch: the capsules of its schema and of its columns.
pub fn export<'py>(
    py: Python<'py>,
    batch: &RecordBatch,
) -> PyResult<(Bound<'py, PyCapsule>, Bound<'py, PyCapsule>)> {
    let (array, _) = to_ffi(&StructArray::from(batch.clone()).to_data()).map_err(invalid)?;
    let schema = FFI_ArrowSchema::try_from(batch.schema().as_ref()).map_err(invalid)?;
    Ok((PyCapsule::new_with_value(py, schema, SCHEMA)?, PyCapsule::new_with_value(py, array, ARRAY)?))
}

/// The capsule of a schema.
pub fn export_schema<'py>(py: Python<'py>, schema: &Schema) -> PyResult<Bound<'py, PyCapsule>> {
    PyCapsule::new_with_value(py, FFI_ArrowSchema::try_from(schema).map_err(invalid)?, SCHEMA)
}

/// Takes a schema out of what `__arrow_c_schema__` gives.
pub fn import_schema(schema: &Bound<'_, PyCapsule>) -> PyResult<Schema> {
    let schema = schema.pointer_checked(Some(SCHEMA))?;
    // SAFETY: a capsule of this name holds this structure, which stays the capsule's.
    let schema: &FFI_ArrowSchema = unsafe { schema.cast().as_ref() };
    Schema::try_from(schema).map_err(invalid)
}

fn invalid(error: ArrowError) -> PyErr {
    pyo3::exceptions::PyValueError::new_err(error.to_string())
}
