//! Vector columns: row-major floats as nested fixed-size lists.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, FixedSizeListArray, Float16Array, Float32Array};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field};
use half::f16;
use half::slice::HalfFloatSliceExt;
use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, VariantNames};

use crate::Error;

/// The stored type of a vector's elements.
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
pub enum FloatType {
    /// 32-bit IEEE 754.
    #[default]
    Float32,
    /// 16-bit IEEE 754: half the size, a range of ±65504.
    Float16,
}

impl FloatType {
    /// The Arrow type of one element.
    pub fn data_type(self) -> DataType {
        match self {
            Self::Float32 => DataType::Float32,
            Self::Float16 => DataType::Float16,
        }
    }

    /// The size of one element in bytes.
    pub fn bytes(self) -> usize {
        match self {
            Self::Float32 => 4,
            Self::Float16 => 2,
        }
    }
}

/// The field of a vector column. A `shape` of `[n]` is a nullable list of `n` elements; `[k, n]` is
/// a nullable list of `k` lists of `n` elements. Only the outermost list is ever null.
pub fn vector_field(name: &str, shape: &[usize], dtype: FloatType) -> Field {
    Field::new(name, vector_type(shape, dtype), true)
}

/// A vector column from row-major `values` of shape `[rows, ...shape]`. Rows that `validity` marks
/// as null keep their place in `values`; what stands there is not stored.
///
/// # Errors
/// - [`Error::Shape`] if `shape` is empty or has a zero, if `values` is not a whole number of rows,
///   or if `validity` has another number of rows.
/// - [`Error::Float16Overflow`] if a finite value of a row that is not null is beyond float16.
pub fn vector_array(
    mut values: Vec<f32>,
    validity: Option<NullBuffer>,
    shape: &[usize],
    dtype: FloatType,
) -> Result<ArrayRef, Error> {
    let width = checked_width(shape)?;
    let rows = values.len() / width;
    check_lengths(values.len(), width, validity.as_ref())?;
    if let Some(validity) = &validity {
        // Equal rows must give equal bytes, whatever stood in the null ones.
        for row in (0..rows).filter(|&row| validity.is_null(row)) {
            values[row * width..(row + 1) * width].fill(0.0);
        }
    }
    let elements: ArrayRef = match dtype {
        FloatType::Float32 => Arc::new(Float32Array::from(values)),
        FloatType::Float16 => Arc::new(Float16Array::from(to_float16(&values, width)?)),
    };
    nest(elements, validity, shape)
}

/// The shape of a vector column's rows and the type of its elements; `None` if the type is not
/// nested fixed-size lists of float32 or float16.
pub fn vector_shape(data_type: &DataType) -> Option<(Vec<usize>, FloatType)> {
    let mut shape = Vec::new();
    let mut data_type = data_type;
    while let DataType::FixedSizeList(element, size) = data_type {
        shape.push(usize::try_from(*size).ok()?);
        data_type = element.data_type();
    }
    let dtype = match data_type {
        DataType::Float32 => FloatType::Float32,
        DataType::Float16 => FloatType::Float16,
        _ => return None,
    };
    (!shape.is_empty()).then_some((shape, dtype))
}

/// Whether a column of this type holds vectors, as [`vector_shape`] understands them.
pub fn is_vector(data_type: &DataType) -> bool {
    vector_shape(data_type).is_some()
}

fn vector_type(shape: &[usize], dtype: FloatType) -> DataType {
    shape.iter().rev().fold(dtype.data_type(), |element, &size| {
        DataType::FixedSizeList(element_field(element), size as i32)
    })
}

fn element_field(data_type: DataType) -> Arc<Field> {
    // No element is null. Lance still takes no null list of elements that cannot be.
    Arc::new(Field::new("element", data_type, true))
}

fn checked_width(shape: &[usize]) -> Result<usize, Error> {
    shape
        .iter()
        .try_fold(1_usize, |width, &size| width.checked_mul(size))
        .filter(|&width| !shape.is_empty() && (1..=i32::MAX as usize).contains(&width))
        .ok_or_else(|| Error::Shape {
            expected: "a shape of positive sizes".to_owned(),
            found: format!("{shape:?}"),
        })
}

fn check_lengths(values: usize, width: usize, validity: Option<&NullBuffer>) -> Result<(), Error> {
    if !values.is_multiple_of(width) {
        return Err(Error::Shape {
            expected: format!("a multiple of {width} values"),
            found: values.to_string(),
        });
    }
    match validity {
        Some(validity) if validity.len() != values / width => Err(Error::Shape {
            expected: format!("validity of {} rows", values / width),
            found: validity.len().to_string(),
        }),
        _ => Ok(()),
    }
}

fn to_float16(values: &[f32], width: usize) -> Result<Vec<f16>, Error> {
    let mut halves = vec![f16::ZERO; values.len()];
    halves.convert_from_f32_slice(values);
    let overflow =
        std::iter::zip(&halves, values).position(|(half, value)| half.is_infinite() && value.is_finite());
    match overflow {
        Some(index) => Err(Error::Float16Overflow { row: index / width, value: values[index] }),
        None => Ok(halves),
    }
}

fn nest(elements: ArrayRef, validity: Option<NullBuffer>, shape: &[usize]) -> Result<ArrayRef, Error> {
    let mut validity = validity;
    let mut array = elements;
    for (depth, &size) in shape.iter().enumerate().rev() {
        let nulls = if depth == 0 { validity.take() } else { None };
        let field = element_field(array.data_type().clone());
        let list = FixedSizeListArray::try_new(field, size as i32, array, nulls);
        array = Arc::new(list.map_err(|error| Error::Shape {
            expected: format!("rows of shape {shape:?}"),
            found: error.to_string(),
        })?);
    }
    Ok(array)
}
