//! CSV files and lines of text: types that give every value back, and records that are none.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::util::display::array_value_to_string;
use proptest::prelude::*;
use strata_io::{CsvDialect, Error, ErrorKind, Input, ReadOptions};
use tempfile::TempDir;

use crate::support::{encode_bytes, names, read, source};

fn try_all(name: &str, text: impl AsRef<[u8]>, options: &ReadOptions) -> Result<RecordBatch, Error> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join(name);
    fs_err::write(&path, encode_bytes(name, text.as_ref())).unwrap();
    let input = Input::open(source(&path), options)?;
    let rows = input.count_rows()?;
    let columns: Vec<&str> = input.schema.fields().iter().map(|field| field.name().as_str()).collect();
    read(&input, &columns, 0..rows)
}

fn all(text: impl AsRef<[u8]>) -> RecordBatch {
    try_all("a.csv", text, &ReadOptions::default()).unwrap()
}

fn shown(batch: &RecordBatch, name: &str) -> (String, Vec<String>) {
    let column = batch.column_by_name(name).unwrap();
    let values = (0..column.len()).map(|row| array_value_to_string(column, row).unwrap());
    (column.data_type().to_string(), values.collect())
}

fn texts(batch: &RecordBatch, name: &str) -> Vec<Option<String>> {
    let column = batch.column_by_name(name).unwrap().as_string::<i32>();
    column.iter().map(|text| text.map(str::to_owned)).collect()
}

/// Texts as a column of a file, with many usual ones before them.
fn column(values: &[&str]) -> String {
    let many = format!("{},t\n", values[0]).repeat(1100);
    format!("v,text\n{many}{}", values.iter().map(|value| format!("{value},t\n")).collect::<String>())
}

#[test]
fn a_column_has_the_type_that_gives_every_value_back() {
    for (values, data_type) in [
        (&["1", "-2", "9223372036854775807"][..], "Int64"),
        (&["1", "12345678901234567890"], "UInt64"),
        (&["-1", "12345678901234567890"], "Utf8"),
        (&["1", "123456789012345678901234567890"], "Utf8"),
        (&["1", "2.50", "-1e5", ".5"], "Float64"),
        (&["1.5", "9007199254740993"], "Utf8"),
        (&["1.5", "3.14159265358979323846"], "Utf8"),
        (&["1.5", "1e400"], "Utf8"),
        (&["10115", "01067"], "Utf8"),
        (&["0", "00"], "Utf8"),
        (&["0.5", "0"], "Float64"),
        (&["5", "+5"], "Utf8"),
        (&["1", "0x1F"], "Utf8"),
        (&["1", "1_000"], "Utf8"),
        (&["1", "\"1,000\""], "Utf8"),
        (&["1", " 1"], "Utf8"),
        (&["1", "1-2"], "Utf8"),
        (&["1", "NaN"], "Utf8"),
        (&["true", "False", "TRUE"], "Boolean"),
        (&["true", "1"], "Utf8"),
        (&["true", "yes"], "Utf8"),
        (&["2024-01-01", "0001-12-31"], "Date32"),
        (&["2024-01-01", "2024-02-30"], "Utf8"),
        (&["2024-01-01", "2024-01-01 10:30:00"], "Utf8"),
        (&["2024-01-01 00:00:00", "2024-01-01T10:30:00"], "Timestamp(s)"),
        (&["2024-01-01 00:00:00", "2024-01-01 00:00:00.5"], "Timestamp(ms)"),
        (&["2024-01-01 00:00:00", "2024-01-01 00:00:00.987654"], "Timestamp(µs)"),
        (&["2024-01-01 00:00:00", "2024-01-01 00:00:00.987654321"], "Timestamp(ns)"),
        (&["1024-01-01 00:00:00", "2024-01-01 00:00:00.987654321"], "Utf8"),
        (&["2024-01-01 00:00:00", "2024-01-01 00:00:00.9876543210"], "Utf8"),
        (&["2024-01-01 00:00:00", "2024-01-01 00:00:60"], "Utf8"),
        (&["2024-01-01T00:00:00Z", "2024-01-01T10:30:00+00:00"], "Timestamp(s, \"UTC\")"),
        (&["2024-01-01T00:00:00Z", "2024-01-01T10:30:00+05:30"], "Utf8"),
        (&["2024-01-01T00:00:00Z", "2024-01-01T10:30:00"], "Utf8"),
        (&["", ""], "Utf8"),
    ] {
        let (found, shown) = shown(&all(column(values)), "v");
        assert_eq!(found, data_type, "{values:?}");
        if data_type == "Utf8" {
            let plain = values.iter().map(|value| value.trim_matches('"').to_owned());
            assert_eq!(shown[1100..], plain.collect::<Vec<_>>());
        }
    }
}

