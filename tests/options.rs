//! Options that are missing, wrong, or at odds with each other.

use crate::support::tables::names;
use crate::support::{Sandbox, assert_refused, read_output, run};

#[test]
fn a_required_option_that_is_missing_is_named() {
    let sandbox = Sandbox::with_texts(["cat"]);
    assert_refused!(sandbox, "run --model tiny-bert --output out", @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: --input is missing
    hint: give --input, or `input.paths` in the pipeline file
    ");
    assert_refused!(sandbox, "run --input in.parquet --output out", @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: --model is missing
    hint: give --model, or `model.path` in the pipeline file
    ");
    assert_refused!(sandbox, "run --input in.parquet --model tiny-bert", @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: --output is missing
    hint: give --output, or `output.path` in the pipeline file
    ");
}

#[test]
fn a_value_that_is_no_choice_is_answered_with_the_choices() {
    let sandbox = Sandbox::with_texts(["cat"]);
    assert_refused!(sandbox, &run("--pooling meen"), @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: invalid value 'meen' for '--pooling <POOLINGS>'
      [possible values: cls, first, mean, max, min, mean_max, last, first_last, endpoints, pooler, sentence]

      tip: a similar value exists: 'mean'

    For more information, try '--help'.
    ");
    assert_refused!(sandbox, &run("--combine glue"), @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: invalid value 'glue' for '--combine <HOW>'
      [possible values: none, concat, stack, sum, mean]

    For more information, try '--help'.
    ");
    assert_refused!(sandbox, &run("--device gpu"), @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: invalid value 'gpu' for '--device <DEVICE>': `gpu` is not a device; expected cpu, cuda, cuda:N or flex

    For more information, try '--help'.
    ");
    assert_refused!(sandbox, &run("--dtype float64"), @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: invalid value 'float64' for '--dtype <TYPE>'
      [possible values: float32, float16]

      tip: a similar value exists: 'float16'

    For more information, try '--help'.
    ");
    assert_refused!(sandbox, &run("--format csv"), @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: invalid value 'csv' for '--format <FORMAT>'
      [possible values: parquet, arrow]

    For more information, try '--help'.
    ");
    assert_refused!(sandbox, &run("--special-tokens no"), @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: invalid value 'no' for '--special-tokens <WHETHER>'
      [possible values: include, exclude]

    For more information, try '--help'.
    ");
    assert_refused!(sandbox, &run("--progress loud"), @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: invalid value 'loud' for '--progress <WHEN>'
      [possible values: auto, always, never]

    For more information, try '--help'.
    ");
}

#[test]
fn a_number_that_cannot_be_used_is_answered_with_those_that_can() {
    let sandbox = Sandbox::with_texts(["cat"]);
    assert_refused!(sandbox, &run("--layers first"), @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: invalid value 'first' for '--layers <LAYERS>': `first` is not a choice of layers; expected `all`, or numbers such as 0,3,-1

    For more information, try '--help'.
    ");
    assert_refused!(sandbox, &run("--max-length many"), @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: invalid value 'many' for '--max-length <N>': invalid digit found in string

    For more information, try '--help'.
    ");
    assert_refused!(sandbox, &run("--max-length 0"), @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: max_length is 0; this model takes 3 to 48 tokens, 2 special ones counted
    ");
    assert_refused!(sandbox, &run("--max-length 49"), @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: max_length is 49; this model takes 3 to 48 tokens, 2 special ones counted
    ");
    assert_refused!(sandbox, &run("--rows-per-part 0"), @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: --rows-per-part is 0, expected at least 1
    ");
    assert_refused!(sandbox, &run("--rows-per-part 18446744073709551615"), @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: invalid value '18446744073709551615' for '--rows-per-part <N>': 18446744073709551615 is not in 0..=9223372036854775807

    For more information, try '--help'.
    ");
    assert_refused!(sandbox, &run("--shard 3/3"), @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: invalid value '3/3' for '--shard <I/N>': `3/3` is not a shard; expected I/N with I from 0 to N-1, such as 0/4

    For more information, try '--help'.
    ");
    assert_refused!(sandbox, &run("--threads -1"), @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: unexpected argument '-1' found

      tip: to pass '-1' as a value, use '-- -1'

    Usage: strata run [OPTIONS] [PIPELINE]

    For more information, try '--help'.
    ");
}

#[test]
fn an_option_that_does_not_exist_is_answered_with_the_nearest_one() {
    let sandbox = Sandbox::with_texts(["cat"]);
    assert_refused!(sandbox, &run("--layer 0"), @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: unexpected argument '--layer' found

      tip: a similar argument exists: '--layers'

    Usage: strata run --input <PATH>... --model <DIR|ID> --output <DIR> --layers <LAYERS> [PIPELINE]

    For more information, try '--help'.
    ");
}

#[test]
fn options_that_do_not_go_together_are_refused() {
    let sandbox = Sandbox::with_texts(["cat"]);
    assert_refused!(sandbox, &run("--layers 0,1 --pooling pooler --combine sum"), @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: combine is sum, but the only pooling is pooler, which has no layers to combine
    ");
}

#[test]
fn columns_whose_names_begin_with_a_space_can_be_named() {
    let sandbox = Sandbox::new();
    sandbox.write("in.csv", "id, text, label\n1,cat,x\n2,dog,y\n");
    let named = |arguments: &[&str]| {
        let mut command = sandbox.strata("run --input in.csv --model tiny-bert --overwrite --output out");
        let ended = command.args(["--text", " text"]).args(arguments).output().unwrap();
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
        names(&read_output(&sandbox.path("out")))[..1].to_vec()
    };
    assert_eq!(named(&["--keep", " label"]), [" label"]);
    assert_eq!(named(&["--keep", " label", "--keep", "id"]), ["id"]);
    assert_eq!(named(&["--keep", "id, id"]), ["id"]);
    sandbox.write("job.toml", "[input]\nkeep = [\" label\"]\n");
    assert_eq!(named(&["job.toml"]), [" label"]);
}

#[test]
fn a_pipeline_file_that_cannot_be_read_shows_no_secret() {
    let sandbox = Sandbox::new();
    for line in [
        "storage.aws_secret_access_key = \"S3CRET",
        "storage = { aws_secret_access_key = \"S3CRET\", x = }",
        "[storage]\naws_secret_access_key = \"S3CRET",
        "\"storage\".aws_secret_access_key = S3CRET",
    ] {
        sandbox.write("job.toml", line);
        let refused = sandbox.strata("run job.toml").output().unwrap();
        let said = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(78), "{said}");
        assert!(!said.contains("S3CRET"), "{said}");
    }
}
