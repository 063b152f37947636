//! Tokens, words, spans, pairs and windows against what the reference implementation makes of them.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{UInt32Type, UInt64Type};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::support::reference::{assert_close, tensor_rows};
use crate::support::tables::{column, names};
use crate::support::{Sandbox, assert_strata, fixture, read_output, vectors};

#[derive(Deserialize)]
struct Reference {
    cases: Vec<Case>,
}

/// A command line with its input, and what each row of the output must say.
#[derive(Deserialize)]
struct Case {
    name: String,
    model: String,
    layers: String,
    options: String,
    inputs: Vec<Value>,
    rows: Vec<Map<String, Value>>,
}

fn load() -> (Reference, Vec<u8>) {
    let json = fs_err::read(fixture("units/reference.json")).unwrap();
    let tensors = fs_err::read(fixture("units/reference.safetensors")).unwrap();
    (serde_json::from_slice(&json).unwrap(), tensors)
}

fn command(case: &Case, options: &str) -> String {
    let Case { model, layers, options: own, .. } = case;
    format!("run --input in.jsonl --model {model} --layers {layers} {own} {options}")
}

fn sandbox(case: &Case) -> Sandbox {
    let sandbox = Sandbox::new();
    let lines: Vec<String> = case.inputs.iter().map(|row| format!("{row}\n")).collect();
    sandbox.write("in.jsonl", lines.concat());
    if case.model != "tiny-bert" {
        sandbox.link(&case.model, &fixture(&case.model));
    }
    sandbox
}

/// A value of the output, as JSON has it.
fn value(output: &RecordBatch, name: &str, row: usize) -> Value {
    let array = column(output, name);
    if array.is_null(row) {
        return Value::Null;
    }
    match name {
        "row" => array.as_primitive::<UInt64Type>().value(row).into(),
        "index" | "start" | "end" | "n_tokens" => array.as_primitive::<UInt32Type>().value(row).into(),
        "truncated" => array.as_boolean().value(row).into(),
        _ => array.as_string::<i32>().value(row).into(),
    }
}

fn assert_rows(case: &Case, output: &RecordBatch) {
    let unit =
        ["token", "word", "span"].into_iter().find(|unit| case.options.contains(&format!("--unit {unit}")));
    assert_eq!(output.num_rows(), case.rows.len(), "{}", case.name);
    for (row, expected) in case.rows.iter().enumerate() {
        for (key, expected) in
            expected.iter().filter(|(key, _)| !["vector", "surface"].contains(&key.as_str()))
        {
            let name = match (key.as_str(), unit) {
                ("index", Some(unit)) => format!("{unit}_index"),
                ("text", Some(unit)) => unit.to_owned(),
                (key, _) => key.to_owned(),
            };
            let array = column(output, &name);
            let found = match key.as_str() {
                "index" if array.is_valid(row) => array.as_primitive::<UInt32Type>().value(row).into(),
                _ => value(output, &name, row),
            };
            assert_eq!(&found, expected, "{}, row {row}, {name}", case.name);
        }
    }
}

fn assert_vectors(case: &Case, tensors: &[u8], output: &RecordBatch) {
    let columns = names(output).into_iter().filter(|name| name.starts_with("layer_"));
    for name in columns {
        let expected = tensor_rows(tensors, &format!("{}.{name}", case.name));
        for (row, (found, expected)) in vectors(output, &name).iter().zip(&expected).enumerate() {
            let expected = (case.rows[row]["vector"] == true).then_some(expected.as_slice());
            assert_close(found.as_deref(), expected, &format!("{}, row {row}, {name}", case.name));
        }
    }
}

#[test]
fn every_unit_says_and_holds_what_the_reference_does_on_either_device() {
    let (reference, tensors) = load();
    for case in &reference.cases {
        let sandbox = sandbox(case);
        for device in ["cpu", "flex"] {
            sandbox.succeed(&command(case, &format!("--device {device} --output {device}")));
            let output = read_output(&sandbox.path(device));
            assert_rows(case, &output);
            assert_vectors(case, &tensors, &output);
        }
    }
}

