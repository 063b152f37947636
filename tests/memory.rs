//! Memory is bounded by windows, not by the input.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BinaryArray, Int32Array, LargeStringArray, ListArray, RecordBatch, StringArray,
    StructArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;

use crate::support::tables::table;
use crate::support::{Sandbox, texts, write_table};

const MEGABYTE: u64 = 1 << 20;

#[test]
fn fifty_times_the_rows_take_no_more_memory() {
    let (few, many) = (peak_memory(10_000), peak_memory(500_000));
    let growth = many.saturating_sub(few) / MEGABYTE;
    assert!(growth < 200, "peak memory grew by {growth} MB from {} MB", few / MEGABYTE);
}

/// The largest memory of a run over so many short texts, in bytes.
fn peak_memory(rows: usize) -> u64 {
    let words = ["cat", "the dog", "sat on", "hello world", "", "run, run", "jump", "a token"];
    let sandbox = Sandbox::new();
    write_table(&sandbox.path("in.parquet"), &texts((0..rows).map(|row| words[row % words.len()])));
    sandbox.succeed(
        "run --input in.parquet --model tiny-bert --output out --layers 0 --max-length 8 \
         --max-batch-tokens 8192 --threads 1 --report report.json",
    );
    let report = sandbox.report("report.json");
    assert_eq!(report["rows"], rows);
    report["peak_memory_bytes"].as_u64().unwrap()
}

#[test]
fn a_row_group_of_long_texts_is_read_in_pieces() {
    const ROWS: usize = 1000;
    let sandbox = Sandbox::new();
    let long = "the cat sat ".repeat(40_000);
    let rows: Vec<String> = (0..ROWS).map(|row| format!("{row} {long}")).collect();
    write_table(&sandbox.path("in.parquet"), &texts(rows.iter().map(String::as_str)));
    sandbox.succeed(
        "run --input in.parquet --model tiny-bert --output out --layers 0 --max-length 8 --keep none \
         --threads 1 --report report.json",
    );
    let peak = sandbox.report("report.json")["peak_memory_bytes"].as_u64().unwrap();
    let growth = peak.saturating_sub(peak_memory(ROWS)) / MEGABYTE;
    let size = ROWS * long.len() / MEGABYTE as usize;
    assert!(growth < size as u64 * 2 / 3, "a row group of {size} MB took {growth} MB");
}

/// What a run may take beyond one over few short rows: eight windows of what is read and of vectors, and a
/// part that is being written.
const BOUND: u64 = 8 * (16 + 32) + 64;

/// Writes `batches` times `rows` to one Parquet file.
fn write_many(path: &Path, batches: usize, rows: &RecordBatch) {
    let file = fs_err::File::create(path).unwrap();
    // Room for a dictionary of long values.
    let properties = WriterProperties::builder().set_dictionary_page_size_limit(64 << 20).build();
    let mut writer = ArrowWriter::try_new(file, rows.schema(), Some(properties)).unwrap();
    for _ in 0..batches {
        writer.write(rows).unwrap();
    }
    writer.close().unwrap();
}

/// The largest memory of a run over `in.parquet`, in megabytes.
fn megabytes(sandbox: &Sandbox, options: &str) -> u64 {
    sandbox.succeed(&format!(
        "run --input in.parquet --model tiny-bert --output out --overwrite --max-length 8 --threads 1 \
         --report report.json {options}"
    ));
    sandbox.report("report.json")["peak_memory_bytes"].as_u64().unwrap() / MEGABYTE
}

fn few_short_rows() -> u64 {
    megabytes(&Sandbox::with_texts(["cat"; 100]), "--layers 0")
}

/// Texts beside a column of some values, each `bytes` long.
fn beside_long_values(rows: usize, bytes: usize) -> RecordBatch {
    let values: Vec<Vec<u8>> =
        (0..rows).map(|row| [row.to_le_bytes().as_slice(), &vec![7; bytes]].concat()).collect();
    let blobs: ArrayRef = Arc::new(BinaryArray::from_iter_values(&values));
    table([("text", texts(vec!["cat sat"; rows]).column(0).clone()), ("blob", blobs)])
}

#[test]
fn kept_columns_are_held_by_their_bytes_for_every_unit_and_format() {
    let few = few_short_rows();
    let sandbox = Sandbox::new();
    // Half of a gigabyte of values, all of which a window of 8192 rows would hold.
    write_many(&sandbox.path("in.parquet"), 50, &beside_long_values(100, 100_000));
    for options in ["", "--format arrow", "--unit token", "--unit word --format arrow"] {
        let growth = megabytes(&sandbox, &format!("--layers 0 --keep all {options}")).saturating_sub(few);
        assert!(growth < BOUND, "{options}: {growth} MB");
    }
}

