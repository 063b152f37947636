//! Bytes from anywhere: whatever a file holds, reading it ends with rows or an error, never with a
//! panic, and never asks for memory out of proportion to the file.

mod memory;

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, RecordBatch, StringArray};
use proptest::prelude::*;
use serde_json::json;
use strata_io::{CsvDialect, Input, Manifest, OutputFolder, ReadOptions, find};
use tempfile::TempDir;

/// More than any reader needs for a file of a few kilobytes.
const MOST_BYTES: usize = 256 << 20;

/// Reads a file of these bytes in every way there is.
fn read(name: &str, bytes: &[u8]) {
    read_with(name, bytes, &ReadOptions { text_columns: vec!["text".to_owned()], ..ReadOptions::default() });
}

fn read_with(name: &str, bytes: &[u8], options: &ReadOptions) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join(name);
    fs_err::write(&path, bytes).unwrap();
    let (outcome, most) = memory::watched(|| try_read(&path, options));
    assert!(most < MOST_BYTES, "{name}: asked for {most} bytes at once; {outcome:?}");
}

fn try_read(path: &Path, options: &ReadOptions) -> Result<(), strata_io::Error> {
    let source = find(&[path.to_str().unwrap().to_owned()])?.remove(0);
    let input = Input::open(source, options)?;
    let rows = input.count_rows()?;
    let columns: Vec<String> = input.schema.fields().iter().map(|field| field.name().clone()).collect();
    // A file may claim any number of rows: what counts is that each is given or refused.
    input.read(&columns, 0..rows.min(10_000))?.try_for_each(|batch| batch.map(drop))
}

/// A small file of each binary format.
fn sample(name: &str) -> Vec<u8> {
    let texts: ArrayRef = Arc::new(StringArray::from_iter_values((0..50).map(|row| format!("text {row}"))));
    let numbers: ArrayRef = Arc::new(Int32Array::from_iter_values(0..50));
    let batch = RecordBatch::try_from_iter([("text", texts), ("number", numbers)]).unwrap();
    let mut bytes = Vec::new();
    match name {
        "a.parquet" => {
            let mut writer = parquet::arrow::ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
            writer.write(&batch).unwrap();
            writer.close().unwrap();
        }
        "a.arrow" => {
            let mut writer = arrow::ipc::writer::FileWriter::try_new(&mut bytes, &batch.schema()).unwrap();
            writer.write(&batch).unwrap();
            writer.finish().unwrap();
        }
        _ => {
            let mut writer = arrow::ipc::writer::StreamWriter::try_new(&mut bytes, &batch.schema()).unwrap();
            writer.write(&batch).unwrap();
            writer.finish().unwrap();
        }
    }
    bytes
}

fn manifest() -> String {
    let part = json!({"input": "a", "rows": [0, 3], "output_rows": 3, "bytes": 10, "blake3": "ab", "counts": {"tokens": 3}});
    let input = json!({"bytes": 1, "modified_ns": 2, "blake3": "cd", "rows": 3});
    json!({"format_version": 2, "strata": "0", "fingerprint": {"a": 1}, "inputs": {"a": input}, "parts": {"p": part}})
        .to_string()
}

fn load_manifest(bytes: &[u8]) {
    let root = TempDir::new().unwrap();
    let folder = OutputFolder::new(root.path());
    folder.make().unwrap();
    fs_err::write(folder.manifest(), bytes).unwrap();
    let (outcome, most) = memory::watched(|| Manifest::load(&folder));
    assert!(most < MOST_BYTES);
    if let Ok(Some(manifest)) = outcome {
        let leads_out =
            |name: &String| Path::new(name).components().count() != 1 || name.starts_with(['/', '.']);
        let names: Vec<&String> =
            manifest.parts.keys().filter(|name| leads_out(name) && name.contains(['/', '\\'])).collect();
        assert!(names.is_empty(), "{names:?}");
        manifest.save(&folder).unwrap();
    }
}

/// Bytes of which many are those a format gives a meaning to.
fn text_bytes(alphabet: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    let token = prop_oneof![
        4 => prop::sample::select(alphabet).prop_map(|token| token.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..4),
    ];
    prop::collection::vec(token, 0..60).prop_map(|tokens| tokens.concat())
}

