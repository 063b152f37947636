//! JSON files: every way to write them, every kind of value, and values that have no place.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::DataType;
use arrow::util::display::array_value_to_string;
use proptest::prelude::*;
use strata_io::{ColumnType, Error, ErrorKind, Input, ReadOptions};
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
fn objects_are_found_however_a_file_holds_them() {
    let pretty = "{\n  \"text\": \"a\"\n}\n{\n  \"text\": \"b\"\n}\n";
    for (name, text, expected) in [
        ("a.json", "{\"text\":\"a\"}\n{\"text\":\"b\"}", &["a", "b"][..]),
        ("a.json", "[{\"text\":\"a\"},{\"text\":\"b\"}]", &["a", "b"]),
        ("a.json", "\u{feff} [\n{\"text\":\"a\"}\n,\n{\"text\":\"b\"}\n]\n", &["a", "b"]),
        ("a.json", pretty, &["a", "b"]),
        ("a.jsonl", pretty, &["a", "b"]),
        ("a.json", "{\"text\":\"a\"}{\"text\":\"b\"}", &["a", "b"]),
        ("a.json", "[]", &[]),
        ("a.json", " \n", &[]),
        ("a.ndjson", "\r\n\r\n{\"text\":\"a\"}\r\n\r\n{\"text\":\"b\"}\r\n", &["a", "b"]),
    ] {
        for wrapped in ["", ".gz", ".zst", ".bz2", ".xz"] {
            let options = ReadOptions {
                types: [("text".to_owned(), DataType::Utf8.into())].into(),
                ..Default::default()
            };
            let batch = try_all(&format!("{name}{wrapped}"), text, &options).unwrap();
            assert_eq!(shown(&batch, "text").1, expected, "{name}{wrapped} {text}");
        }
    }
}

#[test]
fn what_is_no_file_of_objects_is_refused_with_its_place() {
    for (text, row, line, said) in [
        ("{\"a\":1}\n{\"a\":nope}\n", 1, 2, "expected a value"),
        ("{\"a\":1}\n\n[2]\n", 1, 3, "expected an object, found a list"),
        ("\"a\"\n", 0, 1, "expected an object, found text"),
        ("[{\"a\":1},\n{\"a\":2},\n]", 2, 3, "expected an object, found something else"),
        ("[{\"a\":1}\n{\"a\":2}]", 1, 2, "expected `,` or `]`"),
        ("[{\"a\":1}", 1, 1, "the file ends before its array does"),
        ("[{\"a\":1}] {\"a\":1}", 1, 1, "expected nothing behind"),
        ("{\"a\":1}\n{\"a\":\"b", 1, 2, "the file ends within"),
        ("{\"a\":1}\n{\"a\":\"b\nc\"}", 1, 2, "control character"),
        ("{\"a\":1\n{\"a\":2}", 0, 2, "expected `,` or `}`"),
        ("{\n \"a\":1,\n \"b\":[1,2}\n}", 0, 3, "expected `,` or `]`"),
        ("{\"a\":\"\\x\"}", 0, 1, "an escape"),
        ("{\"a\":01}", 0, 1, "no number"),
        ("{\"a\":1.}", 0, 1, "no number"),
        ("{\"a\":-}", 0, 1, "no number"),
        ("{\"a\":+1}", 0, 1, "expected a value"),
        ("{\"a\":-NaN}", 0, 1, "no number"),
        ("{\"a\":nan}", 0, 1, "expected a value"),
        ("{\"a\":tru}", 0, 1, "expected a value"),
        ("{a:1}", 0, 1, "expected a key"),
        ("{\"a\" 1}", 0, 1, "expected `:`"),
        ("{\"a\":1,}", 0, 1, "expected a key"),
        ("{\"a\":[1,]}", 0, 1, "expected a value"),
    ] {
        let error = refused(text);
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains(said), "{text}: {cause}");
        assert!(error.to_string().ends_with(&format!("a.jsonl, row {row} (line {line})")), "{text}: {error}");
        assert_eq!(error.kind(), ErrorKind::BadData);
    }
    let late = format!("{}{{\"a\":nope}}\n", "{\"a\":1}\n".repeat(200_000));
    assert!(refused(late).to_string().ends_with("row 200000 (line 200001)"));
}

