use arrow::array::Int32Array;
use arrow::buffer::NullBuffer;
use strata_io::{FloatType, VectorSummary, vector_array};

#[test]
fn a_summary_adds_up_over_batches_and_passes_over_nulls() {
    for dtype in [FloatType::Float32, FloatType::Float16] {
        let mut summary = VectorSummary::default();
        assert_eq!(summary.mean_norm(), None);
        let validity = Some(NullBuffer::from(vec![true, false]));
        let first = vector_array(vec![3.0, 4.0, 100.0, 100.0], validity, &[2], dtype).unwrap();
        summary.update(&first).unwrap();
        summary.update(&vector_array(vec![0.0, -1.0], None, &[2], dtype).unwrap()).unwrap();
        assert_eq!((summary.rows, summary.nulls, summary.shape.as_slice()), (3, 1, [2].as_slice()));
        assert_eq!(summary.mean_norm(), Some(3.0));
        assert_eq!((summary.min, summary.max, summary.non_finite), (Some(-1.0), Some(4.0), 0));
    }
}

#[test]
fn a_slice_counts_only_its_rows() {
    let array = vector_array(vec![9.0, 1.0, 2.0, 9.0], None, &[1], FloatType::Float32).unwrap();
    let mut summary = VectorSummary::default();
    summary.update(&array.slice(1, 2)).unwrap();
    assert_eq!((summary.rows, summary.min, summary.max), (2, Some(1.0), Some(2.0)));
}

#[test]
fn every_vector_of_a_stack_counts() {
    let array = vector_array(vec![3.0, 4.0, 0.0, 1.0], None, &[2, 2], FloatType::Float32).unwrap();
    let mut summary = VectorSummary::default();
    summary.update(&array).unwrap();
    assert_eq!((summary.rows, summary.mean_norm()), (1, Some(3.0)));
}

#[test]
fn values_that_are_not_finite_are_counted_apart() {
    let values = vec![f32::NAN, 1.0, f32::INFINITY];
    let mut summary = VectorSummary::default();
    summary.update(&vector_array(values, None, &[3], FloatType::Float32).unwrap()).unwrap();
    assert_eq!((summary.non_finite, summary.min, summary.max), (2, Some(1.0), Some(1.0)));
}

#[test]
fn another_shape_or_type_is_refused() {
    let mut summary = VectorSummary::default();
    assert!(summary.update(&Int32Array::from(vec![1])).is_err());
    summary.update(&vector_array(vec![0.0; 4], None, &[2], FloatType::Float32).unwrap()).unwrap();
    let other = vector_array(vec![0.0; 3], None, &[3], FloatType::Float32).unwrap();
    let error = summary.update(&other).unwrap_err().to_string();
    assert!(error.contains("vectors of shape [2]"), "{error}");
    assert_eq!(summary.rows, 2);
}
