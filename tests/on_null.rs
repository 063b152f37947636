//! Rows without a vector: null, not a number, or left out.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::UInt64Type;

use crate::faulty::stderr;
use crate::support::tables::{column, names, schema_of_output};
use crate::support::{Sandbox, read_output, run, vectors};

const TEXTS: [Option<&str>; 6] =
    [None, Some("The cat sat."), Some(""), None, Some("hello world"), Some("token")];

/// Runs over the texts, and returns what was said and the output.
fn output_of(options: &str) -> (Sandbox, String, RecordBatch) {
    let sandbox = Sandbox::with_texts(TEXTS);
    let said = stderr(&sandbox.succeed(&run(&format!("--rows-per-part 4 --report r.json {options}"))));
    let output = read_output(&sandbox.path("out"));
    (sandbox, said, output)
}

fn is_nan(vector: &Option<Vec<f32>>) -> bool {
    vector.as_ref().unwrap().iter().all(|value| value.is_nan())
}

/// The columns of an output that hold vectors.
fn vector_names(output: &RecordBatch) -> Vec<String> {
    names(output).into_iter().filter(|name| name.starts_with("layer")).collect()
}

#[test]
fn a_null_stays_null_and_the_run_says_who_cannot_read_it() {
    let (_, said, output) = output_of("");
    assert_eq!(column(&output, "layer_4_mean").null_count(), 2);
    assert!(said.contains("2 rows without a vector, which is null there: pyarrow before 26"), "{said}");
    let (_, said, _) = output_of("--format arrow");
    assert!(!said.contains("pyarrow"), "{said}");
}

#[test]
fn nan_takes_the_place_of_every_value_and_the_column_has_no_nulls() {
    for options in
        ["", "--dtype float16", "--layers 1,2 --combine stack --pooling mean,cls", "--format arrow"]
    {
        let (sandbox, said, output) = output_of(&format!("--on-null nan {options}"));
        for name in vector_names(&output) {
            assert!(!schema_of_output(&sandbox.path("out")).field_with_name(&name).unwrap().is_nullable());
            let found: Vec<bool> = vectors(&output, &name).iter().map(is_nan).collect();
            assert_eq!(found, [true, false, false, true, false, false], "{options} {name}");
        }
        assert!(said.contains("2 rows without a vector, whose values are not a number there"), "{said}");
        assert_eq!(sandbox.report("r.json")["non_finite"], serde_json::json!({}), "{options}");
        let inspected = String::from_utf8(sandbox.succeed("inspect out").stdout).unwrap();
        assert!(!inspected.contains("infinite"), "{inspected}");
        sandbox.succeed("verify out --sample 6");
    }
}

#[test]
fn dropped_rows_are_counted_and_every_other_says_which_it_is() {
    for options in ["", "--format arrow --keep none", "--layers 1,2 --combine stack"] {
        let (sandbox, said, output) = output_of(&format!("--on-null drop {options}"));
        let rows = column(&output, "row").as_primitive::<UInt64Type>().values().to_vec();
        assert_eq!(rows, [1, 2, 4, 5], "{options}");
        for name in vector_names(&output) {
            assert!(!schema_of_output(&sandbox.path("out")).field_with_name(&name).unwrap().is_nullable());
            assert_eq!(column(&output, &name).null_count(), 0, "{options} {name}");
        }
        assert!(said.contains("out: 4 rows from 6 of input in 2 parts"), "{said}");
        assert!(said.contains("2 rows without a vector left out"), "{said}");
        let report = sandbox.report("r.json");
        assert_eq!((&report["output_rows"], &report["without_vector"]), (&4.into(), &2.into()));
        let verified = String::from_utf8(sandbox.succeed("verify out --sample 4").stdout).unwrap();
        assert!(verified.starts_with("out: 4 rows in 2 parts") && verified.contains("4 rows encoded again"));
    }
}

#[test]
fn the_vectors_that_there_are_do_not_depend_on_it() {
    let (_, _, with_nulls) = output_of("");
    let expected: Vec<Vec<f32>> = vectors(&with_nulls, "layer_4_mean").into_iter().flatten().collect();
    for on_null in ["nan", "drop"] {
        let (_, _, output) = output_of(&format!("--on-null {on_null}"));
        let found = vectors(&output, "layer_4_mean").into_iter().flatten();
        let found: Vec<Vec<f32>> = found.filter(|vector| !vector[0].is_nan()).collect();
        assert_eq!(found, expected, "{on_null}");
    }
}

#[test]
fn a_text_without_tokens_that_count_has_no_vector_either() {
    let (_, _, output) = output_of("--on-null drop --special-tokens exclude --pooling mean");
    assert_eq!(column(&output, "row").as_primitive::<UInt64Type>().values().to_vec(), [1, 4, 5]);
    let (_, _, output) = output_of("--on-null nan --special-tokens exclude --pooling mean");
    let found: Vec<bool> = vectors(&output, "layer_4_mean").iter().map(is_nan).collect();
    assert_eq!(found, [true, false, true, true, false, false]);
}

#[test]
fn given_words_that_the_model_does_not_see_are_treated_alike() {
    let sandbox = Sandbox::new();
    // The tokenizer makes no token of white space.
    sandbox.write("in.jsonl", "{\"w\": [\"cat\", \" \", \"dog\"]}\n{\"w\": null}\n{\"w\": [\"the\"]}\n");
    let command = |on_null: &str| {
        format!(
            "run --input in.jsonl --model tiny-bert --unit word --words w --on-null {on_null} --output {on_null}"
        )
    };
    let outputs = ["null", "nan", "drop"].map(|on_null| {
        sandbox.succeed(&command(on_null));
        sandbox.succeed(&format!("verify {on_null}"));
        read_output(&sandbox.path(on_null))
    });
    let [nulls, nan, dropped] = outputs.map(|output| {
        let words = column(&output, "word").as_string::<i32>().iter().map(|word| word.unwrap().to_owned());
        let vectors = vectors(&output, "layer_4_mean");
        let state = vectors.iter().map(|vector| match vector {
            None => "null",
            Some(vector) if vector[0].is_nan() => "nan",
            Some(_) => "there",
        });
        words.zip(state).collect::<Vec<_>>()
    });
    let word = |word: &str, state| (word.to_owned(), state);
    assert_eq!(nulls, [word("cat", "there"), word(" ", "null"), word("dog", "there"), word("the", "there")]);
    assert_eq!(nan[1], word(" ", "nan"));
    assert_eq!(dropped, [word("cat", "there"), word("dog", "there"), word("the", "there")]);
}

#[test]
fn it_decides_which_outputs_go_together_where_it_is_not_the_default() {
    let sandbox = Sandbox::with_texts(TEXTS);
    sandbox.succeed(&run(""));
    let before = sandbox.parts("out");
    sandbox.succeed(&run("--on-null null"));
    assert_eq!(sandbox.parts("out"), before);
    let refused = sandbox.strata(&run("--on-null drop")).output().unwrap();
    assert_eq!(refused.status.code(), Some(78));
    assert!(
        stderr(&refused).contains("settings.on_null was absent, is now \"drop\""),
        "{}",
        stderr(&refused)
    );
    let refused = sandbox.strata(&run("--on-null zero")).output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    assert!(stderr(&refused).contains("[possible values: null, nan, drop]"), "{}", stderr(&refused));
}
