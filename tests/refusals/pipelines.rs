//! Pipeline files and paths that cannot be used.

use crate::support::{Sandbox, assert_refused, run};

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
    assert_refused!(sandbox, &run("job.toml"), @r#"
    success: false
    exit_code: 78
    ----- stdout -----

    ----- stderr -----
    error: job.toml cannot be used:
    TOML parse error at line 2, column 10
      |
    2 | layers = true
      |          ^^^^
    expected "all", a whole number, or a list of these
    "#);
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
