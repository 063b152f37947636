//! Where texts may come from: formats, text types, files, folders and patterns, pipeline files.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Int64Type, Schema};

use crate::support::tables::{column, names, table};
use crate::support::{Sandbox, read_output, run, vectors, write_table};

const TEXTS: [Option<&str>; 4] = [Some("The cat, \"sat\"\non it."), Some("dog"), Some("Café 😀"), Some("a")];

fn numbered(first: i64) -> RecordBatch {
    let ids = Int64Array::from_iter_values(first..first + TEXTS.len() as i64);
    table([("id", Arc::new(ids)), ("text", Arc::new(StringArray::from(TEXTS.to_vec())))])
}

fn ids(output: &RecordBatch) -> Vec<i64> {
    column(output, "id").as_primitive::<Int64Type>().values().to_vec()
}

#[test]
fn every_input_format_gives_the_same_vectors() {
    let sandbox = Sandbox::new();
    let mut expected = None;
    for name in ["in.parquet", "in.arrow", "in.arrows", "in.csv", "in.jsonl"] {
        write_table(&sandbox.path(name), &numbered(0));
        let output = format!("from-{name}");
        sandbox.succeed(&format!("run --input {name} --model tiny-bert --output {output}"));
        let output = read_output(&sandbox.path(&output));
        assert_eq!(ids(&output), [0, 1, 2, 3], "{name}");
        let found = vectors(&output, "layer_4_mean");
        assert!(found.iter().all(Option::is_some), "{name}");
        assert_eq!(&found, expected.get_or_insert(found.clone()), "{name}");
    }
}

#[test]
fn every_kind_of_text_column_gives_the_same_vectors() {
    let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("cat"), None, Some("dog"), Some("cat")]));
    let dictionary = |values| DataType::Dictionary(Box::new(DataType::Int32), Box::new(values));
    let mut expected = None;
    for data_type in [
        DataType::Utf8,
        DataType::LargeUtf8,
        DataType::Utf8View,
        dictionary(DataType::Utf8),
        dictionary(DataType::LargeUtf8),
    ] {
        let sandbox = Sandbox::new();
        let column = cast(&texts, &data_type).unwrap();
        // Arrow keeps the type as it is.
        write_table(&sandbox.path("in.arrow"), &table([("text", column)]));
        sandbox.succeed("run --input in.arrow --model tiny-bert --output out --keep none");
        let found = vectors(&read_output(&sandbox.path("out")), "layer_4_mean");
        assert_eq!(found.iter().map(Option::is_some).collect::<Vec<_>>(), [true, false, true, true]);
        assert_eq!(&found, expected.get_or_insert(found.clone()), "{data_type}");
    }
}

/// `low < mid < high` would come out as `high < low`.
#[test]
fn categories_in_an_order_are_refused_where_an_output_would_lose_it() {
    let sandbox = Sandbox::new();
    let sizes: ArrayRef = Arc::new(StringArray::from(vec!["high", "low"]));
    let write = |name: &str, key: DataType, ordered: bool| {
        let sizes = cast(&sizes, &DataType::Dictionary(Box::new(key), Box::new(DataType::Utf8))).unwrap();
        let texts: ArrayRef = Arc::new(StringArray::from(vec!["cat", "dog"]));
        let size = Field::new("size", sizes.data_type().clone(), true).with_dict_is_ordered(ordered);
        let schema = Schema::new(vec![Field::new("text", DataType::Utf8, true), size]);
        write_table(
            &sandbox.path(name),
            &RecordBatch::try_new(Arc::new(schema), vec![texts, sizes]).unwrap(),
        );
    };
    fs_err::create_dir(sandbox.path("in")).unwrap();
    let command = "run --input in --model tiny-bert --output";
    for (other, ordered) in [(DataType::Int8, true), (DataType::Int32, true), (DataType::Int8, false)] {
        write("in/a.parquet", DataType::Int8, !ordered);
        write("in/b.parquet", other, true);
        let refused = sandbox.strata(&format!("{command} out")).output().unwrap();
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(2), "{said}");
        assert!(
            said.contains("categories of column `size`") && said.contains("--schema 'size=Utf8'"),
            "{said}"
        );
    }
    sandbox.succeed(&format!("{command} out --schema size=Utf8"));
    assert_eq!(column(&read_output(&sandbox.path("out")), "size").as_string::<i32>().value(0), "high");
    sandbox.succeed(&format!("{command} -"));
}

