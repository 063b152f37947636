//! What a user reads when all is well.

use crate::faulty::stderr;
use crate::support::{Sandbox, assert_refused, assert_strata, run};

#[test]
fn a_good_run_sums_up_on_stderr_and_keeps_stdout_clean() {
    let sandbox = Sandbox::with_texts([Some("The cat sat on the dog."), None, Some("")]);
    assert_strata!(sandbox, &run("--layers all --pooling cls,mean"), @r"
    success: true
    exit_code: 0
    ----- stdout -----

    ----- stderr -----
    out: 3 rows in 1 part, [SIZE]
    11 tokens, 0 truncated, 1 null
    [TIME], [RATE] rows/s, [RATE] tokens/s
    note: 1 row without a vector, which is null there: pyarrow before 26 cannot read that (--on-null nan or drop)
    ");
}

#[test]
fn inspect_shows_schema_provenance_counts_and_vectors() {
    let sandbox = Sandbox::with_texts([Some("The cat sat on the dog."), None, Some("")]);
    sandbox.succeed(&run("--layers 0,-1 --pooling mean,pooler"));
    assert_strata!(sandbox, "inspect out", @r#"
    success: true
    exit_code: 0
    ----- stdout -----
    out (whole)
    3 rows in 1 part from 1 file, [SIZE]

    provenance
      compute: float32
      device: cpu
      layer_convention: 0 is the embedding output, N the output of the Nth encoder layer
      libtorch: [VERSION]
      model.files.config_sha256: [HASH]
      model.files.tokenizer_files: ["tokenizer.json"]
      model.files.tokenizer_sha256: [HASH]
      model.files.weights_sha256: [HASH]
      model.hidden_size: 20
      model.model_type: bert
      model.num_hidden_layers: 4
      numerics: 1
      settings.attentions: false
      settings.combine: none
      settings.dtype: float32
      settings.format: parquet
      settings.keep: all
      settings.layers: [0,4]
      settings.max_length: 48
      settings.normalize: false
      settings.overflow: truncate
      settings.pooling: ["mean","pooler"]
      settings.special_tokens: include
      settings.text: text
      settings.unit: row

    schema
      text: Utf8
      n_tokens: UInt32
      truncated: Boolean
      layer_0_mean: FixedSizeList(20 x Float32, field: 'element')
      layer_4_mean: FixedSizeList(20 x Float32, field: 'element')
      pooler_output: FixedSizeList(20 x Float32, field: 'element')

    vectors
      column                            dimension  mean norm    smallest     largest    nulls
      layer_0_mean                             20     2.89..     -0.96..      2.15..        1
      layer_4_mean                             20     5.29..     -3.64..      2.08..        1
      pooler_output                            20     3.63..     -0.99..      0.99..        1

    ----- stderr -----
    "#);
}

#[test]
fn inspect_refuses_a_folder_that_is_no_output() {
    assert_refused!(Sandbox::new(), "inspect tiny-bert", @r"
    success: false
    exit_code: 78
    ----- stdout -----

    ----- stderr -----
    error: tiny-bert holds no output of strata
    hint: name a folder that `strata run` wrote
    ");
}

#[test]
fn inspect_says_the_same_to_programs() {
    let sandbox = Sandbox::with_texts([Some("The cat sat on the dog."), None, Some("")]);
    sandbox.succeed(&run("--layers 0,-1 --pooling mean"));
    let output = sandbox.succeed("inspect --json out");
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&found["is_whole"], &found["rows"], &found["parts"]), (&true.into(), &3.into(), &1.into()));
    assert_eq!(found["provenance"]["settings"]["layers"], serde_json::json!([0, 4]));
    assert_eq!(found["schema"][0], serde_json::json!({"name": "text", "type": "Utf8"}));
    let vectors = &found["vectors"]["layer_4_mean"];
    assert_eq!((&vectors["shape"], &vectors["nulls"]), (&serde_json::json!([20]), &1.into()), "{found}");
    assert!(vectors["mean_norm"].as_f64().unwrap() > 0.0, "{found}");
}

#[test]
fn a_quiet_run_says_nothing_but_errors() {
    let sandbox = Sandbox::with_texts([Some("The cat sat on the dog.")]);
    assert_eq!(stderr(&sandbox.succeed(&format!("-q {}", run("")))), "");
    let refused = sandbox.strata(&run("--quiet --pooling cls")).output().unwrap();
    assert_eq!(refused.status.code(), Some(78));
    assert!(stderr(&refused).starts_with("error: "), "{}", stderr(&refused));
}

#[test]
fn a_verbose_run_says_step_by_step_what_is_done() {
    let sandbox = Sandbox::with_texts([Some("The cat sat on the dog.")]);
    let said = stderr(&sandbox.succeed(&run("-v")));
    for line in [
        "model: a bert of 4 layers in tiny-bert; input files: 1",
        "the model was loaded in ",
        "in-00000.parquet: rows 0..1 of the input, ",
    ] {
        assert!(said.contains(line), "no line `{line}` in\n{said}");
    }
    assert!(!stderr(&sandbox.succeed(&run(""))).contains("tiny-bert"));
}

#[test]
fn colours_are_as_the_command_line_has_them() {
    let sandbox = Sandbox::new();
    let has_colours = |arguments: &str| {
        let output = sandbox.strata(arguments).output().unwrap();
        [output.stdout, output.stderr].concat().contains(&0x1b)
    };
    // NO_COLOR is set, and nothing here is a terminal.
    for arguments in ["--help", "inspect nowhere", "--nonsense"] {
        assert!(!has_colours(arguments), "{arguments}");
        assert!(has_colours(&format!("--color always {arguments}")), "{arguments}");
        assert!(!has_colours(&format!("--color=never {arguments}")), "{arguments}");
    }
}
