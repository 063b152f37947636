//! What stands in an output: which rows, which columns, and that nothing but the input, the model
//! and the settings decides their bytes.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Decimal128Array, DictionaryArray, Float64Array, Int32Array,
    Int64Array, ListArray, RecordBatch, StringArray, TimestampMicrosecondArray, UInt32Array,
};
use arrow::datatypes::{DataType, Field, Int32Type, UInt32Type};
use parquet::file::reader::{FileReader, SerializedFileReader};
use serde_json::Value;

use crate::support::reference::{Reference, assert_close, pool};
use crate::support::tables::{column, names, table};
use crate::support::{Sandbox, read_output, run, vectors, write_table};

/// Rows that repeat the reference's texts in a scrambled order: for each, the text it has.
fn scrambled(reference: &Reference, rows: usize) -> (Vec<usize>, RecordBatch) {
    let picks: Vec<usize> = (0..rows).map(|row| row * row * 7 % reference.texts.len()).collect();
    let strings = reference.strings();
    let texts: StringArray = picks.iter().map(|&pick| Some(strings[pick])).collect();
    let ids = Int64Array::from_iter_values(0..rows as i64);
    (picks, table([("id", Arc::new(ids)), ("text", Arc::new(texts))]))
}

#[test]
fn a_null_text_has_a_null_vector_and_an_empty_one_is_a_text() {
    let sandbox = Sandbox::with_texts([Some("cat"), None, Some(""), None]);
    for combine in ["none", "stack"] {
        sandbox.succeed(&run(&format!("--layers 0,-1 --pooling cls,mean --combine {combine} --overwrite")));
        let output = read_output(&sandbox.path("out"));
        let n_tokens = column(&output, "n_tokens").as_primitive::<UInt32Type>();
        assert_eq!(n_tokens, &UInt32Array::from(vec![3, 0, 2, 0]));
        assert_eq!(column(&output, "truncated").as_boolean(), &BooleanArray::from(vec![false; 4]));
        for name in names(&output).iter().filter(|name| name.starts_with("layer")) {
            let is_some: Vec<bool> = vectors(&output, name).iter().map(Option::is_some).collect();
            assert_eq!(is_some, [true, false, true, false], "{name}");
        }
    }
}

#[test]
fn rows_come_back_in_input_order_with_their_own_vectors() {
    let reference = Reference::load("tiny-bert");
    let (picks, input) = scrambled(&reference, 700);
    let sandbox = Sandbox::new();
    write_table(&sandbox.path("in.parquet"), &input);
    sandbox.succeed(&run("--rows-per-part 300"));
    let output = read_output(&sandbox.path("out"));
    assert_eq!(column(&output, "id"), column(&input, "id"));
    let expected: Vec<Vec<f64>> = (0..reference.texts.len())
        .map(|text| pool("mean", &reference.hidden_states(text)[4]).unwrap())
        .collect();
    for (row, found) in vectors(&output, "layer_4_mean").iter().enumerate() {
        assert_close(found.as_deref(), Some(&expected[picks[row]]), &format!("row {row}"));
    }
}

/// A table of every kind of column that people carry along.
fn many_columns() -> RecordBatch {
    let lists = [Some(vec![Some(1), None]), None, Some(vec![])];
    let times = TimestampMicrosecondArray::from(vec![Some(1), None, Some(-1)]).with_timezone("Europe/Paris");
    let decimals = Decimal128Array::from(vec![Some(314), None, Some(-1)]).with_precision_and_scale(9, 2);
    let labels: DictionaryArray<Int32Type> = [Some("noun"), None, Some("noun")].into_iter().collect();
    table([
        ("id", Arc::new(Int64Array::from(vec![Some(7), None, Some(i64::MIN)]))),
        ("text", Arc::new(StringArray::from(vec![Some("cat"), None, Some("The dog.")]))),
        ("score", Arc::new(Float64Array::from(vec![Some(0.1), None, Some(f64::NAN)]))),
        ("tags", Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(lists))),
        ("time", Arc::new(times)),
        ("price", Arc::new(decimals.unwrap())),
        ("label", Arc::new(labels)),
        ("flag", Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)]))),
    ])
}

#[test]
fn kept_columns_are_unchanged_in_either_format() {
    let input = many_columns();
    for format in ["parquet", "arrow"] {
        let sandbox = Sandbox::new();
        write_table(&sandbox.path("in.parquet"), &input);
        sandbox.succeed(&run(&format!("--format {format}")));
        let output = read_output(&sandbox.path("out"));
        let kept = output.project(&(0..input.num_columns()).collect::<Vec<_>>()).unwrap();
        assert_eq!(kept.schema().fields(), input.schema().fields(), "{format}");
        // NaN equals nothing, itself included, so that floats are compared by their text.
        assert_eq!(format!("{:?}", kept.columns()), format!("{:?}", input.columns()), "{format}");
        assert_eq!(names(&output)[input.num_columns()..], ["n_tokens", "truncated", "layer_4_mean"]);
    }
}

