use arrow::array::{Array, AsArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, Float16Type, Float32Type};
use half::f16;
use proptest::prelude::*;
use strata_io::{Error, FloatType, is_vector, vector_array, vector_field, vector_shape};

#[test]
fn a_vector_column_is_a_nullable_list_of_elements() {
    let field = vector_field("layer_3_mean", &[4], FloatType::Float32);
    // Though none is null: Lance takes no null list of elements that cannot be.
    let element = Field::new("element", DataType::Float32, true);
    assert_eq!(field, Field::new_fixed_size_list("layer_3_mean", element, 4, true));
}

#[test]
fn a_stack_nests_lists() {
    let field = vector_field("stack", &[3, 4], FloatType::Float16);
    let element = Field::new("element", DataType::Float16, true);
    let inner = Field::new_fixed_size_list("element", element, 4, true);
    assert_eq!(field, Field::new_fixed_size_list("stack", inner, 3, true));
    assert_eq!(vector_shape(field.data_type()), Some((vec![3, 4], FloatType::Float16)));
}

#[test]
fn only_fixed_size_lists_of_floats_are_vectors() {
    let integers = DataType::new_fixed_size_list(DataType::Int32, 3, false);
    let lists = DataType::new_list(DataType::Float32, false);
    assert!([integers, lists, DataType::Float32].iter().all(|other| !is_vector(other)));
}

#[test]
fn float_types_are_read_and_shown_by_name() {
    for (dtype, name) in [(FloatType::Float32, "float32"), (FloatType::Float16, "float16")] {
        assert_eq!((dtype.to_string().as_str(), name.parse()), (name, Ok(dtype)));
        assert_eq!(serde_json::to_string(&dtype).unwrap(), format!("\"{name}\""));
    }
    assert!("bfloat16".parse::<FloatType>().is_err());
}

#[test]
fn a_finite_value_beyond_float16_is_refused_with_its_row() {
    let values = vec![0.0, 1.0, 2.0, 7e4];
    let error = vector_array(values, None, &[2], FloatType::Float16).unwrap_err();
    assert!(matches!(error, Error::Float16Overflow { row: 1, value: 7e4 }), "{error}");
    assert!(error.to_string().contains("70000 in row 1"), "{error}");
}

#[test]
fn values_that_are_not_finite_pass_through() {
    for dtype in [FloatType::Float32, FloatType::Float16] {
        let values = vec![f32::INFINITY, f32::NEG_INFINITY, f32::NAN];
        let array = vector_array(values, None, &[3], dtype).unwrap();
        let floats = arrow::compute::cast(array.as_fixed_size_list().values(), &DataType::Float32).unwrap();
        let floats = floats.as_primitive::<Float32Type>().values().to_vec();
        assert_eq!(floats[..2], [f32::INFINITY, f32::NEG_INFINITY]);
        assert!(floats[2].is_nan());
    }
}

#[test]
fn what_stands_in_a_null_row_is_not_stored() {
    let validity = || Some(NullBuffer::from(vec![true, false]));
    let first = vector_array(vec![1.0, 9e9], validity(), &[1], FloatType::Float16).unwrap();
    let second = vector_array(vec![1.0, f32::NAN], validity(), &[1], FloatType::Float16).unwrap();
    assert_eq!(first.to_data(), second.to_data());
    let values = first.as_fixed_size_list().values().clone();
    assert_eq!(values.as_primitive::<Float16Type>().value(1), f16::ZERO);
}

#[test]
fn lengths_that_do_not_fit_are_refused() {
    let array = |values: usize, rows: Option<usize>, shape: &[usize]| {
        let validity = rows.map(NullBuffer::new_valid);
        vector_array(vec![0.0; values], validity, shape, FloatType::Float32)
    };
    for result in [
        array(5, None, &[2]),
        array(4, Some(3), &[2]),
        array(4, None, &[]),
        array(4, None, &[2, 0]),
        array(4, None, &[usize::MAX, 2]),
    ] {
        let error = result.unwrap_err();
        assert!(matches!(error, Error::Shape { .. }), "{error}");
    }
    assert_eq!(array(0, Some(0), &[2]).unwrap().len(), 0);
}

proptest! {
    #[test]
    fn vectors_keep_values_order_and_nulls(
        shape in prop::collection::vec(1..5_usize, 1..4),
        validity in prop::collection::vec(any::<bool>(), 0..20),
        float16 in any::<bool>(),
    ) {
        let width: usize = shape.iter().product();
        let dtype = if float16 { FloatType::Float16 } else { FloatType::Float32 };
        let values: Vec<f32> = (0..width * validity.len()).map(|i| i as f32).collect();
        let nulls = Some(NullBuffer::from(validity.clone()));
        let array = vector_array(values.clone(), nulls, &shape, dtype).unwrap();
        let field = vector_field("v", &shape, dtype);
        prop_assert_eq!(array.data_type(), field.data_type());
        prop_assert_eq!(array.len(), validity.len());
        let mut leaves = array.clone();
        while let Some(list) = leaves.as_fixed_size_list_opt() {
            leaves = list.values().clone();
        }
        let leaves = arrow::compute::cast(&leaves, &DataType::Float32).unwrap();
        let leaves = leaves.as_primitive::<Float32Type>().values();
        for (row, &valid) in validity.iter().enumerate() {
            prop_assert_eq!(array.is_valid(row), valid);
            if valid {
                let range = row * width..(row + 1) * width;
                prop_assert_eq!(&leaves[range.clone()], &values[range]);
            }
        }
    }
}
