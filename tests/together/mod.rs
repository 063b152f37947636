//! Files whose columns have different types.

mod text;

use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Int32Array, Int64Array, LargeStringArray, NullArray, RecordBatch, StringArray,
    UInt16Array,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use arrow::util::display::array_value_to_string;
use parquet::arrow::ArrowWriter;

use crate::faulty::stderr;
use crate::support::tables::{column, table};
use crate::support::{Sandbox, read_output, texts, write_table};

const RUN: &str = "run --input data --model tiny-bert --layers 0 --output out";

fn beside(k: ArrayRef) -> RecordBatch {
    let words = texts(vec!["cat"; k.len()]);
    table([("text", words.column(0).clone()), ("k", k)])
}

/// Writes one file for each column, runs over them, and returns the column `k` of the output.
fn together(columns: &[ArrayRef], extension: &str) -> ArrayRef {
    let sandbox = Sandbox::new();
    fs_err::create_dir(sandbox.path("data")).unwrap();
    for (place, k) in columns.iter().enumerate() {
        write_table(&sandbox.path(&format!("data/{place}.{extension}")), &beside(k.clone()));
    }
    sandbox.succeed(RUN);
    column(&read_output(&sandbox.path("out")), "k").clone()
}

fn ints(values: Vec<Option<i64>>, data_type: &DataType) -> ArrayRef {
    cast(&Int64Array::from(values), data_type).unwrap()
}

#[test]
fn types_that_hold_the_same_values_become_one() {
    let dictionary = DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8));
    let list = |name: &str, value: DataType| DataType::List(Arc::new(Field::new(name, value, true)));
    let strings: ArrayRef = Arc::new(StringArray::from(vec![Some("x"), None]));
    let numbers = ints(vec![Some(1), None], &DataType::Int64);
    let times = cast(&numbers, &DataType::Timestamp(TimeUnit::Millisecond, None)).unwrap();
    let cases: Vec<(&ArrayRef, Vec<DataType>, DataType)> = vec![
        (&strings, vec![DataType::Utf8, DataType::LargeUtf8], DataType::LargeUtf8),
        (&strings, vec![DataType::Utf8View, DataType::Utf8], DataType::Utf8),
        (&strings, vec![dictionary.clone(), DataType::Utf8], DataType::Utf8),
        (&numbers, vec![DataType::Int32, DataType::Int64, DataType::Int8], DataType::Int64),
        (&numbers, vec![DataType::UInt8, DataType::Int8], DataType::Int16),
        (&numbers, vec![DataType::Int64, DataType::Float64], DataType::Float64),
        (
            &numbers,
            vec![DataType::Decimal128(9, 2), DataType::Decimal128(12, 1)],
            DataType::Decimal128(13, 2),
        ),
        (
            &times,
            vec![
                DataType::Timestamp(TimeUnit::Millisecond, None),
                DataType::Timestamp(TimeUnit::Nanosecond, None),
            ],
            DataType::Timestamp(TimeUnit::Nanosecond, None),
        ),
        (
            &numbers,
            vec![list("item", DataType::Int32), list("element", DataType::Int64)],
            list("item", DataType::Int64),
        ),
    ];
    for extension in ["parquet", "arrow", "arrows"] {
        for (values, types, expected) in &cases {
            let columns: Vec<ArrayRef> =
                types.iter().map(|data_type| cast(values, data_type).unwrap()).collect();
            let found = together(&columns, extension);
            assert_eq!(found.data_type(), expected, "{types:?} of {extension}");
            let once = cast(values, expected).unwrap();
            let all = vec![once.as_ref(); types.len()];
            assert_eq!(&found, &arrow::compute::concat(&all).unwrap(), "{types:?} of {extension}");
        }
    }
}

#[test]
fn a_column_without_values_is_of_the_type_that_another_file_has() {
    let nothing: ArrayRef = Arc::new(NullArray::new(2));
    for extension in ["parquet", "arrow"] {
        let found = together(&[nothing.clone(), ints(vec![Some(7)], &DataType::Int32)], extension);
        assert_eq!(found.as_ref(), &Int32Array::from(vec![None, None, Some(7)]) as &dyn Array);
    }
}

#[test]
fn a_column_that_is_empty_in_one_text_file_is_what_it_is_in_the_other() {
    for (extension, one, other) in [
        ("csv", "text,k\ncat,\n", "text,k\ndog,7\n"),
        ("jsonl", "{\"text\":\"cat\",\"k\":null}\n", "{\"text\":\"dog\",\"k\":7}\n"),
    ] {
        let sandbox = Sandbox::new();
        fs_err::create_dir(sandbox.path("data")).unwrap();
        sandbox.write(&format!("data/0.{extension}"), one);
        sandbox.write(&format!("data/1.{extension}"), other);
        sandbox.succeed(RUN);
        let output = read_output(&sandbox.path("out"));
        assert_eq!(column(&output, "k").as_ref(), &Int64Array::from(vec![None, Some(7)]) as &dyn Array);
        // Alone, it counts as text.
        sandbox
            .succeed(&format!("run --input data/0.{extension} --model tiny-bert --layers 0 --output alone"));
        assert_eq!(column(&read_output(&sandbox.path("alone")), "k").data_type(), &DataType::Utf8);
    }
}

#[test]
fn a_value_beyond_the_common_type_is_told_with_its_row() {
    let sandbox = Sandbox::new();
    fs_err::create_dir(sandbox.path("data")).unwrap();
    write_table(
        &sandbox.path("data/0.parquet"),
        &beside(ints(vec![Some(1), Some((1 << 53) + 1)], &DataType::Int64)),
    );
    write_table(&sandbox.path("data/1.parquet"), &beside(ints(vec![Some(1)], &DataType::Float64)));
    let output = sandbox.strata(RUN).output().unwrap();
    assert_eq!(output.status.code(), Some(65));
    assert!(stderr(&output).contains("data/0.parquet, row 1, column `k`"), "{}", stderr(&output));
}