#[test]
fn only_the_columns_asked_for_are_kept_in_the_order_of_the_input() {
    for (keep, expected) in
        [("none", vec![]), ("label,id", vec!["id", "label"]), ("all", names_of(&many_columns()))]
    {
        let sandbox = Sandbox::new();
        write_table(&sandbox.path("in.parquet"), &many_columns());
        sandbox.succeed(&run(&format!("--keep {keep}")));
        let computed = ["n_tokens", "truncated", "layer_4_mean"];
        let found = names(&read_output(&sandbox.path("out")));
        assert_eq!(found, [&expected[..], &computed].concat(), "{keep}");
    }
}

fn names_of(table: &RecordBatch) -> Vec<&'static str> {
    names(table).into_iter().map(|name| &*name.leak()).collect()
}

#[test]
fn vectors_are_fixed_size_lists_whose_type_says_their_shape() {
    let list = |inner: DataType, length| {
        DataType::FixedSizeList(Arc::new(Field::new("element", inner, true)), length)
    };
    let cases = [
        ("--layers 1,2 --combine stack", "layers_1_2_stack_mean", list(list(DataType::Float32, 20), 2)),
        ("--layers 1,2 --combine concat", "layers_1_2_concat_mean", list(DataType::Float32, 40)),
        ("--pooling mean_max", "layer_4_mean_max", list(DataType::Float32, 40)),
        ("--dtype float16 --format arrow", "layer_4_mean", list(DataType::Float16, 20)),
    ];
    for (options, name, expected) in cases {
        let sandbox = Sandbox::with_texts(["cat"]);
        sandbox.succeed(&run(options));
        assert_eq!(column(&read_output(&sandbox.path("out")), name).data_type(), &expected, "{options}");
    }
}

#[test]
fn an_input_without_rows_gives_an_output_without_rows_and_with_all_columns() {
    for name in ["in.parquet", "in.arrow"] {
        let sandbox = Sandbox::new();
        write_table(&sandbox.path(name), &many_columns().slice(0, 0));
        sandbox.succeed(&format!("run --input {name} --model tiny-bert --output out"));
        let output = read_output(&sandbox.path("out"));
        assert_eq!((output.num_rows(), output.num_columns()), (0, many_columns().num_columns() + 3));
        assert!(sandbox.path("out/_SUCCESS").exists());
    }
}

#[test]
fn arrow_and_parquet_parts_hold_the_same() {
    let sandbox = Sandbox::with_texts(Reference::load("tiny-bert").strings());
    sandbox.succeed(&run("--pooling mean,cls"));
    sandbox
        .succeed("run --input in.parquet --model tiny-bert --output arrow --pooling mean,cls --format arrow");
    assert_eq!(read_output(&sandbox.path("out")).columns(), read_output(&sandbox.path("arrow")).columns());
    assert!(sandbox.path("arrow/data/in-00000.arrow").exists());
}

#[test]
fn float16_is_the_same_value_rounded() {
    let sandbox = Sandbox::with_texts([Some("cat"), None, Some("The cat sat on the dog.")]);
    sandbox.succeed(&run(""));
    sandbox.succeed("run --input in.parquet --model tiny-bert --output half --dtype float16");
    let (single, half) = (read_output(&sandbox.path("out")), read_output(&sandbox.path("half")));
    let pairs = vectors(&single, "layer_4_mean").into_iter().zip(vectors(&half, "layer_4_mean"));
    for (single, half) in pairs {
        assert_eq!(single.is_some(), half.is_some());
        for (single, half) in single.into_iter().flatten().zip(half.into_iter().flatten()) {
            assert!((single - half).abs() <= single.abs() / 2048.0 + 1e-7, "{single} became {half}");
        }
    }
}

#[test]
fn a_part_tells_its_origin_and_nothing_of_the_day_the_machine_or_the_place() {
    let sandbox = Sandbox::with_texts(["cat", "dog"]);
    sandbox.succeed(&run(""));
    let bytes = &sandbox.parts("out")["in-00000.parquet"];
    let here = sandbox.path("").to_str().unwrap().trim_end_matches('/').to_owned();
    let host = fs_err::read_to_string("/proc/sys/kernel/hostname").unwrap().trim().to_owned();
    for secret in [&here, &host] {
        assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "{secret}");
    }
    let provenance = provenance(&sandbox, "out/data/in-00000.parquet");
    assert_eq!(provenance["input"]["file"], "in.parquet");
    assert_eq!(provenance["input"]["rows"], serde_json::json!([0, 2]));
    let weights = provenance["model"]["files"]["weights_sha256"].as_str().unwrap();
    assert_eq!(weights.len(), 64);
    assert_eq!(provenance["settings"]["layers"], serde_json::json!([4]));
}