#[test]
fn a_key_that_comes_late_is_a_column_like_any_other() {
    let lines = format!(
        "{}{}\n",
        "{\"text\":\"t\",\"o\":{\"a\":1}}\n".repeat(1100),
        r#"{"o":{"late":[1.5]},"label":"LATE"}"#
    );
    let batch = all(lines);
    assert_eq!(shown(&batch, "label").1[1099..], ["", "LATE"]);
    assert_eq!(shown(&batch, "o").1[1099..], ["{a: 1, late: }", "{a: , late: [1.5]}"]);
}

#[test]
fn a_late_value_widens_its_column_where_every_value_survives() {
    let late = |first: &str, last: &str| {
        all(format!("{}{{\"n\":{last}}}\n", format!("{{\"n\":{first}}}\n").repeat(1100)))
    };
    for (first, last, data_type, value) in [
        ("1", "1.5", "Float64", "1.5"),
        ("1", "12345678901234567890", "UInt64", "12345678901234567890"),
        ("null", "\"007\"", "Utf8", "007"),
        ("1", "NaN", "Float64", "NaN"),
        ("[]", "[2]", "List(Int64)", "[2]"),
        ("{}", "{\"a\":\"x\"}", "Struct(\"a\": Utf8)", "{a: x}"),
    ] {
        let (found_type, values) = shown(&late(first, last), "n");
        assert_eq!((found_type.as_str(), values[1100].as_str()), (data_type, value));
    }
}

#[test]
fn a_value_that_would_not_survive_is_refused_with_its_place_and_what_keeps_it() {
    for (first, last, expected, keep) in [
        ("1", "\"007\"", "expected a number in column `n`", "n=Utf8"),
        ("1", "true", "expected a number in column `n`", "n=Utf8"),
        ("\"a\"", "7", "expected text in column `n`", "n=Utf8"),
        ("1", "123456789012345678901234567890", "a whole number of at most 64 bits", "n=Utf8"),
        ("-1", "12345678901234567890", "whole numbers that fit into 64 bits", "n=Utf8"),
        ("1.5", "9007199254740993", "numbers that are whole, or that a float64 can all hold", "n=Utf8"),
        ("1", "1.000000000000000005", "a number that a float64 can hold", "n=Utf8"),
        ("1", "1e400", "a number that a float64 can hold", "n=Utf8"),
        ("1", "1e-999", "a number that a float64 can hold", "n=Utf8"),
        ("{\"a\":1}", "\"x\"", "expected an object in column `n`", "n=Json"),
        ("[1]", "2", "expected a list in column `n`", "n=Json"),
        ("[1]", "[2,\"b\"]", "expected a number in column `n.[]`", "n=Json"),
        ("{\"a\":{\"b\":1}}", "{\"a\":{\"b\":\"x\"}}", "expected a number in column `n.a.b`", "n=Json"),
        ("{\"a\":1}", "{\"a\":2,\"a\":3}", "expected the key once in column `n.a`", "n=Json"),
    ] {
        let text = format!("{}\n{{\"n\":{last}}}\n", format!("{{\"n\":{first}}}\n").repeat(1100));
        let error = refused(&text);
        let said = error.to_string();
        assert!(said.contains(expected) && said.ends_with("in row 1100 (line 1102)"), "{said}");
        assert!(error.hint().unwrap().contains(&format!("--schema '{keep}'")), "{:?}", error.hint());
        assert_eq!(error.kind(), ErrorKind::BadData);
        // What the hint says is right, except for keys that stand twice.
        let (column, data_type) = keep.split_once('=').unwrap();
        let batch = try_all("a.jsonl", &text, &typed(&[(column, data_type)])).unwrap();
        assert_eq!(
            shown(&batch, "n").1[1100],
            last.trim_matches(if data_type == "Json" { '\0' } else { '"' })
        );
    }
}