#[test]
fn characters_of_a_token_are_its_surface_as_python_slices_text() {
    let (reference, _) = load();
    let tokens = reference.cases.iter().find(|case| case.name == "tokens").unwrap();
    let mut beyond_ascii = 0;
    for row in &tokens.rows {
        let (Some(surface), Some(start), Some(end)) =
            (row.get("surface"), row["start"].as_u64(), row["end"].as_u64())
        else {
            continue;
        };
        let text = tokens.inputs[row["row"].as_u64().unwrap() as usize]["text"].as_str().unwrap();
        let slice: String = text.chars().skip(start as usize).take((end - start) as usize).collect();
        assert_eq!(Some(slice.as_str()), surface.as_str());
        beyond_ascii += usize::from(!slice.is_ascii());
    }
    assert!(beyond_ascii > 15, "{beyond_ascii}");
}

#[test]
fn parts_of_every_unit_resume_to_the_same_bytes_and_verify() {
    let (reference, _) = load();
    for case in &reference.cases {
        let sandbox = sandbox(case);
        sandbox.succeed(&command(case, "--rows-per-part 2 --output out"));
        let parts = sandbox.parts("out");
        assert!(parts.len() > 1 || case.inputs.len() < 3, "{}", case.name);
        sandbox.succeed("verify out --sample 1000");
        fs_err::remove_file(sandbox.path("out/data").join(parts.keys().next().unwrap())).unwrap();
        sandbox.succeed(&command(case, "--rows-per-part 2 --output out"));
        assert_eq!(sandbox.parts("out"), parts, "{}", case.name);
    }
}

#[test]
fn combinations_and_lengths_of_one_hold_for_tokens_and_words_too() {
    let (reference, tensors) = load();
    let case = |name: &str| reference.cases.iter().find(|case| case.name == name).unwrap();
    for (name, suffix) in [("ordinary_tokens", ""), ("words", "_mean")] {
        let case = case(name);
        let sandbox = sandbox(case);
        let layers: Vec<_> =
            [2, 0, 4].map(|layer| tensor_rows(&tensors, &format!("{name}.layer_{layer}{suffix}"))).into();
        for combine in ["concat", "stack", "sum", "mean"] {
            let unit = case.options.split(" --pooling").next().unwrap();
            let options = format!(
                "run --input in.jsonl --model tiny-bert {unit} --layers 2,0,-1 --combine {combine} --output {combine}"
            );
            sandbox.succeed(&options);
            let output = read_output(&sandbox.path(combine));
            let found = vectors(&output, &format!("layers_2_0_4_{combine}{suffix}"));
            assert_eq!(found.len(), case.rows.len());
            for (row, found) in found.iter().enumerate() {
                let of = |layer: usize| layers[layer][row].iter().copied();
                let expected: Vec<f64> = match combine {
                    "concat" | "stack" => (0..3).flat_map(of).collect(),
                    _ => of(0)
                        .zip(of(1))
                        .zip(of(2))
                        .map(|((a, b), c)| (a + b + c) / if combine == "mean" { 3.0 } else { 1.0 })
                        .collect(),
                };
                let expected = (case.rows[row]["vector"] == true).then_some(expected);
                assert_close(
                    found.as_deref(),
                    expected.as_deref(),
                    &format!("{combine} of {name}, row {row}"),
                );
            }
        }
        sandbox.succeed(&command(case, "--normalize --output unit"));
        let output = read_output(&sandbox.path("unit"));
        for vector in vectors(&output, &format!("layer_2{suffix}")).iter().flatten() {
            let norm = vector.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>();
            assert!((norm - 1.0).abs() < 1e-5, "{norm}");
        }
    }
}

#[test]
fn kept_columns_are_repeated_for_every_item_of_their_row() {
    let sandbox = Sandbox::new();
    let lines = [
        "{\"id\": 7, \"text\": \"the cat\"}",
        "{\"id\": 8, \"text\": null}",
        "{\"id\": 9, \"text\": \"dog\"}",
    ];
    sandbox.write("in.jsonl", lines.join("\n"));
    sandbox.succeed("run --input in.jsonl --model tiny-bert --unit word --keep id,text --output out");
    let output = read_output(&sandbox.path("out"));
    assert_eq!(names(&output), ["row", "id", "text", "word_index", "word", "start", "end", "layer_4_mean"]);
    let ids = column(&output, "id").as_primitive::<arrow::datatypes::Int64Type>();
    let rows = column(&output, "row").as_primitive::<UInt64Type>();
    assert_eq!((ids.values().to_vec(), rows.values().to_vec()), (vec![7, 7, 9], vec![0, 0, 2]));
}

