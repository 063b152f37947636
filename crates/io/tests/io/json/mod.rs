//! JSON files: every way to write them, every kind of value, and values that have no place.

mod files;
mod types;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::DataType;
use arrow::util::display::array_value_to_string;
use proptest::prelude::*;
use strata_io::{Error, Input, ReadOptions};
use tempfile::TempDir;

use crate::support::{encode_bytes, names, read, source};

fn write(folder: &TempDir, name: &str, text: impl AsRef<[u8]>) -> std::path::PathBuf {
    let path = folder.path().join(name);
    fs_err::write(&path, encode_bytes(name, text.as_ref())).unwrap();
    path
}

fn try_all(name: &str, text: impl AsRef<[u8]>, options: &ReadOptions) -> Result<RecordBatch, Error> {
    let folder = TempDir::new().unwrap();
    let input = Input::open(source(&write(&folder, name, text)), options)?;
    let rows = input.count_rows()?;
    let fields = input.schema.fields().iter().filter(|field| field.data_type() != &DataType::Null);
    let columns: Vec<&str> = fields.map(|field| field.name().as_str()).collect();
    read(&input, &columns, 0..rows)
}

/// All that is in a file.
fn all(text: impl AsRef<[u8]>) -> RecordBatch {
    try_all("a.jsonl", text, &ReadOptions::default()).unwrap()
}

fn refused(text: impl AsRef<[u8]>) -> Error {
    try_all("a.jsonl", text, &ReadOptions::default()).unwrap_err()
}

/// The type of a column and its values, as Arrow shows them; nulls are empty.
fn shown(batch: &RecordBatch, name: &str) -> (String, Vec<String>) {
    let column = batch.column_by_name(name).unwrap();
    let values = (0..column.len()).map(|row| array_value_to_string(column, row).unwrap());
    (column.data_type().to_string(), values.collect())
}

fn typed(types: &[(&str, &str)]) -> ReadOptions {
    let types = types.iter().map(|(column, name)| (column.to_string(), name.parse().unwrap()));
    ReadOptions { types: types.collect(), ..ReadOptions::default() }
}

fn needing(columns: &[&str]) -> ReadOptions {
    let text_columns = names(&columns[..1]);
    ReadOptions { text_columns, needed: Some(names(columns)), ..ReadOptions::default() }
}

/// A JSON string in which everything but ASCII is escaped, as Python writes it.
fn ascii(text: &str) -> String {
    let mut written = String::from("\"");
    for unit in text.encode_utf16() {
        match unit {
            0x20..=0x7e if !matches!(unit, 0x22 | 0x5c) => written.push(char::from(unit as u8)),
            unit => written.push_str(&format!("\\u{unit:04x}")),
        }
    }
    written + "\""
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn text_written_with_escapes_comes_back_equal_wherever_it_stands(
        texts in prop::collection::vec(any::<String>(), 1..8),
        key in "\\PC{1,6}",
        layout in prop::sample::select(&[("[", ",", "]"), ("", "\n", ""), ("", " \r\n\n", "\n"), ("[\n", "\n,\t", "\n] ")][..]),
    ) {
        prop_assume!(key != "text" && key != "list" && key != "deep");
        let object = |text: &String| {
            let (key, text) = (ascii(&key), ascii(text));
            format!("{{\"te\\u0078t\":{text}, {key} : {text},\"list\":[{text},null],\n\"deep\":{{{key}:{text}}}}}")
        };
        let (before, between, after) = layout;
        let objects: Vec<String> = texts.iter().map(object).collect();
        let batch = all(format!("{before}{}{after}", objects.join(between)));
        for name in ["text", &key] {
            let column = batch.column_by_name(name).unwrap();
            prop_assert_eq!(column.as_string::<i32>().iter().flatten().collect::<Vec<_>>(), texts.clone());
        }
        let deep = batch.column_by_name("deep").unwrap().as_struct().column_by_name(&key).unwrap();
        prop_assert_eq!(deep.as_string::<i32>().iter().flatten().collect::<Vec<_>>(), texts.clone());
        let list = batch.column_by_name("list").unwrap().as_list::<i32>();
        for (row, text) in texts.iter().enumerate() {
            let items = list.value(row);
            prop_assert_eq!(items.as_string::<i32>().iter().collect::<Vec<_>>(), [Some(text.as_str()), None]);
        }
    }

    #[test]
    fn numbers_come_back_equal_or_are_refused(numbers in prop::collection::vec(
        prop_oneof![
            any::<i64>().prop_map(|n| n.to_string()),
            any::<u64>().prop_map(|n| n.to_string()),
            any::<f64>().prop_filter("finite", |n| n.is_finite()).prop_map(|n| format!("{n:?}")),
            (-1000_i64..1000).prop_map(|n| n.to_string()),
            "-?[1-9][0-9]{0,25}(\\.[0-9]{1,25})?([eE][+-]?[0-9]{1,3})?",
        ],
        1..4,
    )) {
        let lines: Vec<String> = numbers.iter().map(|n| format!("{{\"n\":{n}}}")).collect();
        let Ok(batch) = try_all("a.jsonl", lines.join("\n"), &ReadOptions::default()) else { return Ok(()) };
        let column = batch.column(0);
        for (row, number) in numbers.iter().enumerate() {
            let found = array_value_to_string(column, row).unwrap();
            // Whole numbers are compared digit by digit, others as they are printed with as many digits.
            match (number.parse::<i128>(), found.parse::<i128>()) {
                (Ok(expected), Ok(found)) => prop_assert_eq!(expected, found),
                (Ok(expected), Err(_)) => prop_assert_eq!(expected, found.parse::<f64>().unwrap() as i128),
                _ => prop_assert_eq!(found.parse::<f64>().unwrap(), number.parse::<f64>().unwrap()),
            }
        }
    }
}