#[test]
fn moments_keep_their_fractions_and_numbers_their_digits() {
    let batch = all(column(&["2024-01-01 00:00:00", "2024-01-01 00:00:00.987654"]));
    assert_eq!(shown(&batch, "v").1[1100..], ["2024-01-01T00:00:00", "2024-01-01T00:00:00.987654"]);
    let batch = all(column(&["0.1", "123456789.12345678", "-0"]));
    assert_eq!(shown(&batch, "v").1[1100..], ["0.1", "123456789.12345678", "-0.0"]);
}

#[test]
fn a_blank_line_is_a_null_of_a_single_column_and_nothing_where_there_are_several() {
    let none = |texts: &[&str]| {
        let text = |text: &&str| (!text.is_empty()).then(|| (*text).to_owned());
        texts.iter().map(text).collect::<Vec<_>>()
    };
    for (content, expected) in [
        ("text\na\n\nc\n", &["a", "", "c"][..]),
        ("text\r\na\r\n\r\n\r\nc", &["a", "", "", "c"]),
        ("text\ra\r\rc\r", &["a", "", "c"]),
        ("text\n\n", &[""]),
        ("\n\ntext\na\n", &["a"]),
        ("text\na\n\"\"\n", &["a", ""]),
    ] {
        for name in ["a.csv", "a.tsv", "a.csv.gz"] {
            let batch = try_all(name, content, &ReadOptions::default()).unwrap();
            assert_eq!(texts(&batch, "text"), none(expected), "{content:?}");
        }
    }
    assert_eq!(texts(&all("text,n\na,1\n\n\r\nb,2\n\n"), "text"), none(&["a", "b"]));
    let options =
        ReadOptions { csv: CsvDialect { header: false, ..CsvDialect::default() }, ..ReadOptions::default() };
    assert_eq!(texts(&try_all("a.csv", "\n\na\n", &options).unwrap(), "column_1"), none(&["", "", "a"]));
    assert_eq!(texts(&try_all("a.csv", "\n\na,b\n", &options).unwrap(), "column_1"), none(&["a"]));
}

#[test]
fn records_that_are_none_are_refused_with_row_and_line() {
    for (content, row, line, said) in [
        ("id,text\n1,hello\n2,\"abc\n3,def\n4,ghi\n", 1, 3, "a quote is opened here and never closed"),
        ("id,text\n1,\"a\nb\"\n2,\"abc\" d\n", 1, 4, "text stands behind a closing quote"),
        ("id,text\n1,\"say \\\"hi\\\" now\"\n", 0, 2, "text stands behind a closing quote"),
        ("id,text\n1,a\n2\n", 1, 3, "expected 2 fields, found 1"),
        ("id,text\n1,a\n2,b,\n", 1, 3, "expected 2 fields, found 3"),
        ("text\na\nb,c\n", 1, 3, "expected 1 field, found 2"),
    ] {
        let error = try_all("a.csv", content, &ReadOptions::default()).unwrap_err();
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains(said), "{content}: {cause}");
        assert!(
            error.to_string().ends_with(&format!("a.csv, row {row} (line {line})")),
            "{content}: {error}"
        );
        assert!(error.hint().unwrap().contains("--csv-quote"));
    }
}

