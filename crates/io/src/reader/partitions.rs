//! Columns that stand in the path of a file: `day=2024-01-01/part-0.parquet`.

use std::collections::BTreeMap;

use arrow::array::{ArrayRef, AsArray, StringArray, new_null_array};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field};
use arrow::error::ArrowError;

use crate::Source;
use crate::columns::adapt;

/// What stands in a path in place of a null.
const NULL: &str = "__HIVE_DEFAULT_PARTITION__";

/// The columns in the folders of a file's name, each with its value.
pub(super) fn of(source: &Source) -> Vec<(String, Option<String>)> {
    let folders = source.name.rsplit_once('/').map_or("", |(folders, _)| folders);
    let pairs = folders.split('/').filter_map(|folder| folder.split_once('='));
    let pairs = pairs.filter(|(key, _)| !key.is_empty());
    pairs.map(|(key, value)| (decoded(key), (value != NULL).then(|| decoded(value)))).collect()
}

/// The types of the columns that stand in the paths of files: dates and whole numbers where all values
/// are such and written as they are printed, text otherwise. So do DuckDB and Polars, where they agree.
pub fn partition_types(sources: &[Source]) -> BTreeMap<String, DataType> {
    let mut values: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (key, value) in sources.iter().flat_map(of) {
        values.entry(key).or_default().extend(value);
    }
    let types = values.into_iter().map(|(key, values)| {
        let is = |data_type: &DataType| {
            !values.is_empty() && values.iter().all(|value| is_printed(value, data_type))
        };
        let found = [DataType::Int64, DataType::Date32].into_iter().find(is);
        (key, found.unwrap_or(DataType::Utf8))
    });
    types.collect()
}

/// Whether `value` is what a value of the type is printed as.
fn is_printed(value: &str, data_type: &DataType) -> bool {
    let text: ArrayRef = std::sync::Arc::new(StringArray::from(vec![value]));
    let printed = adapt(&text, data_type).and_then(|array| adapt(&array, &DataType::Utf8));
    printed.is_ok_and(|printed| printed.as_string::<i32>().value(0) == value)
}

/// A value of a path, in each of so many rows.
pub(super) fn repeated(value: Option<&str>, field: &Field, rows: usize) -> Result<ArrayRef, ArrowError> {
    let Some(value) = value else { return Ok(new_null_array(field.data_type(), rows)) };
    let text: ArrayRef = std::sync::Arc::new(StringArray::from(vec![value]));
    let one = adapt(&text, field.data_type())?;
    take(&one, &arrow::array::UInt32Array::from(vec![0; rows]), None)
}

/// `text` with what stands behind percent signs; those that nothing stands behind stay.
fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut place = 0;
    while place < bytes.len() {
        let digits = text.get(place + 1..place + 3).filter(|_| bytes[place] == b'%');
        let digits = digits.filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                decoded.push(byte);
                place += 3;
            }
            None => {
                decoded.push(bytes[place]);
                place += 1;
            }
        }
    }
    String::from_utf8(decoded).unwrap_or_else(|_| text.to_owned())
}
