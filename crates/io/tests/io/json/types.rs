//! The types of columns, and values that have no place in them.

use arrow::array::{Array, AsArray};
use arrow::datatypes::DataType;
use strata_io::{ColumnType, Error, ErrorKind};

use super::{all, needing, refused, shown, try_all, typed};

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
