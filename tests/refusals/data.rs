//! Inputs and columns that cannot be used.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};

use crate::support::tables::{names, table};
use crate::support::{Sandbox, assert_refused, fixture, read_output, run, write_table};

#[test]
fn a_column_that_the_input_lacks() {
    let sandbox = Sandbox::with_texts(["cat"]);
    assert_refused!(sandbox, &run("--text body"), @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: in.parquet has no column `body`
    hint: name another with --text; it has text (Utf8)
    ");
    assert_refused!(sandbox, &run("--keep text,label"), @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: in.parquet has no column `label`
    hint: name another with --keep; it has text (Utf8)
    ");
}

#[test]
fn a_text_column_that_is_not_text() {
    let sandbox = Sandbox::new();
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
    write_table(&sandbox.path("in.parquet"), &table([("text", numbers)]));
    assert_refused!(sandbox, &run(""), @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: column `text` of in.parquet is Int64, expected text
    hint: name another with --text; the file has text (Int64)
    ");
}

#[test]
fn a_column_that_the_output_would_have_twice() {
    let sandbox = Sandbox::new();
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["cat"]));
    write_table(&sandbox.path("in.parquet"), &table([("text", texts.clone()), ("layer_4_mean", texts)]));
    assert_refused!(sandbox, &run(""), @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: in.parquet already has a column `layer_4_mean`, which strata would write
    hint: leave it out with --keep, or rename it in the input
    ");
}

#[test]
fn a_column_name_that_stands_twice_in_the_input() {
    let sandbox = Sandbox::new();
    let field = Field::new("text", DataType::Utf8, true);
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["cat"]));
    let schema = Arc::new(Schema::new(vec![field.clone(), field]));
    let input = RecordBatch::try_new(schema, vec![texts.clone(), texts]).unwrap();
    write_table(&sandbox.path("in.parquet"), &input);
    assert_refused!(sandbox, &run("--keep none"), @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: in.parquet has 2 columns `text`, expected one
    hint: rename all but one of them in the input
    ");
}

#[test]
fn an_input_without_columns() {
    let sandbox = Sandbox::new();
    sandbox.write("in.csv", "");
    assert_refused!(sandbox, "run --input in.csv --model tiny-bert --output out", @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: in.csv has no column `text`
    hint: name another with --text; it has no columns
    ");
}

#[test]
fn inputs_that_lead_nowhere() {
    let sandbox = Sandbox::new();
    assert_refused!(sandbox, &run(""), @r"
    success: false
    exit_code: 66
    ----- stdout -----

    ----- stderr -----
    error: expected data files at `in.parquet`, found nothing
    hint: give a file, a folder or a quoted pattern such as 'data/**/*.parquet'
    ");
    fs_err::create_dir(sandbox.path("empty")).unwrap();
    assert_refused!(sandbox, "run --input empty --model tiny-bert --output out", @r"
    success: false
    exit_code: 66
    ----- stdout -----

    ----- stderr -----
    error: expected data files at `empty`, found a folder without data files
    hint: give a file, a folder or a quoted pattern such as 'data/**/*.parquet'
    ");
    assert_refused!(sandbox, "run --input data/*.parquet --model tiny-bert --output out", @r"
    success: false
    exit_code: 66
    ----- stdout -----

    ----- stderr -----
    error: expected data files at `data/*.parquet`, found no match
    hint: give a file, a folder or a quoted pattern such as 'data/**/*.parquet'
    ");
    sandbox.write("notes.md", "no table");
    assert_refused!(sandbox, "run --input notes.md --model tiny-bert --output out", @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: expected a data file, found an unknown extension: notes.md
    hint: known are .parquet .pq .arrow .feather .ipc .arrows .csv .tsv .jsonl .ndjson .json .txt, the text formats also with .gz .zst .bz2 or .xz; --input-format reads any file as one of them; unpack an archive, or name the other files by a pattern
    ");
}

#[test]
fn inputs_that_do_not_go_together() {
    let sandbox = Sandbox::with_texts(["cat"]);
    let (id, texts): (ArrayRef, ArrayRef) =
        (Arc::new(Int64Array::from(vec![1])), Arc::new(StringArray::from(vec!["dog"])));
    write_table(&sandbox.path("more.parquet"), &table([("id", id), ("text", texts)]));
    assert_refused!(sandbox, "run --input in.parquet more.parquet --model tiny-bert --output out", @r"
    success: false
    exit_code: 65
    ----- stdout -----

    ----- stderr -----
    error: in.parquet and more.parquet do not have the same columns: only one of them has id (Int64)
    hint: keep only columns that all files share, with --keep
    ");
}

#[test]
fn a_parquet_file_that_is_encrypted() {
    let sandbox = Sandbox::new();
    for name in ["footer", "columns"] {
        let encrypted = fixture("encrypted").join(format!("{name}.parquet"));
        fs_err::copy(encrypted, sandbox.path(&format!("{name}.parquet"))).unwrap();
    }
    let over = |name: &str, keep: &str| {
        format!("run --input {name}.parquet --model tiny-bert --layers 0 --output out --keep {keep}")
    };
    assert_refused!(sandbox, &over("footer", "none"), @r"
    success: false
    exit_code: 65
    ----- stdout -----

    ----- stderr -----
    error: footer.parquet is encrypted
    hint: write it again without encryption, with a reader that has its keys, such as pyarrow or Spark
    ");
    assert_refused!(sandbox, &over("columns", "all"), @r"
    success: false
    exit_code: 65
    ----- stdout -----

    ----- stderr -----
    error: column `secret` of columns.parquet is encrypted
    hint: leave the column out with --keep, or write it again without encryption, with a reader that has its keys, such as pyarrow or Spark
    ");
    assert_refused!(sandbox, &over("columns", "text,who"), @r"
    success: false
    exit_code: 65
    ----- stdout -----

    ----- stderr -----
    error: column `who.name` of columns.parquet is encrypted
    hint: leave the column out with --keep, or write it again without encryption, with a reader that has its keys, such as pyarrow or Spark
    ");
    // What nobody needs may be what it is.
    sandbox.succeed(&over("columns", "id"));
    assert_eq!(names(&read_output(&sandbox.path("out")))[..1], ["id"]);
}

#[test]
fn a_parquet_file_cut_short() {
    let sandbox = Sandbox::with_texts(["cat"]);
    let bytes = fs_err::read(sandbox.path("in.parquet")).unwrap();
    sandbox.write("in.parquet", &bytes[..bytes.len() - 20]);
    assert_refused!(sandbox, &run(""), @r"
    success: false
    exit_code: 65
    ----- stdout -----

    ----- stderr -----
    error: cannot read in.parquet
      cause: Parquet error: Invalid Parquet file. Corrupt footer
    hint: the file may be incomplete or of another format than its name says; make or copy it again
    ");
}
