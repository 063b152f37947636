//! What CSV and JSON Lines files leave open, and what is said instead of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::csv::WriterBuilder;
use arrow::datatypes::{DataType, Field};
use proptest::prelude::*;
use std::sync::Arc;
use strata_io::{CsvDialect, Error, ErrorKind, Input, ReadOptions};
use tempfile::TempDir;

use crate::support::{names, read, source};

fn typed(types: &[(&str, &str)]) -> ReadOptions {
    let types = types.iter().map(|(column, name)| (column.to_string(), name.parse().unwrap()));
    ReadOptions { types: types.collect(), ..ReadOptions::default() }
}

fn written(delimiter: Option<u8>, header: bool, quote: Option<u8>) -> ReadOptions {
    ReadOptions { csv: CsvDialect { delimiter, header, quote, escape: None }, ..ReadOptions::default() }
}

fn file(folder: &TempDir, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.path().join(name);
    fs_err::write(&path, content).unwrap();
    path
}

fn open(path: &Path, options: &ReadOptions) -> Result<Input, Error> {
    Input::open(source(path), options)
}

/// All rows, each as its fields; nulls are empty.
fn records(input: &Input) -> Vec<Vec<String>> {
    let columns: Vec<&str> = input.schema.fields().iter().map(|field| field.name().as_str()).collect();
    let rows = input.count_rows().unwrap();
    let batch = read(input, &columns, 0..rows).unwrap();
    let field = |column: &ArrayRef, row| {
        let texts = column.as_string::<i32>();
        if texts.is_valid(row) { texts.value(row).to_owned() } else { String::new() }
    };
    let record = |row| batch.columns().iter().map(|column| field(column, row)).collect();
    (0..batch.num_rows()).map(record).collect()
}

#[test]
fn a_given_type_takes_the_place_of_the_inferred_one() {
    let folder = TempDir::new().unwrap();
    let options = typed(&[("zip", "Utf8"), ("n", "Float32")]);
    for (name, content) in [
        ("a.csv", "zip,n,id\n007,1,1\n08,2,2\n"),
        ("a.tsv", "zip\tn\tid\n007\t1\t1\n08\t2\t2\n"),
        ("a.jsonl", "{\"zip\":\"007\",\"n\":1,\"id\":1}\n{\"zip\":\"08\",\"n\":2,\"id\":2}\n"),
    ] {
        let input = open(&file(&folder, name, content), &options).unwrap();
        let batch = read(&input, &["zip", "n", "id"], 0..2).unwrap();
        let types: Vec<_> = batch.columns().iter().map(|column| column.data_type().clone()).collect();
        assert_eq!(types, [DataType::Utf8, DataType::Float32, DataType::Int64], "{name}");
        assert_eq!(batch.column(0).as_string::<i32>().value(0), "007", "{name}");
    }
}

#[test]
fn a_given_type_wins_over_a_column_of_text() {
    let folder = TempDir::new().unwrap();
    let options = ReadOptions { text_columns: names(&["text"]), ..typed(&[("text", "Int64")]) };
    let input = open(&file(&folder, "a.csv", "text\n1\n"), &options).unwrap();
    assert_eq!(input.schema.field(0).data_type(), &DataType::Int64);
}

#[test]
fn a_json_column_that_comes_late_is_there_with_its_type() {
    let folder = TempDir::new().unwrap();
    let lines = format!("{}{}", "{\"words\":[]}\n".repeat(1200), "{\"late\":1,\"words\":[1,\"b\"]}\n");
    let path = file(&folder, "a.jsonl", lines);
    let input = open(&path, &typed(&[("late", "Int16"), ("words", "List(Utf8)")])).unwrap();
    let batch = read(&input, &["late", "words"], 1199..1201).unwrap();
    assert_eq!(batch.column(0).data_type(), &DataType::Int16);
    assert!(batch.column(0).is_null(0) && batch.column(0).is_valid(1));
    let words = batch.column(1).as_list::<i32>().value(1);
    assert_eq!(words.as_ref(), &StringArray::from(vec!["1", "b"]) as &dyn Array);
}

#[test]
fn a_csv_column_that_is_not_there_is_refused_with_those_that_are() {
    let folder = TempDir::new().unwrap();
    let path = file(&folder, "a.csv", "id,text,id\n1,a,2\n");
    let error = open(&path, &typed(&[("zpi", "Utf8")])).unwrap_err();
    assert!(error.to_string().ends_with("a.csv, found id, text, id"), "{error}");
    let error = open(&path, &typed(&[("id", "Utf8")])).unwrap_err();
    assert!(matches!(error, Error::AmbiguousColumn { count: 2, .. }), "{error}");
}

#[test]
fn types_that_a_format_does_not_have_are_refused_before_any_row() {
    let folder = TempDir::new().unwrap();
    let csv = file(&folder, "a.csv", "a\n");
    let json = file(&folder, "a.jsonl", "");
    for (path, types) in [
        (&csv, &["List(Utf8)", "Struct(\"a\": Utf8)", "Binary", "Duration(s)"][..]),
        (&json, &["Dictionary(Int32, Utf8)", "Interval(DayTime)", "List(Dictionary(Int32, Utf8))"]),
    ] {
        let of_both = ["Null", "Timestamp(ms, \"Nowhere\")"];
        for name in types.iter().copied().chain(of_both) {
            let error = open(path, &typed(&[("a", name)])).expect_err(name);
            assert!(matches!(error, Error::NotReadable { .. }), "{name}: {error}");
            assert_eq!(error.kind(), ErrorKind::Usage);
            assert!(error.to_string().contains("column `a` of "), "{error}");
        }
    }
    // A type that no text stands for, and that makes the reader panic.
    let utf8 = |name| Arc::new(Field::new(name, DataType::Utf8, false));
    let data_type = DataType::RunEndEncoded(utf8("run_ends"), utf8("values"));
    let types = BTreeMap::from([("a".to_owned(), data_type.into())]);
    let error = open(&json, &ReadOptions { types, ..ReadOptions::default() }).unwrap_err();
    assert!(matches!(error, Error::NotReadable { .. }), "{error}");
}

