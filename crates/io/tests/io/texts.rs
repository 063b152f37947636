use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, DictionaryArray, Int32Array, LargeStringArray, StringArray, StringViewArray,
};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use proptest::prelude::*;
use strata_io::{Error, Texts, is_text};

const KEYS: [DataType; 8] = [
    DataType::Int8,
    DataType::Int16,
    DataType::Int32,
    DataType::Int64,
    DataType::UInt8,
    DataType::UInt16,
    DataType::UInt32,
    DataType::UInt64,
];

const STRINGS: [DataType; 3] = [DataType::Utf8, DataType::LargeUtf8, DataType::Utf8View];

fn text_types() -> Vec<DataType> {
    let dictionary = |key: &DataType, value: &DataType| {
        DataType::Dictionary(Box::new(key.clone()), Box::new(value.clone()))
    };
    let dictionaries = KEYS.iter().flat_map(|key| STRINGS.iter().map(move |value| dictionary(key, value)));
    STRINGS.into_iter().chain(dictionaries).collect()
}

#[test]
fn every_string_type_gives_the_same_texts() {
    let expected = [Some("short"), None, Some(""), Some("longer than the twelve bytes of a view"), Some("ü")];
    let strings = StringArray::from(expected.to_vec());
    for data_type in text_types() {
        assert!(is_text(&data_type));
        let array = cast(&strings, &data_type).unwrap();
        let texts = Texts::try_new(&array).unwrap();
        assert_eq!(texts.iter().collect::<Vec<_>>(), expected, "{data_type}");
        assert_eq!(texts.len(), 5);
        assert_eq!((texts.get(3), texts.get(1), texts.get(5)), (expected[3], None, None));
        let sliced = Texts::try_new(&array.slice(2, 2)).unwrap();
        assert_eq!(sliced.iter().collect::<Vec<_>>(), expected[2..4], "{data_type}");
    }
}

#[test]
fn a_null_in_the_dictionary_is_a_null_text() {
    let values: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None]));
    let keys = Int32Array::from(vec![Some(1), Some(0), None]);
    let texts = Texts::try_new(&DictionaryArray::new(keys, values)).unwrap();
    assert_eq!(texts.iter().collect::<Vec<_>>(), [None, Some("a"), None]);
}

#[test]
fn an_array_without_rows_has_no_texts() {
    for data_type in text_types() {
        assert!(Texts::try_new(&arrow::array::new_empty_array(&data_type)).unwrap().is_empty());
    }
}

#[test]
fn what_is_not_text_is_refused_by_type() {
    let error = Texts::try_new(&Int32Array::from(vec![1])).unwrap_err();
    assert!(matches!(error, Error::NotText { found: DataType::Int32, .. }));
    assert!(error.to_string().ends_with("found Int32"), "{error}");
    let numbers = DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Int64));
    assert!([DataType::Binary, DataType::Null, numbers].iter().all(|other| !is_text(other)));
}

proptest! {
    #[test]
    fn texts_survive_any_detour(texts in prop::collection::vec(prop::option::of(".*"), 0..60)) {
        let large = LargeStringArray::from(texts.clone());
        let view = StringViewArray::from_iter(texts.iter().map(Option::as_deref));
        for array in [&large as &dyn Array, &view] {
            let read = Texts::try_new(array).unwrap();
            let read: Vec<_> = read.iter().map(|text| text.map(str::to_owned)).collect();
            prop_assert_eq!(&read, &texts);
        }
    }
}