#[test]
fn numbers_that_cannot_be_told_from_their_float_are_floats() {
    // What C prints of 0.1 with twenty places, what Python prints, and a number of 17 digits.
    for number in [
        "0.10000000000000000555",
        "0.30000000000000004",
        "123456789.12345678",
        "1e22",
        "5e-324",
        "100000000000000000000.0",
    ] {
        let batch = all(format!("{{\"n\":{number}}}"));
        assert_eq!(
            batch.column(0).as_primitive::<arrow::datatypes::Float64Type>().value(0),
            number.parse::<f64>().unwrap()
        );
    }
}

#[test]
fn values_of_any_kind_are_kept_as_json_text() {
    let lines =
        "{\"v\":{\"a\" : 1}}\n{\"v\":\"x\\u00e9\"}\n{\"v\":[1,null]}\n{\"v\":null}\n{}\n{\"v\":1e2}\n";
    let options = typed(&[("v", "Json")]);
    let batch = try_all("a.jsonl", lines, &options).unwrap();
    assert_eq!(shown(&batch, "v").1, ["{\"a\" : 1}", "\"x\\u00e9\"", "[1,null]", "", "", "1e2"]);
    let field = batch.schema().field(0).clone();
    assert_eq!(field.metadata().get("ARROW:extension:name").unwrap(), "arrow.json");
    let error = try_all("a.jsonl", "{\"v\":[NaN]}", &options).unwrap_err();
    assert!(matches!(error, Error::Value { row: 0, .. }), "{error}");
    assert_eq!("Json".parse::<ColumnType>().unwrap(), ColumnType::Json);
}

#[test]
fn an_object_without_keys_is_kept_as_json_text() {
    let batch = all("{\"v\":{},\"l\":[{}],\"text\":\"a\"}\n{\"v\":null}\n");
    assert_eq!(shown(&batch, "v").1, ["{}", ""]);
    assert_eq!(shown(&batch, "l").1[0], "[{}]");
}

