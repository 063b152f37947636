//! Models, data, pipeline files and output folders that cannot be used: each is refused before
//! anything is written.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, StringArray};
use strata_io::OutputLock;

use crate::support::models::zero;
use crate::support::tables::table;
use crate::support::{Sandbox, assert_refused, run, write_table};

const BROKEN: &str = "run --input in.parquet --model broken --output out";

#[test]
fn a_model_folder_that_does_not_exist() {
    let sandbox = Sandbox::with_texts(["cat"]);
    assert_refused!(sandbox, "run --input in.parquet --model bert-base --output out", @r"
    success: false
    exit_code: 78
    ----- stdout -----

    ----- stderr -----
    error: no model folder bert-base
    hint: name a folder that holds config.json, tokenizer.json and model.safetensors
    ");
}

#[test]
fn a_model_folder_without_a_tokenizer() {
    let sandbox = Sandbox::with_texts(["cat"]);
    sandbox.break_config(|_| ());
    fs_err::remove_file(sandbox.path("broken/tokenizer.json")).unwrap();
    assert_refused!(sandbox, BROKEN, @r"
    success: false
    exit_code: 78
    ----- stdout -----

    ----- stderr -----
    error: broken holds no tokenizer.json
    hint: write one with transformers: AutoTokenizer.from_pretrained(DIR).save_pretrained(DIR)
    ");
}

#[test]
fn weights_that_lack_a_tensor() {
    let sandbox = Sandbox::with_texts(["cat"]);
    sandbox.break_weights(|tensors| {
        tensors.remove("encoder.layer.2.attention.self.query.weight").unwrap();
    });
    assert_refused!(sandbox, BROKEN, @r"
    success: false
    exit_code: 78
    ----- stdout -----

    ----- stderr -----
    error: broken/model.safetensors has no tensor `encoder.layer.2.attention.self.query.weight`, expected with shape [20, 20]
    hint: the weights and config.json do not belong together, or the download is incomplete
    ");
}

#[test]
fn weights_with_a_tensor_that_belongs_nowhere() {
    let sandbox = Sandbox::with_texts(["cat"]);
    sandbox.break_weights(|tensors| {
        tensors.insert("encoder.layer.4.output.dense.bias".to_owned(), zero());
    });
    assert_refused!(sandbox, BROKEN, @r"
    success: false
    exit_code: 78
    ----- stdout -----

    ----- stderr -----
    error: broken/model.safetensors holds an unexpected tensor `encoder.layer.4.output.dense.bias`
    hint: the weights and config.json do not belong together, or the download is incomplete
    ");
}

#[test]
fn weights_with_a_tensor_of_another_shape() {
    let sandbox = Sandbox::with_texts(["cat"]);
    sandbox.break_weights(|tensors| {
        tensors.insert("encoder.layer.1.output.dense.bias".to_owned(), zero());
    });
    assert_refused!(sandbox, BROKEN, @r"
    success: false
    exit_code: 78
    ----- stdout -----

    ----- stderr -----
    error: broken/model.safetensors: tensor `encoder.layer.1.output.dense.bias` is of shape [1], expected [20]
    hint: the weights and config.json do not belong together, or the download is incomplete
    ");
}

#[test]
fn weights_cut_short() {
    let sandbox = Sandbox::with_texts(["cat"]);
    sandbox.break_config(|_| ());
    let bytes = fs_err::read(sandbox.path("broken/model.safetensors")).unwrap();
    sandbox.write("broken/model.safetensors", &bytes[..bytes.len() / 2]);
    assert_refused!(sandbox, BROKEN, @r"
    success: false
    exit_code: 78
    ----- stdout -----

    ----- stderr -----
    error: broken/model.safetensors is not valid: incomplete metadata, file not fully covered
    hint: fetch the file again, or write it again with transformers' save_pretrained
    ");
}

#[test]
fn a_configuration_that_asks_for_what_is_not_supported() {
    let sandbox = Sandbox::with_texts(["cat"]);
    sandbox.break_config(|config| {
        config.insert("position_embedding_type".to_owned(), "relative_key".into());
    });
    assert_refused!(sandbox, BROKEN, @r#"
    success: false
    exit_code: 78
    ----- stdout -----

    ----- stderr -----
    error: broken/config.json: position_embedding_type is "relative_key", which is not supported; expected absolute
    "#);
}

#[test]
fn a_configuration_of_another_family() {
    let sandbox = Sandbox::with_texts(["cat"]);
    sandbox.break_config(|config| {
        config.insert("model_type".to_owned(), "roberta".into());
    });
    assert_refused!(sandbox, BROKEN, @r#"
    success: false
    exit_code: 78
    ----- stdout -----

    ----- stderr -----
    error: broken/config.json: model_type is "roberta", which is not supported; expected bert
    "#);
}

#[test]
fn a_configuration_whose_numbers_cannot_be() {
    let sandbox = Sandbox::with_texts(["cat"]);
    sandbox.break_config(|config| {
        config.insert("num_hidden_layers".to_owned(), 1_000_000_000_000_u64.into());
    });
    assert_refused!(sandbox, BROKEN, @r"
    success: false
    exit_code: 78
    ----- stdout -----

    ----- stderr -----
    error: broken/config.json is not valid: num_hidden_layers is 1000000000000, expected at most 1000
    hint: fetch the file again, or write it again with transformers' save_pretrained
    ");
    let sandbox = Sandbox::with_texts(["cat"]);
    sandbox.break_config(|config| {
        config.insert("pad_token_id".to_owned(), 5000.into());
    });
    assert_refused!(sandbox, BROKEN, @r"
    success: false
    exit_code: 78
    ----- stdout -----

    ----- stderr -----
    error: broken/config.json is not valid: pad_token_id is 5000, but the model has 117 word embeddings
    hint: fetch the file again, or write it again with transformers' save_pretrained
    ");
}

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
fn a_layer_that_the_model_lacks() {
    let sandbox = Sandbox::with_texts(["cat"]);
    assert_refused!(sandbox, &run("--layers 0,5"), @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: layer 5 is out of range: the model has 4 encoder layers, so 0 to 4 or -5 to -1
    ");
    assert_refused!(sandbox, &run("--layers -6"), @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: layer -6 is out of range: the model has 4 encoder layers, so 0 to 4 or -5 to -1
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
    sandbox.write("notes.txt", "no table");
    assert_refused!(sandbox, "run --input notes.txt --model tiny-bert --output out", @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: expected a data file, found an unknown extension: notes.txt
    hint: known are .parquet .pq .arrow .feather .ipc .arrows .csv .tsv .jsonl .ndjson, the text formats also with .gz or .zst
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

#[test]
fn a_pipeline_file_with_a_key_that_is_no_option() {
    let sandbox = Sandbox::with_texts(["cat"]);
    sandbox.write("job.toml", "[features]\npoolign = \"mean\"\n");
    assert_refused!(sandbox, &run("job.toml"), @r"
    success: false
    exit_code: 78
    ----- stdout -----

    ----- stderr -----
    error: job.toml: `features.poolign` is not an option
    hint: did you mean `features.pooling`? `strata run --help` lists all options
    ");
    sandbox.write("job.toml", "[ouput]\npath = \"out\"\n");
    assert_refused!(sandbox, &run("job.toml"), @r"
    success: false
    exit_code: 78
    ----- stdout -----

    ----- stderr -----
    error: job.toml: `ouput.path` is not an option
    hint: did you mean `output.path`? `strata run --help` lists all options
    ");
}

#[test]
fn a_pipeline_file_that_is_not_toml() {
    let sandbox = Sandbox::with_texts(["cat"]);
    sandbox.write("job.toml", "[features\npooling = \"mean\"\n");
    assert_refused!(sandbox, &run("job.toml"), @r"
    success: false
    exit_code: 78
    ----- stdout -----

    ----- stderr -----
    error: job.toml cannot be used:
    TOML parse error at line 1, column 10
      |
    1 | [features
      |          ^
    unclosed table, expected `]`
    ");
}

#[test]
fn a_pipeline_file_with_a_value_of_another_type() {
    let sandbox = Sandbox::with_texts(["cat"]);
    sandbox.write("job.toml", "[output]\nrows_per_part = \"many\"\n");
    assert_refused!(sandbox, &run("job.toml"), @r#"
    success: false
    exit_code: 78
    ----- stdout -----

    ----- stderr -----
    error: job.toml cannot be used:
    TOML parse error at line 2, column 17
      |
    2 | rows_per_part = "many"
      |                 ^^^^^^
    invalid type: string "many", expected u64
    "#);
    sandbox.write("job.toml", "[features]\nlayers = true\n");
    assert_refused!(sandbox, &run("job.toml"), @r"
    success: false
    exit_code: 78
    ----- stdout -----

    ----- stderr -----
    error: job.toml cannot be used:
    TOML parse error at line 2, column 10
      |
    2 | layers = true
      |          ^^^^
    expected text or a whole number, or a list of these
    ");
}

#[test]
fn a_pipeline_file_that_does_not_exist() {
    let sandbox = Sandbox::with_texts(["cat"]);
    assert_refused!(sandbox, &run("job.toml"), @r"
    success: false
    exit_code: 78
    ----- stdout -----

    ----- stderr -----
    error: failed to open file `job.toml`: No such file or directory (os error 2)
    hint: give the path of a TOML file
    ");
}

#[test]
fn paths_that_are_empty() {
    let sandbox = Sandbox::with_texts(["cat"]);
    sandbox.write("job.toml", "[model]\npath = \"\"\n");
    assert_refused!(sandbox, "run job.toml --input in.parquet --output out", @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: --model is missing
    hint: give --model, or `model.path` in the pipeline file
    ");
    sandbox.write("job.toml", "[output]\npath = \"\"\n");
    assert_refused!(sandbox, "run job.toml --input in.parquet --model tiny-bert", @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: --output is missing
    hint: give --output, or `output.path` in the pipeline file
    ");
}

#[test]
fn a_report_that_could_not_be_written_at_the_end() {
    let sandbox = Sandbox::with_texts(["cat"]);
    assert_refused!(sandbox, &run("--report figures/run.json"), @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: --report: expected a folder at figures, found none
    hint: make the folder first, or name another
    ");
}

#[test]
fn an_output_folder_among_the_inputs() {
    let sandbox = Sandbox::new();
    fs_err::create_dir(sandbox.path("data")).unwrap();
    write_table(
        &sandbox.path("data/in.parquet"),
        &table([("text", Arc::new(StringArray::from(vec!["cat"])))]),
    );
    assert_refused!(sandbox, "run --input data --model tiny-bert --output data/out", @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: the output data/out lies inside the input folder data
    hint: write to a folder outside the input
    ");
}

#[test]
fn an_output_folder_that_cannot_be_made() {
    let sandbox = Sandbox::with_texts(["cat"]);
    // Below a regular file: not even the superuser can make a folder there.
    assert_refused!(sandbox, "run --input in.parquet --model tiny-bert --output in.parquet/out", @r"
    success: false
    exit_code: 74
    ----- stdout -----

    ----- stderr -----
    error: failed to create directory `in.parquet/out`: Not a directory (os error 20)
    ");
}

#[test]
fn an_output_folder_with_files_of_others() {
    let sandbox = Sandbox::with_texts(["cat"]);
    fs_err::create_dir(sandbox.path("out")).unwrap();
    sandbox.write("out/thesis.parquet", "years of work");
    assert_refused!(sandbox, &run(""), @r"
    success: false
    exit_code: 78
    ----- stdout -----

    ----- stderr -----
    error: out is not empty and has no manifest.json: it holds `thesis.parquet`
    hint: give an empty folder, or one that strata wrote
    ");
}

#[test]
fn an_output_folder_in_use() {
    let sandbox = Sandbox::with_texts(["cat"]);
    sandbox.succeed(&run(""));
    let _held = OutputLock::acquire(&sandbox.path("out"), None).unwrap();
    assert_refused!(sandbox, &run(""), @r"
    success: false
    exit_code: 75
    ----- stdout -----

    ----- stderr -----
    error: out is in use by process [PID] since [TIME]
    hint: wait for it to end, or write to another folder
    ");
}

#[test]
fn an_output_folder_of_other_settings_unless_it_may_be_overwritten() {
    let sandbox = Sandbox::with_texts(["cat"]);
    sandbox.succeed(&run(""));
    assert_refused!(sandbox, &run("--pooling cls --normalize"), @r#"
    success: false
    exit_code: 78
    ----- stdout -----

    ----- stderr -----
    error: out holds parts made otherwise: settings.normalize was false, is now true; settings.pooling was ["mean"], is now ["cls"]
    hint: write to another folder, or start afresh with --overwrite
    "#);
    sandbox.succeed(&run("--pooling cls --normalize --overwrite"));
    assert!(sandbox.path("out/_SUCCESS").exists());
}

#[test]
fn an_output_folder_whose_manifest_is_damaged() {
    let sandbox = Sandbox::with_texts(["cat"]);
    sandbox.succeed(&run(""));
    sandbox.write("out/manifest.json", "{\"format_version\": 1");
    assert_refused!(sandbox, &run(""), @r"
    success: false
    exit_code: 78
    ----- stdout -----

    ----- stderr -----
    error: cannot understand out/manifest.json
      cause: EOF while parsing an object at line 1 column 20
    hint: write to another folder, or remove this one to start afresh
    ");
}