#[test]
fn types_that_have_none_in_common_are_named_with_the_option_that_decides() {
    let sandbox = Sandbox::new();
    fs_err::create_dir(sandbox.path("data")).unwrap();
    write_table(&sandbox.path("data/0.parquet"), &beside(Arc::new(Int64Array::from(vec![1]))));
    write_table(&sandbox.path("data/1.arrow"), &beside(Arc::new(StringArray::from(vec!["x"]))));
    let output = sandbox.strata(RUN).output().unwrap();
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(65), "{said}");
    for part in ["column `k`", "Int64 in data/0.parquet", "Utf8 in data/1.arrow", "--schema 'k=Utf8'"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    sandbox.succeed(&format!("{RUN} --schema k=Utf8"));
    let output = read_output(&sandbox.path("out"));
    assert_eq!(column(&output, "k").as_string::<i32>().iter().flatten().collect::<Vec<_>>(), ["1", "x"]);
}

#[test]
fn a_file_that_changes_the_types_of_the_others_is_told_when_it_comes() {
    let sandbox = Sandbox::new();
    fs_err::create_dir(sandbox.path("data")).unwrap();
    write_table(&sandbox.path("data/0.parquet"), &beside(ints(vec![Some(1)], &DataType::Int32)));
    sandbox.succeed(RUN);
    write_table(&sandbox.path("data/1.parquet"), &beside(ints(vec![Some(2)], &DataType::Int64)));
    let output = sandbox.strata(RUN).output().unwrap();
    assert_eq!(output.status.code(), Some(78));
    assert!(stderr(&output).contains("settings.types.k"), "{}", stderr(&output));
}

/// Writes batches whose dictionaries are their own.
fn write_batches(path: &Path, batches: &[RecordBatch]) {
    let file = fs_err::File::create(path).unwrap();
    let schema = batches[0].schema();
    if path.extension().unwrap() == "parquet" {
        let mut writer = ArrowWriter::try_new(file, schema, None).unwrap();
        batches.iter().for_each(|batch| writer.write(batch).unwrap());
        writer.close().unwrap();
    } else {
        let mut writer = StreamWriter::try_new(file, &schema).unwrap();
        batches.iter().for_each(|batch| writer.write(batch).unwrap());
        writer.finish().unwrap();
    }
}

#[test]
fn small_keys_of_dictionaries_do_not_run_out_over_batches() {
    for (extension, format) in
        [("arrows", "arrow"), ("arrows", "parquet"), ("parquet", "arrow"), ("parquet", "parquet")]
    {
        for key in [DataType::Int8, DataType::UInt8] {
            let sandbox = Sandbox::new();
            let data_type = DataType::Dictionary(Box::new(key), Box::new(DataType::Utf8));
            let in_lists = DataType::new_list(data_type.clone(), true);
            let (mut batches, mut expected) = (Vec::new(), Vec::new());
            for batch in 0..4 {
                let values: Vec<String> = (0..100).map(|value| format!("{batch}-{value}")).collect();
                let plain: ArrayRef = Arc::new(StringArray::from_iter_values(&values));
                let lists = cast(&cast(&plain, &data_type).unwrap(), &in_lists).unwrap();
                let rows = beside(cast(&plain, &data_type).unwrap());
                batches.push(table([
                    ("text", rows.column(0).clone()),
                    ("k", rows.column(1).clone()),
                    ("lists", lists),
                ]));
                expected.extend(values);
            }
            write_batches(&sandbox.path(&format!("in.{extension}")), &batches);
            sandbox.succeed(&format!(
                "run --input in.{extension} --model tiny-bert --layers 0 --output out --format {format}"
            ));
            let found = read_output(&sandbox.path("out"));
            let kept = cast(column(&found, "k"), &DataType::Utf8).unwrap();
            assert!(matches!(column(&found, "k").data_type(), DataType::Dictionary(..)));
            assert_eq!(kept.as_string::<i32>().iter().flatten().collect::<Vec<_>>(), expected);
            let lists = cast(column(&found, "lists").as_list::<i32>().values(), &DataType::Utf8).unwrap();
            assert_eq!(lists.as_string::<i32>().iter().flatten().collect::<Vec<_>>(), expected);
        }
    }
}

#[test]
fn a_stream_of_a_file_without_nulls_and_one_with_them_holds_both() {
    let sandbox = Sandbox::new();
    let schema =
        Schema::new(vec![Field::new("text", DataType::Utf8, true), Field::new("k", DataType::UInt16, false)]);
    let words: ArrayRef = Arc::new(LargeStringArray::from(vec!["cat"]));
    let numbers: ArrayRef = Arc::new(UInt16Array::from(vec![1]));
    let columns = vec![cast(&words, &DataType::Utf8).unwrap(), numbers];
    write_table(&sandbox.path("1.parquet"), &RecordBatch::try_new(Arc::new(schema), columns).unwrap());
    write_table(&sandbox.path("2.parquet"), &beside(Arc::new(UInt16Array::from(vec![None, Some(3)]))));
    let output = sandbox.succeed("run --input 1.parquet 2.parquet --model tiny-bert --layers 0 --output -");
    let reader = StreamReader::try_new(output.stdout.as_slice(), None).unwrap();
    let batches: Vec<RecordBatch> = reader.map(Result::unwrap).collect();
    let found: Vec<Option<u16>> = batches
        .iter()
        .flat_map(|batch| {
            column(batch, "k").as_primitive::<arrow::datatypes::UInt16Type>().iter().collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(found, [Some(1), None, Some(3)]);
}