#[test]
fn documents_that_a_dictionary_made_small_are_held_by_what_they_are_written_out() {
    let few = few_short_rows();
    let document = "the cat sat on a dog ".repeat(150_000);
    let rows = 300;
    let documents: ArrayRef = Arc::new(StringArray::from(vec![document.as_str(); rows]));
    let words = texts(vec!["cat"; rows]).column(0).clone();
    let dictionary = DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8));
    let element = Arc::new(Field::new("item", DataType::Utf8, true));
    let lists = cast(&documents, &DataType::List(element)).unwrap();
    let categories: ArrayRef = Arc::new(cast(&documents.slice(0, 1), &dictionary).unwrap());
    let nothing = vec![categories.as_ref(); rows];
    let categories = arrow::compute::concat(&nothing).unwrap();
    for (name, column) in [("plain", documents.clone()), ("in lists", lists), ("categories", categories)] {
        let sandbox = Sandbox::new();
        write_many(&sandbox.path("in.parquet"), 1, &table([("text", words.clone()), ("document", column)]));
        let size = fs_err::metadata(sandbox.path("in.parquet")).unwrap().len();
        assert!(size < 10 << 20, "{name} is written as a dictionary of {size} bytes");
        for options in ["", "--format arrow"] {
            let growth = megabytes(&sandbox, &format!("--layers 0 {options}")).saturating_sub(few);
            assert!(growth < BOUND, "{name} {options}: {growth} MB for {} MB", (rows * document.len()) >> 20);
        }
    }
    let sandbox = Sandbox::new();
    write_many(&sandbox.path("in.parquet"), 1, &table([("text", documents)]));
    let growth = megabytes(&sandbox, "--layers 0 --keep none").saturating_sub(few);
    assert!(growth < BOUND, "encoded: {growth} MB");
}

#[test]
fn wide_features_are_held_by_their_bytes_for_every_unit() {
    let few = few_short_rows();
    let sandbox = Sandbox::with_texts(vec!["cat sat on the mat"; 3000]);
    for options in [
        "--pooling cls,mean,max,min,mean_max,last --combine stack",
        "--unit word --pooling first,last,mean,max,first_last --combine stack",
        "--unit token",
    ] {
        let growth = megabytes(&sandbox, &format!("--layers all --keep none {options}")).saturating_sub(few);
        assert!(growth < BOUND, "{options}: {growth} MB");
    }
}

/// Texts of eleven characters with `spans` spans each, beside values of `bytes` bytes.
fn with_spans(rows: usize, spans: usize, bytes: usize) -> RecordBatch {
    let numbers = |number: fn(i32) -> i32| -> ArrayRef {
        Arc::new((0..rows * spans).map(|span| Some(number(span as i32))).collect::<Int32Array>())
    };
    let end = |name: &str| Arc::new(Field::new(name, DataType::Int32, false));
    // The starts of words, and the end of the last.
    let structs = StructArray::from(vec![
        (end("start"), numbers(|span| [0, 4, 8][span as usize % 3])),
        (end("end"), numbers(|_| 11)),
    ]);
    let element = Arc::new(Field::new("item", structs.data_type().clone(), true));
    let lists =
        ListArray::new(element, OffsetBuffer::from_repeated_length(spans, rows), Arc::new(structs), None);
    let blobs: ArrayRef = Arc::new(BinaryArray::from_iter_values(vec![vec![7; bytes]; rows]));
    let words = texts(vec!["the cat sat"; rows]).column(0).clone();
    table([("text", words), ("spans", Arc::new(lists)), ("blob", blobs)])
}

#[test]
fn spans_are_held_by_the_bytes_of_their_vectors_and_of_what_is_kept_beside_them() {
    let few = few_short_rows();
    for (name, batches, rows, options) in [
        ("kept", 50, with_spans(100, 2, 100_000), "--layers 0 --keep all"),
        (
            "wide and many",
            1,
            with_spans(200, 2000, 0),
            "--layers all --keep none --pooling first,last,mean,max,first_last,endpoints --combine stack",
        ),
    ] {
        for format in ["parquet", "arrow"] {
            let sandbox = Sandbox::new();
            write_many(&sandbox.path("in.parquet"), batches, &rows);
            let options = format!("--unit span --spans spans --format {format} {options}");
            let growth = megabytes(&sandbox, &options).saturating_sub(few);
            assert!(growth < BOUND, "{name} {format}: {growth} MB");
        }
    }
}

#[test]
fn more_than_two_gigabytes_of_kept_text_in_a_row_group_are_carried() {
    let sandbox = Sandbox::new();
    let document = "lorem ipsum ".repeat(250_000);
    let rows = 800;
    let documents: ArrayRef = Arc::new(LargeStringArray::from(vec![document.as_str(); 1]));
    let many =
        cast(&documents, &DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))).unwrap();
    let many = arrow::compute::concat(&vec![many.as_ref(); rows]).unwrap();
    let input = table([("text", texts(vec!["a"; rows]).column(0).clone()), ("document", many)]);
    write_many(&sandbox.path("in.parquet"), 1, &input);
    // Stated as text, it is 2.4 GB of it.
    let growth = megabytes(&sandbox, "--layers 0 --schema document=Utf8");
    assert!(growth < BOUND + 200, "{growth} MB");
}
