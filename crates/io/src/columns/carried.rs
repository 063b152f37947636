//! What an input file says about its columns as a whole, said again of the columns that are kept.

use std::collections::HashSet;

use arrow::datatypes::Metadata;
use serde_json::{Map, Value};

use crate::PROVENANCE_KEY;

/// Keys of writers about the file they wrote: its schema, which an output does not have, or its inside.
const OF_THE_FILE: [&str; 11] = [
    "ARROW:",
    "avro.",
    "content_defined_chunking",
    "delta.",
    "duckdb.",
    "hoodie",
    "iceberg.",
    "org.apache.",
    "parquet.",
    "thrift.",
    "writer.",
];

/// The metadata of an input's schema for a part with the columns `kept` of it, and with columns of what stands in the
/// lists of `unlisted`.
///
/// What is known to list columns (`huggingface`, `pandas`, `geo`) lists those that are there. Other keys are
/// carried as they are, but for those of a writer about its own file.
pub fn carried_metadata(input: &Metadata, kept: &[&str], unlisted: &[&str]) -> Metadata {
    let [kept, unlisted] = [kept, unlisted].map(|names| names.iter().copied().collect::<HashSet<&str>>());
    let entries = input.iter().filter(|(key, _)| {
        *key != PROVENANCE_KEY && !OF_THE_FILE.iter().any(|prefix| key.starts_with(prefix))
    });
    let carried = entries.filter_map(|(key, text)| {
        if !["huggingface", "pandas", "geo"].contains(&key.as_str()) {
            return Some((key.clone(), text.clone()));
        }
        let Ok(Value::Object(object)) = serde_json::from_str(text) else { return None };
        let carried = match key.as_str() {
            "huggingface" => huggingface(object, &kept, &unlisted),
            "pandas" => pandas(object, &kept),
            _ => geo(object, &kept),
        };
        Some((key.clone(), Value::Object(carried?).to_string()))
    });
    carried.collect()
}

/// The features of a data set: names of classes, images, translations. Those that nothing is said of are
/// taken from the types of the columns.
fn huggingface(
    mut object: Map<String, Value>,
    kept: &HashSet<&str>,
    unlisted: &HashSet<&str>,
) -> Option<Map<String, Value>> {
    let mut features = match object.remove("info")? {
        Value::Object(mut info) => match info.remove("features")? {
            Value::Object(features) => features,
            _ => return None,
        },
        _ => return None,
    };
    features.retain(|name, _| kept.contains(name.as_str()) || unlisted.contains(name.as_str()));
    for (_, feature) in features.iter_mut().filter(|(name, _)| unlisted.contains(name.as_str())) {
        let of_list = feature.get("feature").or_else(|| feature.as_array()?.first());
        *feature = of_list.cloned().unwrap_or(Value::Null);
    }
    features.retain(|_, feature| !feature.is_null());
    let info = Map::from_iter([("features".to_owned(), Value::Object(features))]);
    Some(Map::from_iter([("info".to_owned(), Value::Object(info))]))
}

/// The columns and the index of a data frame. An index that is only counted counts the rows of one file.
fn pandas(mut object: Map<String, Value>, kept: &HashSet<&str>) -> Option<Map<String, Value>> {
    let is_kept = |value: &Value| value.as_str().is_some_and(|name| kept.contains(name));
    if let Some(Value::Array(columns)) = object.get_mut("columns") {
        columns.retain(|column| {
            is_kept(column.get("field_name").or(column.get("name")).unwrap_or(&Value::Null))
        });
    }
    if let Some(Value::Array(indexes)) = object.get_mut("index_columns") {
        indexes.retain(is_kept);
    }
    // Types of names: the names that are added are text, and so all are.
    if let Some(Value::Array(names)) = object.get_mut("column_indexes") {
        let is_text = |name: &Value| name.get("pandas_type").is_some_and(|found| found == "unicode");
        if names.len() != 1 || !names.iter().all(is_text) {
            names.clear();
        }
    }
    Some(object)
}

/// The geometries of GeoParquet.
fn geo(mut object: Map<String, Value>, kept: &HashSet<&str>) -> Option<Map<String, Value>> {
    let columns = object.get_mut("columns")?.as_object_mut()?;
    columns.retain(|name, _| kept.contains(name.as_str()));
    let first = columns.keys().next()?.clone();
    let is_there = |name: &Value| name.as_str().is_some_and(|name| kept.contains(name));
    if !object.get("primary_column").is_some_and(is_there) {
        object.insert("primary_column".to_owned(), Value::String(first));
    }
    Some(object)
}
