//! Figures about a vector column, gathered batch by batch.

use arrow::array::{Array, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float32Type};

use super::vector_shape;
use crate::Error;

/// Figures about the vectors seen so far.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct VectorSummary {
    /// The rows seen, nulls counted.
    pub rows: u64,
    /// The rows without a vector.
    pub nulls: u64,
    /// Whether a row whose elements are all not a number has no vector.
    pub nan_is_null: bool,
    /// The shape of one row: `[n]`, or `[k, n]` for `k` vectors a row.
    pub shape: Vec<usize>,
    /// The smallest finite element.
    pub min: Option<f32>,
    /// The largest finite element.
    pub max: Option<f32>,
    /// The elements that are infinite or not a number.
    pub non_finite: u64,
    norms: f64,
    vectors: u64,
}

impl VectorSummary {
    /// Takes in the rows of `array`.
    ///
    /// # Errors
    /// [`Error::Shape`] if the array holds no vectors, or vectors of another shape than before.
    pub fn update(&mut self, array: &dyn Array) -> Result<(), Error> {
        let shape = self.checked_shape(array.data_type())?;
        let width: usize = shape.iter().product();
        let size = shape.last().copied().unwrap_or(width);
        self.shape = shape;
        self.rows += array.len() as u64;
        self.nulls += array.null_count() as u64;
        let elements = elements(array)?;
        for row in (0..array.len()).filter(|&row| array.is_valid(row)) {
            let row = &elements[row * width..(row + 1) * width];
            if self.nan_is_null && row.iter().all(|element| element.is_nan()) {
                self.nulls += 1;
                continue;
            }
            row.chunks_exact(size).for_each(|vector| self.add(vector));
        }
        Ok(())
    }

    /// The mean Euclidean length of the vectors; `None` before the first.
    pub fn mean_norm(&self) -> Option<f64> {
        (self.vectors > 0).then(|| self.norms / self.vectors as f64)
    }

    fn checked_shape(&self, data_type: &DataType) -> Result<Vec<usize>, Error> {
        let expected = || match self.shape.as_slice() {
            [] => "vectors of float32 or float16".to_owned(),
            shape => format!("vectors of shape {shape:?}"),
        };
        vector_shape(data_type)
            .map(|(shape, _)| shape)
            .filter(|shape| !shape.contains(&0))
            .filter(|shape| self.shape.is_empty() || self.shape == *shape)
            .ok_or_else(|| Error::Shape { expected: expected(), found: data_type.to_string() })
    }

    fn add(&mut self, vector: &[f32]) {
        self.vectors += 1;
        self.norms += vector.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
        for &x in vector {
            if x.is_finite() {
                self.min = Some(self.min.map_or(x, |min| min.min(x)));
                self.max = Some(self.max.map_or(x, |max| max.max(x)));
            } else {
                self.non_finite += 1;
            }
        }
    }
}

/// The elements of nested fixed-size lists, row-major; those of null rows included.
fn elements(array: &dyn Array) -> Result<Vec<f32>, Error> {
    let mut elements = array.slice(0, array.len());
    while let Some(list) = elements.as_fixed_size_list_opt() {
        elements = list.values().clone();
    }
    let floats = cast(&elements, &DataType::Float32)
        .map_err(|error| Error::Shape { expected: "floats".to_owned(), found: error.to_string() })?;
    Ok(floats.as_primitive::<Float32Type>().values().to_vec())
}
