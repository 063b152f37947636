//! The output as others read it: Polars in Rust; in Python Polars, DuckDB, pyarrow, pandas, Daft and the
//! datasets of Hugging Face.

use std::process::Command;

use arrow::array::AsArray;
use polars::prelude::{DataType, ParquetReader, SerReader};
use serde_json::{Map, Value, json};

use crate::support::tables::{column, names};
use crate::support::{Sandbox, read_output, repository, run, set_up, vectors};

const TEXTS: [Option<&str>; 4] = [Some("The cat sat on the dog."), None, Some(""), Some("hello 😀 world")];

#[test]
fn polars_sees_arrays_of_the_right_width_with_values_and_nulls() {
    let sandbox = Sandbox::with_texts(TEXTS);
    sandbox.succeed(&run("--layers 0,-1 --pooling mean,mean_max"));
    let file = fs_err::File::open(sandbox.path("out/data/in-00000.parquet")).unwrap().into_file();
    let frame = ParquetReader::new(file).finish().unwrap();
    let output = read_output(&sandbox.path("out"));
    for (name, width) in [("layer_0_mean", 20), ("layer_4_mean", 20), ("layer_4_mean_max", 40)] {
        let column = frame.column(name).unwrap().as_materialized_series();
        assert_eq!(column.dtype(), &DataType::Array(Box::new(DataType::Float32), width), "{name}");
        let found: Vec<Option<Vec<f32>>> = column
            .array()
            .unwrap()
            .amortized_iter()
            .map(|row| row.map(|row| row.as_ref().f32().unwrap().into_no_null_iter().collect()))
            .collect();
        assert_eq!(found, vectors(&output, name), "{name}");
    }
}

/// What `make setup` installs, and the readers that are there.
const READERS: (&str, &[&str]) = (".venv-readers", &["polars", "duckdb", "pyarrow", "pandas", "datasets"]);

/// Readers that bring a pyarrow of before 26, or the like, along.
const OLD_READERS: (&str, &[&str]) = (".venv-readers-pyarrow-25", &["pyarrow", "pandas", "daft"]);

#[test]
fn every_reader_opens_the_parts_as_a_folder() {
    assert_readers_agree("--layers 0,-1 --pooling mean,cls,pooler", "float32", &[20], READERS);
}

#[test]
fn every_reader_opens_float16() {
    assert_readers_agree("--layers 0,-1 --dtype float16", "float16", &[20], READERS);
}

#[test]
fn every_reader_opens_a_stack() {
    assert_readers_agree("--layers 0,2,-1 --combine stack", "float32", &[3, 20], READERS);
}

#[test]
fn every_reader_opens_what_stands_for_no_vector() {
    for on_null in ["nan", "drop"] {
        let options = format!("--layers 0,-1 --on-null {on_null}");
        assert_readers_agree(&options, "float32", &[20], READERS);
        assert_readers_agree(&options, "float32", &[20], OLD_READERS);
    }
    assert_readers_agree("--layers 0,2 --combine stack --on-null nan", "float32", &[2, 20], OLD_READERS);
    assert_readers_agree(
        "--dtype float16 --on-null nan",
        "float16",
        &[20],
        (OLD_READERS.0, &["pyarrow", "pandas"]),
    );
}

#[test]
fn the_readme_says_who_reads_the_whole_output() {
    let sandbox = Sandbox::with_texts(TEXTS);
    sandbox.succeed(&run(""));
    let read = |python: &str| {
        let mut command = Command::new(set_up(READERS.0).join("bin/python"));
        let status = command.args(["-c", python]).current_dir(sandbox.path("")).output().unwrap().status;
        status.success()
    };
    assert!(read("import pyarrow.dataset as d; assert d.dataset('out').to_table().num_rows == 4"));
    assert!(read("import pandas; assert len(pandas.read_parquet('out')) == 4"));
    assert!(read("import duckdb; assert len(duckdb.sql(\"from read_parquet('out')\").fetchall()) == 4"));
    assert!(!read("import polars; polars.read_parquet('out')"), "the README can say more");
}

/// Writes an output of two parts and what is in it, and lets the script of the readers compare.
fn assert_readers_agree(options: &str, dtype: &str, shape: &[usize], readers: (&str, &[&str])) {
    let python = set_up(readers.0).join("bin/python");
    let sandbox = Sandbox::with_texts(TEXTS);
    sandbox.succeed(&run(&format!("{options} --rows-per-part 3")));
    let output = read_output(&sandbox.path("out"));
    let is_vector = |name: &String| name.starts_with("layer") || name == "pooler_output";
    let columns: Map<String, Value> = names(&output)
        .into_iter()
        .filter(is_vector)
        .map(|name| {
            let rows = vectors(&output, &name).into_iter().map(|row| row.map(|row| nested(&row, shape)));
            let rows: Vec<Option<Value>> = rows.collect();
            (name, json!({"shape": shape, "rows": rows, "dtype": dtype}))
        })
        .collect();
    assert!(!columns.is_empty());
    let texts: Vec<Option<&str>> = column(&output, "text").as_string::<i32>().iter().collect();
    assert_eq!(texts.len(), if options.contains("drop") { 3 } else { 4 });
    let expected = json!({"columns": columns, "kept": {"text": texts}});
    sandbox.write("expected.json", expected.to_string());

    let script = repository().join("tests/readers/check_readers.py");
    let mut command = Command::new(python);
    command.args([script, sandbox.path("out"), sandbox.path("expected.json")]).args(readers.1);
    // Where `datasets` keeps what it has read, and a network it does not need.
    command.env("HF_HOME", sandbox.path("hf")).env("HF_HUB_OFFLINE", "1");
    let result = command.output().unwrap();
    assert!(result.status.success(), "{options}\n{}", String::from_utf8_lossy(&result.stderr));
}

/// The values of one row in lists of the given shape, of one or two dimensions.
fn nested(values: &[f32], shape: &[usize]) -> Value {
    match shape {
        [_] => json!(values),
        [_, width] => values.chunks(*width).map(|values| json!(values)).collect(),
        other => panic!("no column has the shape {other:?}"),
    }
}