fn provenance(sandbox: &Sandbox, part: &str) -> Value {
    let file = fs_err::File::open(sandbox.path(part)).unwrap().into_file();
    let reader = SerializedFileReader::new(file).unwrap();
    let pairs = reader.metadata().file_metadata().key_value_metadata().unwrap();
    let own = pairs.iter().find(|pair| pair.key == "strata").unwrap();
    serde_json::from_str(own.value.as_deref().unwrap()).unwrap()
}

#[test]
fn two_runs_in_two_places_give_identical_bytes() {
    let reference = Reference::load("tiny-bert");
    let parts = || {
        let sandbox = Sandbox::new();
        write_table(&sandbox.path("in.parquet"), &scrambled(&reference, 300).1);
        sandbox.succeed(&run("--layers all --rows-per-part 100"));
        sandbox.parts("out")
    };
    assert_eq!(parts(), parts());
}

#[test]
fn shards_together_give_the_bytes_of_one_run() {
    let reference = Reference::load("tiny-bert");
    let sandbox = Sandbox::new();
    write_table(&sandbox.path("in.parquet"), &scrambled(&reference, 300).1);
    write_table(&sandbox.path("more.parquet"), &scrambled(&reference, 90).1);
    let inputs = "--input in.parquet more.parquet --model tiny-bert --rows-per-part 40";
    sandbox.succeed(&format!("run {inputs} --output whole"));
    for shard in ["2/3", "0/3", "1/3"] {
        assert!(!sandbox.path("out/_SUCCESS").exists(), "whole before shard {shard}");
        sandbox.succeed(&format!("run {inputs} --output out --shard {shard}"));
    }
    assert!(sandbox.path("out/_SUCCESS").exists());
    assert_eq!(sandbox.parts("out").len(), 11);
    assert_eq!(sandbox.parts("out"), sandbox.parts("whole"));
}

#[test]
fn the_size_of_the_parts_changes_no_value() {
    let reference = Reference::load("tiny-bert");
    let (_, input) = scrambled(&reference, 120);
    let sandbox = Sandbox::new();
    write_table(&sandbox.path("in.parquet"), &input);
    sandbox.succeed(&run(""));
    sandbox.succeed("run --input in.parquet --model tiny-bert --output small --rows-per-part 7");
    let (one, many) = (read_output(&sandbox.path("out")), read_output(&sandbox.path("small")));
    assert_eq!(sandbox.parts("small").len(), 18);
    assert_eq!(column(&one, "id"), column(&many, "id"));
    let pairs = vectors(&one, "layer_4_mean").into_iter().zip(vectors(&many, "layer_4_mean"));
    for (row, (one, many)) in pairs.enumerate() {
        let one: Vec<f64> = one.unwrap().into_iter().map(f64::from).collect();
        assert_close(many.as_deref(), Some(&one), &format!("row {row}"));
    }
}

#[test]
fn the_names_of_the_parts_sort_in_input_order() {
    let sandbox = Sandbox::new();
    fs_err::create_dir_all(sandbox.path("in/b")).unwrap();
    let row = |id: i32| -> RecordBatch {
        let ids: ArrayRef = Arc::new(Int32Array::from_iter_values((0..12).map(|row| 100 * id + row)));
        table([("id", ids), ("text", Arc::new(StringArray::from(vec!["cat"; 12])))])
    };
    for (id, name) in ["a-b", "a", "a_b", "b/a", "b"].iter().enumerate() {
        write_table(&sandbox.path(&format!("in/{name}.parquet")), &row(id as i32));
    }
    sandbox.succeed("run --input in --model tiny-bert --output out --rows-per-part 1");
    let output = read_output(&sandbox.path("out"));
    let ids = column(&output, "id").as_primitive::<Int32Type>().values().to_vec();
    let manifest: Value =
        serde_json::from_slice(&fs_err::read(sandbox.path("out/_strata/manifest.json")).unwrap()).unwrap();
    assert_eq!(manifest["parts"].as_object().unwrap().len(), 60);
    for file in ids.chunks(12) {
        let first = file[0] / 100 * 100;
        assert_eq!(file, (first..first + 12).collect::<Vec<_>>());
    }
}
