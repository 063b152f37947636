//! What stands where there is no vector.

use arrow::array::{ArrayRef, BooleanArray};
use arrow::buffer::NullBuffer;
use serde::{Deserialize, Serialize};
use strata_bert::VectorColumn;
use strata_io::{FloatType, vector_array};
use strum::{Display, EnumString, VariantNames};

/// What becomes of an output row that lacks a vector: its text is null, or the model saw nothing of it.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    Default,
    EnumString,
    Display,
    VariantNames,
    Serialize,
    Deserialize,
)]
#[strum(serialize_all = "lowercase")]
#[serde(rename_all = "lowercase")]
pub enum OnNull {
    /// The vector is null.
    #[default]
    Null,
    /// Every value of the vector is not a number, and no vector is null.
    Nan,
    /// There is no such row. Every row then says which of the input's it is of.
    Drop,
}

impl OnNull {
    /// Whether vectors may be null.
    pub fn is_nullable(self) -> bool {
        self == Self::Null
    }

    /// The array of a column whose rows have this shape.
    ///
    /// # Errors
    /// Those of [`vector_array`].
    pub(crate) fn array(
        self,
        vectors: VectorColumn,
        shape: &[usize],
        dtype: FloatType,
    ) -> Result<ArrayRef, strata_io::Error> {
        let VectorColumn { mut values, valid } = vectors;
        if self != Self::Nan {
            return vector_array(values, Some(NullBuffer::from(valid)), shape, dtype);
        }
        let width = shape.iter().product();
        for (row, _) in values.chunks_exact_mut(width).zip(&valid).filter(|(_, valid)| !**valid) {
            row.fill(f32::NAN);
        }
        vector_array(values, None, shape, dtype)
    }
}

/// Which rows have all of their vectors.
pub(crate) fn complete(vectors: &[VectorColumn]) -> BooleanArray {
    let rows = vectors.first().map_or(0, |column| column.valid.len());
    (0..rows).map(|row| Some(vectors.iter().all(|column| column.valid[row]))).collect()
}