#[test]
fn options_that_do_not_go_together_are_refused_with_the_reason() {
    let sandbox = Sandbox::new();
    sandbox.write("in.jsonl", "{\"text\": \"cat\", \"b\": \"dog\", \"words\": [\"cat\"]}\n");
    let before = sandbox.tree();
    let mut answers = String::new();
    for options in [
        "--unit token --pooling mean",
        "--unit word --pooling cls",
        "--unit token --words whitespace",
        "--unit span",
        "--spans words",
        "--unit span --spans words",
        "--unit word --words b",
        "--unit word --words words --text text",
        "--unit word --special-tokens exclude",
        "--unit token --text-pair b",
        "--text-pair b --overflow window",
        "--stride 3",
        "--overflow window --max-length 12 --stride 10",
        "--overflow ignore",
        "--unit word --attentions",
        "--layers 0 --attentions",
    ] {
        let command = format!("run --input in.jsonl --model tiny-bert --output out {options}");
        let output = sandbox.strata(&command).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{options}");
        let stderr = String::from_utf8_lossy(&output.stderr);
        answers +=
            &format!("{options}\n{}", stderr.lines().map(|line| format!("  {line}\n")).collect::<String>());
    }
    assert_eq!(sandbox.tree(), before, "a refused run must change nothing");
    insta::assert_snapshot!(answers, @r"
    --unit token --pooling mean
      error: unit is token, and a token's vector is not pooled
    --unit word --pooling cls
      error: unit is word and pooling cls; expected first, last, mean, max, first_last
    --unit token --words whitespace
      error: --words does not go with --unit token: it says what a word is
    --unit span
      error: --spans is missing
      hint: with --unit span, name the column of the spans: structs with start and end
    --spans words
      error: --spans does not go with --unit row: it names the spans that are encoded
    --unit span --spans words
      error: column `words` of in.jsonl is List(Utf8), expected structs with whole numbers start and end, or lists of such
      hint: name another with --spans; the file has text (Utf8), b, words (List(Utf8))
    --unit word --words b
      error: column `b` of in.jsonl is Utf8, expected lists of text
      hint: name another with --words; the file has text, b (Utf8), words
    --unit word --words words --text text
      error: --text does not go with a column of --words
      hint: the words are what is encoded; leave --text out, or say --words whitespace
    --unit word --special-tokens exclude
      error: --special-tokens does not go with --unit word: no special token is part of a word or span
    --unit token --text-pair b
      error: --text-pair does not go with --unit token: the places of its tokens would be in either of two texts
    --text-pair b --overflow window
      error: --overflow window does not go with --text-pair
      hint: windows over two texts have no agreed meaning; cut them, or say --overflow error
    --stride 3
      error: --stride does not go with --overflow truncate
      hint: it is what windows share; say --overflow window
    --overflow window --max-length 12 --stride 10
      error: stride is 10; windows hold 10 tokens beside the special ones, so it can be 0 to 9
    --overflow ignore
      error: invalid value 'ignore' for '--overflow <WHAT>'
        [possible values: truncate, window, error]
      
      For more information, try '--help'.
    --unit word --attentions
      error: attentions are of rows, and unit is word: a head's figures are means over a text's tokens
    --layers 0 --attentions
      error: attentions are of encoder layers, and the only layer chosen is 0, the embedding output
    ");
}

#[test]
fn a_text_that_is_too_long_ends_the_run_where_that_is_to_be_an_error() {
    let sandbox = Sandbox::with_texts(["cat", "the cat sat on the dog"]);
    let options = "run --input in.parquet --model tiny-bert --output out --max-length 7 --overflow error";
    assert_strata!(sandbox, options, @r"
    success: false
    exit_code: 65
    ----- stdout -----

    ----- stderr -----
    error: in.parquet, row 1: the text has more than 7 tokens, and --overflow is error
    hint: cut it with --overflow truncate, or see all of it with --overflow window
    ");
    sandbox.succeed(&options.replace("--max-length 7", "--max-length 8"));
}

#[test]
fn a_span_that_is_not_in_its_text_is_bad_data() {
    for span in ["{\"start\": 2, \"end\": 4}", "{\"start\": -1, \"end\": 2}", "{\"start\": 2, \"end\": 1}"] {
        let sandbox = Sandbox::new();
        let good = "{\"text\": \"cat\", \"spans\": {\"start\": 0, \"end\": 3}}";
        sandbox.write("in.jsonl", format!("{good}\n{{\"text\": \"cät\", \"spans\": {span}}}\n"));
        let output = sandbox
            .strata("run --input in.jsonl --model tiny-bert --unit span --spans spans --output out")
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(65));
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(stderr.contains("in.jsonl, row 1: the span"), "{stderr}");
    }
}