#[test]
fn files_folders_and_patterns_are_encoded_each_file_once() {
    let sandbox = Sandbox::new();
    fs_err::create_dir_all(sandbox.path("data/deep")).unwrap();
    for (first, name) in [(0, "data/a.parquet"), (10, "data/deep/b.jsonl"), (20, "z.csv")] {
        write_table(&sandbox.path(name), &numbered(first));
    }
    sandbox.write("data/_notes.csv", "passed,over\n");
    sandbox.write("data/README.md", "passed over");
    let all = [0, 1, 2, 3, 10, 11, 12, 13];
    let everything = [&all[..], &[20, 21, 22, 23]].concat();
    for (output, inputs, expected) in [
        ("file", "data/a.parquet", &all[..4]),
        ("folder", "data", &all),
        ("pattern", "data/**/*.*", &all),
        ("twice", "data data/a.parquet", &all),
        ("mixed", "z.csv data", &everything),
    ] {
        sandbox.succeed(&format!("run --input {inputs} --model tiny-bert --output {output}"));
        let mut found = ids(&read_output(&sandbox.path(output)));
        found.sort_unstable();
        assert_eq!(found, expected, "{inputs}");
    }
}

#[test]
fn another_text_column_can_be_named() {
    let sandbox = Sandbox::new();
    let texts = |values| Arc::new(StringArray::from(values)) as ArrayRef;
    let input = table([("text", texts(vec!["dog"])), ("body", texts(vec!["cat"]))]);
    write_table(&sandbox.path("in.parquet"), &input);
    write_table(&sandbox.path("body.parquet"), &table([("text", texts(vec!["cat"]))]));
    sandbox.succeed(&run("--text body --keep none"));
    sandbox.succeed("run --input body.parquet --model tiny-bert --output expected");
    let (found, expected) = (read_output(&sandbox.path("out")), read_output(&sandbox.path("expected")));
    assert_eq!(vectors(&found, "layer_4_mean"), vectors(&expected, "layer_4_mean"));
}

const PIPELINE: &str = r#"
[input]
paths = "in.parquet"
text = "text"
keep = ["id"]

[model]
path = "tiny-bert"
device = "cpu"

[features]
layers = [0, -1]
pooling = ["cls", "mean"]
combine = "stack"
normalize = true
special_tokens = "exclude"
max_length = 5

[output]
path = "from-file"
format = "parquet"
dtype = "float16"
rows_per_part = 3

[run]
max_batch_tokens = 20
threads = 1
"#;

#[test]
fn a_pipeline_file_says_the_same_as_the_options() {
    let sandbox = Sandbox::new();
    write_table(&sandbox.path("in.parquet"), &numbered(0));
    sandbox.write("job.toml", PIPELINE);
    sandbox.succeed("run job.toml");
    sandbox.succeed(&run(
        "--text text --keep id --device cpu --layers 0,-1 --pooling cls,mean --combine stack --normalize \
         --special-tokens exclude --max-length 5 --format parquet --dtype float16 --rows-per-part 3 \
         --max-batch-tokens 20 --threads 1",
    ));
    assert_eq!(sandbox.parts("from-file").len(), 2);
    assert_eq!(sandbox.parts("from-file"), sandbox.parts("out"));
}

#[test]
fn an_option_of_the_command_line_wins_over_the_pipeline_file() {
    let sandbox = Sandbox::new();
    write_table(&sandbox.path("in.parquet"), &numbered(0));
    sandbox.write("job.toml", PIPELINE);
    sandbox.succeed("run job.toml --output out --layers 2 --combine none --pooling max --dtype float32");
    assert!(!sandbox.path("from-file").exists());
    let output = read_output(&sandbox.path("out"));
    // What the command line does not mention stays as the file says.
    assert_eq!(names(&output), ["id", "n_tokens", "truncated", "layer_2_max"]);
    assert_eq!(sandbox.parts("out").len(), 2);
}