/// Options of any kind, such as a user may give them.
fn options() -> impl Strategy<Value = ReadOptions> {
    let character = |choices: &'static [u8]| prop::option::of(prop::sample::select(choices));
    let types = ["Utf8", "Int64", "Boolean", "Timestamp(ms)", "Decimal128(5, 2)", "List(Utf8)", "Json"];
    let types = prop::collection::btree_map(
        prop::sample::select(&["text", "a", "column_1", "column_2"][..]).prop_map(str::to_owned),
        prop::sample::select(types.to_vec()).prop_map(|data_type| data_type.parse().unwrap()),
        0..3,
    );
    let needed = prop::option::of(prop::collection::vec(
        prop::sample::select(&["text", "a", "a.text", "column_1"][..]).prop_map(str::to_owned),
        0..3,
    ));
    let encoding = prop::option::of(prop::sample::select(&["latin1", "utf-16", "shift_jis"][..]));
    (types, character(b",;\t 1"), any::<bool>(), character(b"\"'"), character(b"\\"), needed, encoding)
        .prop_map(|(types, delimiter, header, quote, escape, needed, encoding)| ReadOptions {
            types,
            text_columns: Vec::new(),
            needed,
            csv: CsvDialect { delimiter, header, quote, escape },
            encoding: encoding.and_then(|label| encoding_rs::Encoding::for_label(label.as_bytes())),
            ..ReadOptions::default()
        })
}

const JSON: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    "\"text\":",
    "\"a\"",
    ",",
    ":",
    "\n",
    "null",
    "1e999",
    "-",
    "\\u",
    "\\ud800",
    "true",
    "\"",
];
const CSV: &[&str] = &["text", ",", "\n", "\"", "\"\"", "\r", "1", ";", "\t", " ", "a,b\n"];
const MANIFEST: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"format_version\":1",
    "\"parts\":",
    "\"inputs\":",
    "\"../a\"",
    "\"rows\":[0,1]",
    "9",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn any_bytes_as_a_file_of_any_format(
        bytes in prop::collection::vec(any::<u8>(), 0..600),
        name in prop::sample::select(&["a.parquet", "a.arrow", "a.arrows", "a.csv", "a.tsv", "a.jsonl", "a.csv.gz", "a.jsonl.zst"][..]),
    ) {
        read(name, &bytes);
    }

    #[test]
    fn a_binary_file_with_a_piece_replaced(
        name in prop::sample::select(&["a.parquet", "a.arrow", "a.arrows"][..]),
        place in 0.0..1.0_f64,
        piece in prop::collection::vec(prop_oneof![Just(0_u8), Just(0xff), Just(0x7f), any::<u8>()], 1..12),
    ) {
        let mut bytes = sample(name);
        let start = (bytes.len() as f64 * place) as usize;
        let end = bytes.len().min(start + piece.len());
        bytes[start..end].copy_from_slice(&piece[..end - start]);
        read(name, &bytes);
    }

    #[test]
    fn almost_json_lines(bytes in text_bytes(JSON), options in options()) {
        read("a.jsonl", &bytes);
        read_with("a.jsonl", &bytes, &options);
    }

    #[test]
    fn almost_csv(bytes in text_bytes(CSV), options in options()) {
        read("a.csv", &bytes);
        read_with("a.csv", &bytes, &options);
    }

    #[test]
    fn almost_a_manifest(bytes in text_bytes(MANIFEST)) {
        load_manifest(&bytes);
    }

    #[test]
    fn a_manifest_with_a_piece_replaced(place in 0.0..1.0_f64, piece in "[0-9a-z\"{}:,./-]{1,8}") {
        let mut text = manifest();
        let start = (text.len() as f64 * place) as usize;
        text.replace_range(start..text.len().min(start + piece.len()), &piece);
        load_manifest(text.as_bytes());
    }
}

#[test]
fn nesting_without_end_is_an_error() {
    for (open, name) in [("[", "a.jsonl"), ("{\"a\":", "a.jsonl")] {
        read(name, open.repeat(200_000).as_bytes());
    }
    load_manifest("[".repeat(200_000).as_bytes());
    load_manifest(&[br#"{"format_version":2,"fingerprint":"#.to_vec(), b"{\"a\":".repeat(200_000)].concat());
}