#[test]
fn escaped_characters_are_text() {
    let dialect = CsvDialect { escape: Some(b'\\'), ..CsvDialect::default() };
    let options = ReadOptions { csv: dialect, text_columns: names(&["text"]), ..ReadOptions::default() };
    for (field, expected) in [
        (r#""say \"hi\" now""#, Some(r#"say "hi" now"#)),
        (r#""a\\""#, Some(r"a\")),
        (r"a\,b", Some("a,b")),
        ("\"a\\\nb\"", Some("a\nb")),
        ("a\\\nb", Some("a\nb")),
        (r#""a ""b"" c""#, Some(r#"a "b" c"#)),
        (r"\N", None),
        (r"\\N", Some(r"\N")),
        ("", None),
    ] {
        let batch = try_all("a.csv", format!("id,text\n1,{field}\n2,{field}"), &options).unwrap();
        assert_eq!(texts(&batch, "text"), vec![expected.map(str::to_owned); 2], "{field}");
    }
    for field in [r#""C:\new""#, r"C:\new", "a\\"] {
        let error = try_all("a.csv", format!("id,text\n1,{field}"), &options).unwrap_err();
        assert!(matches!(error, Error::Record { row: 0, .. }), "{field}: {error}");
    }
}

#[test]
fn what_is_unusual_and_right_is_read_as_it_stands() {
    let options = ReadOptions { text_columns: names(&["text"]), ..ReadOptions::default() };
    for (content, expected) in [
        ("text,n\na\0b,1\n", "a\0b"),
        ("text,n\n\"x\0y\",1\n", "x\0y"),
        ("text,n\n\"value = 1\n\",1\n", "value = 1\n"),
        ("text,n\rcat,1\r", "cat"),
        ("\u{feff}text,n\ncat,1", "cat"),
        ("\u{feff}\"text\",n\ncat,1", "cat"),
        ("text,\n the 6\" dog ,1\n", " the 6\" dog "),
        ("text,n\n\"a\r\nb\",1\n", "a\r\nb"),
        ("text,n,n\n\"\"\"\",1,2\n", "\""),
    ] {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("a.csv");
        fs_err::write(&path, content).unwrap();
        let input = Input::open(source(&path), &options).unwrap();
        let batch = read(&input, &["text"], 0..input.count_rows().unwrap()).unwrap();
        assert_eq!(texts(&batch, "text"), [Some(expected.to_owned())], "{content:?}");
    }
}

#[test]
fn a_line_end_that_was_written_as_text_once_more_is_one() {
    // As Python writes it on Windows without `newline=""`. One beside a buffer's end is seen whole.
    for size in [0, WINDOW_BYTES - 10, WINDOW_BYTES - 9, WINDOW_BYTES - 8, WINDOW_BYTES - 7] {
        let long = "x".repeat(size);
        let single = all(format!("text\r\r\n{long}\r\r\n\r\r\nb\r\r\n"));
        assert_eq!(single.num_rows(), 3);
        let several = all(format!("t,n\r\r\n{long},1\r\r\nb,2\r\r\n"));
        assert_eq!(shown(&several, "n"), ("Int64".to_owned(), vec!["1".to_owned(), "2".to_owned()]));
        let lines = try_all("a.txt", format!("{long}\r\r\n\r\r\nb"), &ReadOptions::default()).unwrap();
        assert_eq!(texts(&lines, "text"), [Some(long), Some(String::new()), Some("b".to_owned())]);
    }
}

#[test]
fn fields_longer_than_any_buffer_are_read() {
    let long = "ü, \"\"\n".repeat(700_000);
    let batch = all(format!("text,n\na,1\n\"{long}\",2\n"));
    assert_eq!(texts(&batch, "text")[1].as_deref(), Some(long.replace("\"\"", "\"").as_str()));
    assert_eq!(shown(&batch, "n").1, ["1", "2"]);
}

#[test]
fn a_column_that_nobody_needs_decides_nothing() {
    let options = ReadOptions {
        text_columns: names(&["text"]),
        needed: Some(names(&["text"])),
        ..ReadOptions::default()
    };
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("a.csv");
    fs_err::write(&path, b"text,v\na,caf\xe9\nb,1\n").unwrap();
    let input = Input::open(source(&path), &options).unwrap();
    assert_eq!(texts(&read(&input, &["text"], 0..2).unwrap(), "text").len(), 2);
    assert_eq!(
        Input::open(source(&path), &ReadOptions::default())
            .and_then(|input| read(&input, &["v"], 0..2))
            .unwrap_err()
            .kind(),
        ErrorKind::BadData
    );
}

#[test]
fn text_of_another_encoding_is_refused_or_read_as_what_it_is_said_to_be() {
    let (latin, _, _) = encoding_rs::WINDOWS_1252.encode("text\ncafé\n");
    let utf16 = |big: bool| -> Vec<u8> {
        let units = "\u{feff}text\ncafé\n".encode_utf16();
        units.flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
    };
    let (japanese, _, _) = encoding_rs::SHIFT_JIS.encode("text\n猫\n");
    for (bytes, label, expected) in [
        (latin.into_owned(), "latin1", "café"),
        (utf16(false), "utf-16", "café"),
        (utf16(true), "utf-16", "café"),
        (japanese.into_owned(), "shift_jis", "猫"),
    ] {
        for name in ["a.csv", "a.tsv.gz"] {
            let error = try_all(name, &bytes, &ReadOptions::default()).unwrap_err();
            assert!(std::error::Error::source(&error).unwrap().to_string().contains("not UTF-8"), "{error}");
            assert!(error.hint().unwrap().contains("--encoding"));
            let encoding = encoding_rs::Encoding::for_label(label.as_bytes());
            let batch = try_all(name, &bytes, &ReadOptions { encoding, ..ReadOptions::default() }).unwrap();
            assert_eq!(texts(&batch, "text"), [Some(expected.to_owned())], "{label}");
        }
    }
    // Bytes that the encoding does not have are no question marks.
    let options = ReadOptions { encoding: Some(encoding_rs::SHIFT_JIS), ..ReadOptions::default() };
    assert_eq!(try_all("a.csv", b"text\n\xff\xff\n", &options).unwrap_err().kind(), ErrorKind::BadData);
}

#[test]
fn a_line_of_text_is_a_row() {
    for (content, expected) in [
        ("cat\ndog\n", &["cat", "dog"][..]),
        ("cat, \"a\"\r\n\r\n dog", &["cat, \"a\"", "", " dog"]),
        ("\u{feff}\ncat\n\n", &["", "cat", ""]),
        ("007\n1.5\n", &["007", "1.5"]),
        ("", &[]),
    ] {
        for name in ["a.txt", "a.txt.gz", "a.txt.xz", "a.txt.bz2", "a.txt.zst"] {
            let options = ReadOptions { text_columns: names(&["text"]), ..ReadOptions::default() };
            let found = texts(&try_all(name, content, &options).unwrap(), "text");
            assert_eq!(found.into_iter().flatten().collect::<Vec<_>>(), expected, "{name} {content:?}");
        }
    }
}

#[test]
fn wrapped_bytes_are_known_by_how_they_begin() {
    let folder = TempDir::new().unwrap();
    let text = "text\ncat\n".repeat(3);
    for wrapping in ["gz", "zst", "bz2", "xz"] {
        let bytes = encode_bytes(&format!("a.{wrapping}"), text.as_bytes());
        // Twice: tools write several members in a row.
        let path = folder.path().join("a.csv");
        fs_err::write(&path, [bytes.clone(), bytes.clone()].concat()).unwrap();
        let input = Input::open(source(&path), &ReadOptions::default()).unwrap();
        assert_eq!(input.count_rows().unwrap(), 11, "{wrapping}");
        // Cut short, they are no shorter file.
        fs_err::write(&path, &bytes[..bytes.len() - 6]).unwrap();
        let cut = Input::open(source(&path), &ReadOptions::default());
        assert_eq!(cut.unwrap_err().kind(), ErrorKind::BadData, "{wrapping}");
    }
}

#[test]
fn the_longest_windows_of_zstd_are_read() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("a.csv.zst");
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.window_log(31).unwrap();
    std::io::Write::write_all(&mut encoder, b"text\ncat\n").unwrap();
    fs_err::write(&path, encoder.finish().unwrap()).unwrap();
    let input = Input::open(source(&path), &ReadOptions::default()).unwrap();
    assert_eq!(input.count_rows().unwrap(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn whatever_the_type_every_value_is_given_back(values in prop::collection::vec(
        prop_oneof![
            "[-+]?0?[0-9]{1,20}(\\.[0-9]{0,3})?(e[0-9])?",
            "20[0-9]{2}-[01][0-9]-[0-3][0-9]([T ][0-2][0-9]:[0-5][0-9]:[0-6][0-9](\\.[0-9]{1,10})?(Z|\\+0[0-9]:00)?)?",
            "(true|false|True|t|)",
            any::<i64>().prop_map(|n| n.to_string()),
            any::<f32>().prop_map(|n| n.to_string()),
        ],
        1..4,
    )) {
        let batch = all(format!("v,text\n{}", values.iter().map(|value| format!("{value},t\n")).collect::<String>()));
        let (data_type, shown) = shown(&batch, "v");
        for (value, shown) in values.iter().zip(shown) {
            let same = match data_type.as_str() {
                _ if value == &shown => true,
                "Float64" => value.parse::<f64>().unwrap() == shown.parse::<f64>().unwrap(),
                "Boolean" => value.to_lowercase() == shown,
                // Fractions are filled up with zeros, and UTC is written with a Z.
                kind if kind.starts_with("Timestamp") => {
                    let plain = |text: &str| text.replace(' ', "T").replace("+00:00", "").replace('Z', "");
                    let trim = |text: &str| match text.contains('.') {
                        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
                        false => text.to_owned(),
                    };
                    trim(&plain(value)) == trim(&plain(&shown))
                }
                _ => false,
            };
            prop_assert!(same, "{data_type}: {value} became {shown}");
        }
    }
}

/// What is read of a file at once.
const WINDOW_BYTES: usize = 1 << 20;

#[test]
fn records_are_whole_wherever_a_buffer_ends() {
    let end = "é \"\"q\"\"\",2\r\n\"\r\n\",3\r\n";
    for shift in 0..end.len() + 2 {
        let long = "x".repeat(WINDOW_BYTES - "text,n\r\n\"".len() - shift);
        let batch = all(format!("text,n\r\n\"{long}{end}"));
        let texts = texts(&batch, "text");
        assert_eq!(texts[0].as_deref(), Some(format!("{long}é \"q\"").as_str()), "{shift}");
        assert_eq!(
            (texts[1].as_deref(), shown(&batch, "n").1),
            (Some("\r\n"), vec!["2".to_owned(), "3".to_owned()])
        );
    }
}

#[test]
fn characters_that_look_like_line_ends_are_none() {
    let text = "a\u{2028}b\u{85}c\u{b}d\u{c}e\u{1c}f";
    for (name, content) in [("a.csv", format!("text\n{text}\n")), ("a.txt", format!("{text}\n"))] {
        let batch = try_all(name, content, &ReadOptions::default()).unwrap();
        assert_eq!(texts(&batch, "text"), [Some(text.to_owned())], "{name}");
    }
}

#[test]
fn names_stay_as_they_stand_and_a_header_alone_has_no_rows() {
    let batch = all(",Text,text, text \n0,a,b,c\n");
    let schema = batch.schema();
    let names: Vec<_> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    assert_eq!(names, ["", "Text", "text", " text "]);
    for content in ["text,n\n", "text,n", "text,n\r\n\r\n"] {
        assert_eq!((all(content).num_rows(), all(content).num_columns()), (0, 2));
    }
}

#[test]
fn bytes_behind_a_compressed_file_are_not_passed_over() {
    let folder = TempDir::new().unwrap();
    for wrapping in ["gz", "zst", "bz2", "xz"] {
        let path = folder.path().join(format!("a.csv.{wrapping}"));
        let mut bytes = encode_bytes(&format!("a.{wrapping}"), b"text\ncat\n");
        bytes.extend_from_slice(b"more");
        fs_err::write(&path, bytes).unwrap();
        let error = Input::open(source(&path), &ReadOptions::default()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BadData, "{wrapping}");
    }
}
