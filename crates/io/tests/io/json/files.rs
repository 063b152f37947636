//! How objects stand in files.

use arrow::array::{Array, AsArray};
use arrow::datatypes::DataType;
use strata_io::{ErrorKind, ReadOptions};

use super::{all, needing, refused, shown, try_all, typed};

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