#[test]
fn a_column_that_nobody_needs_decides_nothing() {
    for other in [
        r#"{"a":1}"#,
        r#""x""#,
        r#"[{"a":1},null]"#,
        r#""\ud800""#,
        "NaN",
        "-Infinity",
        "123456789012345678901234567890",
        r#"{"k":1,"k":2}"#,
        r#"{"late":1}"#,
    ] {
        let text = format!("{{\"text\":\"a\",\"v\":1}}\n{{\"v\":{other},\"text\":\"b\",\"w\":{other}}}\n");
        let batch = try_all("a.jsonl", &text, &needing(&["text"])).unwrap();
        assert_eq!(shown(&batch, "text").1, ["a", "b"], "{other}");
    }
    // Neither does one that is not UTF-8, nor how deep it is.
    let deep = format!("{{\"text\":\"a\",\"v\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    for bytes in [b"{\"text\":\"a\",\"v\":\"\xff\"}".as_slice(), deep.as_bytes()] {
        assert_eq!(shown(&try_all("a.jsonl", bytes, &needing(&["text"])).unwrap(), "text").1, ["a"]);
        assert!(matches!(refused(bytes).kind(), ErrorKind::BadData));
    }
}

#[test]
fn text_that_no_text_can_hold_is_refused() {
    for value in [r#""\ud800""#, r#""\udc00\ud800""#, "NaN", "Infinity", "{}", "[\"a\"]"] {
        let text = format!("{{\"text\":\"a\"}}\n{{\"text\":{value}}}\n");
        let error = try_all("a.jsonl", text, &needing(&["text"])).unwrap_err();
        assert!(matches!(error, Error::Value { row: 1, line: 2, .. }), "{value}: {error}");
    }
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

#[test]
fn given_types_are_read_or_refused_with_the_row() {
    for (data_type, good, bad) in [
        ("Int8", "-128", "128"),
        ("Int64", "1.0", "1.5"),
        ("UInt64", "18446744073709551615", "-1"),
        ("Float64", "3.14159265358979323846", "9007199254740993"),
        ("Float32", "0.1", "16777217"),
        ("Decimal128(5, 2)", "1.25", "1.255"),
        ("Boolean", "true", "1"),
        ("Date32", "\"2024-02-29\"", "\"2024-02-29 10:30:00\""),
        ("Timestamp(s)", "\"2024-02-29T12:30:00\"", "\"2024-02-29T12:30:00.5\""),
        ("Timestamp(us)", "\"2024-02-29 12:30:00.000001\"", "\"2024-02-29T12:30:00+05:30\""),
        ("Timestamp(ns, \"UTC\")", "\"2024-02-29T12:30:00+05:30\"", "\"3024-02-29T12:30:00Z\""),
        ("Time32(s)", "\"12:30:00\"", "\"12:30:00.5\""),
        ("List(Int64)", "[1,null]", "[\"x\"]"),
        ("LargeList(Utf8)", "[\"a\",2]", "\"a\""),
        ("FixedSizeList(2 x Float32)", "[1,2]", "[1]"),
        ("Struct(\"a\": Utf8)", "{\"a\":\"x\",\"b\":1}", "[1]"),
        ("Utf8", "7", "{}"),
    ] {
        let lines = |last: &str| format!("{{\"v\":null}}\n{{\"v\":{good}}}\n{{}}\n{{\"v\":{last}}}\n");
        let batch = try_all("a.jsonl", lines(good), &typed(&[("v", data_type)])).unwrap();
        assert_eq!(batch.column(0).data_type(), &data_type.parse::<DataType>().unwrap());
        assert_eq!(
            (0..4).map(|row| batch.column(0).is_valid(row)).collect::<Vec<_>>(),
            [false, true, false, true]
        );
        let error = try_all("a.jsonl", lines(bad), &typed(&[("v", data_type)])).unwrap_err();
        assert!(matches!(error, Error::Value { row: 3, line: 4, .. }), "{data_type}: {error}");
    }
}

#[test]
fn records_longer_than_any_buffer_are_read() {
    let long = "ü\\n".repeat(1_500_000);
    let batch = all(format!("{{\"text\":\"a\"}}\n{{\"text\":\"{long}\"}}\n{{\"text\":\"b\"}}"));
    let texts = batch.column(0).as_string::<i32>();
    assert_eq!((texts.value(0), texts.value(1).len(), texts.value(2)), ("a", 4_500_000, "b"));
}

#[test]
fn more_keys_than_names_are_data() {
    let object: Vec<String> = (0..10_001).map(|key| format!("\"k{key}\":1")).collect();
    let text = format!("{{\"text\":\"a\",\"v\":{{{}}}}}", object.join(","));
    assert!(refused(&text).hint().unwrap().contains("v=Json"));
    assert_eq!(try_all("a.jsonl", &text, &needing(&["text"])).unwrap().num_rows(), 1);
    assert_eq!(try_all("a.jsonl", &text, &typed(&[("v", "Json")])).unwrap().num_rows(), 1);
}

/// What is read of a file at once.
const WINDOW_BYTES: usize = 1 << 20;

#[test]
fn objects_are_whole_wherever_a_buffer_ends() {
    let end = "\\ud83d\\ude00é\\\\\"  ,\t\"n\":-1.5e+3 }  \r\n , {\"text\":null,\"n\":true}]\n";
    for shift in 0..end.len() + 2 {
        let long = "x".repeat(WINDOW_BYTES - "[{\"text\":\"".len() - shift);
        let text = format!("[{{\"text\":\"{long}{end}").replace("true", "7");
        let batch = all(text);
        let texts = batch.column(0).as_string::<i32>();
        assert_eq!((texts.value(0), texts.is_null(1)), (format!("{long}😀é\\").as_str(), true), "{shift}");
        assert_eq!(shown(&batch, "n").1, ["-1500.0", "7.0"]);
    }
}

#[test]
fn names_and_texts_stay_as_they_stand() {
    // Neither days nor numbers are seen in texts, and names that differ in case are two.
    let batch =
        all("{\"Text\":\"2024-01-01\",\"text\":\"1e5\",\"te.xt\":\" \\u2028\u{2028}\",\"\\u0000\":\"\"}\n");
    let schema = batch.schema();
    let names: Vec<_> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    assert_eq!(names, ["Text", "text", "te.xt", "\0"]);
    let texts = batch.columns().iter().map(|column| column.as_string::<i32>().value(0)).collect::<Vec<_>>();
    assert_eq!(texts, ["2024-01-01", "1e5", " \u{2028}\u{2028}", ""]);
}
