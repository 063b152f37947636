//! The output as others read it: Polars in Rust; Polars, DuckDB and pyarrow in Python.

use std::process::Command;

use polars::prelude::{DataType, ParquetReader, SerReader};
use serde_json::{Map, Value, json};

use crate::support::tables::names;
use crate::support::{Sandbox, read_output, repository, run, set_up, vectors};

const TEXTS: [Option<&str>; 4] = [Some("The cat sat on the dog."), None, Some(""), Some("hello 😀 world")];

#[test]
fn polars_sees_arrays_of_the_right_width_with_values_and_nulls() {
    let sandbox = Sandbox::with_texts(TEXTS);
    sandbox.succeed(&run("--layers 0,-1 --pooling mean,mean_max"));
    let file = fs_err::File::open(sandbox.path("out/in-00000.parquet")).unwrap().into_file();
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

#[test]
fn polars_duckdb_and_pyarrow_read_float32() {
    assert_readers_agree("--layers 0,-1 --pooling mean,cls,pooler", "float32", &[20]);
}

#[test]
fn polars_duckdb_and_pyarrow_read_float16() {
    assert_readers_agree("--layers 0,-1 --dtype float16", "float16", &[20]);
}

#[test]
fn polars_duckdb_and_pyarrow_read_a_stack() {
    assert_readers_agree("--layers 0,2,-1 --combine stack", "float32", &[3, 20]);
}

/// Writes an output of two parts and what is in it, and lets the script of the readers compare.
fn assert_readers_agree(options: &str, dtype: &str, shape: &[usize]) {
    let python = set_up(".venv-readers").join("bin/python");
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
    let expected = json!({"columns": columns, "kept": {"text": TEXTS}});
    sandbox.write("expected.json", expected.to_string());

    let script = repository().join("tests/readers/check_readers.py");
    let paths = [script, sandbox.path("out"), sandbox.path("expected.json")];
    let result = Command::new(python).args(paths).output().unwrap();
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