#[test]
fn every_kind_of_value_is_read_as_what_it_is() {
    let batch = all(
        r#"{"i":-0.0,"u":18446744073709551615,"f":1e2,"t":"","b":true,"n":null,"l":[],"o":{"k":[{"d":1},{"e":"x"}]},"":1}
           {"i":1,"u":0,"f":-1.5E-3,"t":"\ud842\udfb7\ud83d\ude00\u0000\/\b\f\n\r\t\"\\","b":false,"l":[null,[2]]}
        "#,
    );
    assert_eq!(shown(&batch, "i"), ("Float64".to_owned(), vec!["-0.0".to_owned(), "1.0".to_owned()]));
    assert_eq!(shown(&batch, "u").1, ["18446744073709551615", "0"]);
    assert_eq!(shown(&batch, "f").1, ["100.0", "-0.0015"]);
    assert_eq!(batch.column_by_name("t").unwrap().as_string::<i32>().value(1), "𠮷😀\0/\u{8}\u{c}\n\r\t\"\\");
    assert_eq!(shown(&batch, "b").1, ["true", "false"]);
    assert_eq!(shown(&batch, "n"), ("Utf8".to_owned(), vec![String::new(), String::new()]));
    assert_eq!(shown(&batch, "l").1, ["[]", "[, [2]]"]);
    assert_eq!(shown(&batch, "o").1, ["{k: [{d: 1, e: }, {d: , e: x}]}", ""]);
    assert_eq!(shown(&batch, "").1, ["1", ""]);
}

#[test]
fn a_field_of_a_struct_is_read_by_its_path() {
    let lines = "{\"data\":{\"text\":\"a\",\"v\":1}}\n{\"data\":null}\n{}\n{\"data\":{\"text\":7,\"v\":\"x\",\"w\":{}}}\n";
    let folder = TempDir::new().unwrap();
    let input = Input::open(source(&write(&folder, "a.jsonl", lines)), &needing(&["data.text"])).unwrap();
    assert_eq!(input.field("data.text").unwrap().data_type(), &DataType::Utf8);
    let batch = read(&input, &["data.text"], 0..4).unwrap();
    assert_eq!(shown(&batch, "data.text").1, ["a", "", "", "7"]);
    assert!(input.field("data.txt").is_none() && read(&input, &["data.txt"], 0..1).is_err());
    // A key that is written with a dot wins.
    let dotted = "{\"data.text\":\"b\",\"data\":{\"text\":\"a\"}}\n";
    let input = Input::open(source(&write(&folder, "b.jsonl", dotted)), &needing(&["data.text"])).unwrap();
    assert_eq!(shown(&read(&input, &["data.text"], 0..1).unwrap(), "data.text").1, ["b"]);
    // A struct that is not one everywhere has no such field.
    let mixed = "{\"data\":{\"text\":\"a\"}}\n{\"data\":\"b\"}\n";
    let error = Input::open(source(&write(&folder, "c.jsonl", mixed)), &needing(&["data.text"])).unwrap_err();
    assert!(matches!(error, Error::Value { row: 1, .. }), "{error}");
}