#[test]
fn types_that_are_not_refused_are_read() {
    let folder = TempDir::new().unwrap();
    for (name, text) in [
        ("Utf8", "x"),
        ("Utf8View", "x"),
        ("Boolean", "true"),
        ("Int8", "-7"),
        ("UInt64", "7"),
        ("Float32", "0.5"),
        ("Decimal128(5, 2)", "1.25"),
        ("Date32", "2024-02-29"),
        ("Time64(us)", "12:30:00"),
        ("Timestamp(ms)", "2024-02-29T12:30:00"),
        ("Timestamp(us, \"Europe/Berlin\")", "2024-02-29T12:30:00"),
    ] {
        let csv = file(&folder, "a.csv", format!("a\n\"\"\n{text}\n"));
        let json = file(&folder, "a.jsonl", format!("{{}}\n{{\"a\":\"{text}\"}}\n"));
        // In JSON, a boolean is no text.
        for path in [csv, json].iter().filter(|path| name != "Boolean" || path.ends_with("a.csv")) {
            let batch = read(&open(path, &typed(&[("a", name)])).unwrap(), &["a"], 0..2).unwrap();
            let column = batch.column(0);
            assert_eq!(column.data_type(), &name.parse::<DataType>().unwrap());
            assert!(column.is_null(0) && column.is_valid(1), "{name} {}", path.display());
        }
    }
}

#[test]
fn columns_without_a_header_are_numbered() {
    let folder = TempDir::new().unwrap();
    for name in ["a.csv", "a.tsv"] {
        let path = file(&folder, name, "\u{feff}a;1\nb;2\n");
        let options = ReadOptions {
            text_columns: names(&["column_2"]),
            types: BTreeMap::new(),
            ..written(Some(b';'), false, Some(b'"'))
        };
        let input = open(&path, &options).unwrap();
        assert_eq!(records(&input), [["a", "1"], ["b", "2"]], "{name}");
        let batch = read(&input, &["column_2", "column_1"], 1..2).unwrap();
        assert_eq!(batch.column(0).as_string::<i32>().value(0), "2");
    }
    let empty = open(&file(&folder, "b.csv", ""), &written(None, false, None)).unwrap();
    assert_eq!((empty.count_rows().unwrap(), empty.schema.fields().len()), (0, 0));
}

#[test]
fn quotation_marks_are_text_where_nothing_quotes() {
    let folder = TempDir::new().unwrap();
    let path = file(&folder, "a.tsv", "text\tlabel\n\"He said\tno\nit is 6\" long\tyes\n\"\t\"\"\n");
    let input = open(&path, &written(None, true, None)).unwrap();
    assert_eq!(records(&input), [["\"He said", "no"], ["it is 6\" long", "yes"], ["\"", "\"\""]]);
    // With the usual quote, the first mark swallows what follows.
    assert!(open(&path, &ReadOptions::default()).and_then(|input| input.count_rows()).is_err());
}

#[test]
fn the_byte_that_stands_for_no_quote_is_refused_and_not_dropped() {
    let folder = TempDir::new().unwrap();
    for content in [b"text\n\xffcat\n".as_slice(), b"\xfftext\ncat\n", b"text\na\xff\n"] {
        let path = file(&folder, "a.csv", content);
        let error = open(&path, &written(None, true, None)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BadData, "{error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn what_is_written_in_a_dialect_is_read_in_it(
        rows in prop::collection::vec(prop::collection::vec("[ab'\";|, 0-9é\n\t]{1,5}", 3), 1..20),
        delimiter in prop::sample::select(&b",;|\t"[..]),
        header in any::<bool>(),
        quote in prop::sample::select(&[Some(b'"'), Some(b'\''), None][..]),
        name in prop::sample::select(&["a.csv", "a.tsv"][..]),
    ) {
        // Nothing but a quote can hold these.
        let clean = |field: &String| match quote {
            Some(_) => field.clone(),
            None => field.replace(['\n', char::from(delimiter)], "-"),
        };
        let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(clean).collect()).collect();
        let column = |index: usize| -> ArrayRef {
            Arc::new(rows.iter().map(|row| Some(row[index].as_str())).collect::<StringArray>())
        };
        let columns = ["column_1", "column_2", "column_3"];
        let table = RecordBatch::try_from_iter((0..3).map(|index| (columns[index], column(index)))).unwrap();
        let mut bytes = Vec::new();
        match quote {
            Some(quote) => {
                let writer = WriterBuilder::new().with_delimiter(delimiter).with_header(header);
                writer.with_quote(quote).build(&mut bytes).write(&table).unwrap();
            }
            None => {
                let delimiter = char::from(delimiter).to_string();
                let mut lines: Vec<String> = rows.iter().map(|row| row.join(&delimiter)).collect();
                lines.splice(0..0, header.then(|| columns.join(&delimiter)));
                bytes.extend(lines.iter().flat_map(|line| format!("{line}\n").into_bytes()));
            }
        }
        let folder = TempDir::new().unwrap();
        let options = ReadOptions {
            text_columns: names(&columns),
            ..written(Some(delimiter), header, quote)
        };
        let input = open(&file(&folder, name, bytes), &options).unwrap();
        prop_assert_eq!(records(&input), rows);
    }
}
