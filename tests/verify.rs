//! `strata verify` names everything that is not as the manifest has it.

use crate::faulty::{command, sandbox, stderr};
use crate::support::{Sandbox, texts, write_table};

/// A finished output, without its rows encoded again.
fn finished() -> Sandbox {
    let sandbox = sandbox();
    sandbox.succeed(&command("out"));
    sandbox
}

/// What `verify out` prints of an output that is not in order.
fn problems(sandbox: &Sandbox) -> String {
    let output = sandbox.strata("verify out --sample 0").output().unwrap();
    assert_eq!(output.status.code(), Some(65), "{}", stderr(&output));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn an_output_as_it_was_written_is_in_order_and_a_sample_comes_out_the_same() {
    let sandbox = finished();
    for dtype in ["float32", "float16"] {
        for options in ["--combine stack --pooling mean,cls", "--pooling mean_max --special-tokens exclude"] {
            sandbox.succeed(&format!("{} --dtype {dtype} --overwrite {options}", command("out")));
            let found: serde_json::Value =
                serde_json::from_slice(&sandbox.succeed("verify out --sample 10 --json").stdout).unwrap();
            assert_eq!(found["problems"].as_array().unwrap().len(), 0, "{found}");
            assert_eq!((&found["sample"]["rows"], &found["rows"]), (&10.into(), &25.into()), "{found}");
        }
    }
}

#[test]
fn damage_is_named_file_by_file() {
    let sandbox = finished();
    let mut bytes = fs_err::read(sandbox.path("out/data/a-00000.parquet")).unwrap();
    bytes[100] ^= 1;
    sandbox.write("out/data/a-00000.parquet", &bytes);
    fs_err::remove_file(sandbox.path("out/data/b-00001.parquet")).unwrap();
    sandbox.write("out/data/c-00001.parquet", "no longer a part");
    sandbox.write("out/notes.txt", "mine");
    sandbox.write("out/data/more.parquet", "mine as well");
    fs_err::remove_file(sandbox.path("out/_SUCCESS")).unwrap();
    let found = problems(&sandbox);
    for line in [
        "a-00000.parquet: its hash is ",
        "b-00001.parquet: is missing",
        "c-00001.parquet: has 16 bytes, expected ",
        "notes.txt: is not in the manifest",
        "data/more.parquet: is not in the manifest",
        "_SUCCESS: is missing",
    ] {
        assert!(found.contains(line), "no line `{line}` in\n{found}");
    }
    assert!(!found.contains("a-00001.parquet"), "{found}");
}

#[test]
fn a_part_that_is_whole_but_of_other_rows_is_found_out() {
    let sandbox = finished();
    let manifest = sandbox.path("out/_strata/manifest.json");
    let mut json: serde_json::Value = serde_json::from_slice(&fs_err::read(&manifest).unwrap()).unwrap();
    let parts = json["parts"].as_object_mut().unwrap();
    let first = parts["a-00000.parquet"].clone();
    parts["a-00001.parquet"]["bytes"] = first["bytes"].clone();
    parts["a-00001.parquet"]["blake3"] = first["blake3"].clone();
    parts["c-00001.parquet"]["rows"] = serde_json::json!([4, 6]);
    parts["c-00001.parquet"]["output_rows"] = 2.into();
    sandbox.write("out/_strata/manifest.json", json.to_string());
    fs_err::copy(sandbox.path("out/data/a-00000.parquet"), sandbox.path("out/data/a-00001.parquet")).unwrap();
    let found = problems(&sandbox);
    assert!(found.contains("a-00001.parquet: its provenance is not that of the manifest"), "{found}");
    assert!(found.contains("c-00001.parquet: has 3 rows, expected 2"), "{found}");
    assert!(found.contains("c.jsonl: rows 6..7 have no part"), "{found}");
}

#[test]
fn vectors_of_another_text_are_found_out_by_the_sample() {
    let sandbox = finished();
    // Parts made from other texts, under the manifest of the true ones: only encoding again tells.
    let content = fs_err::read_to_string(sandbox.path("in/b.csv")).unwrap();
    sandbox.write("in/b.csv", content.replace("cat", "dog"));
    sandbox.succeed(&command("out"));
    let hash = strata_io::blake3_file(&sandbox.path("in/b.csv")).unwrap();
    sandbox.write("in/b.csv", &content);
    let truth = strata_io::blake3_file(&sandbox.path("in/b.csv")).unwrap();
    let manifest = fs_err::read_to_string(sandbox.path("out/_strata/manifest.json")).unwrap();
    sandbox.write("out/_strata/manifest.json", manifest.replace(&hash, &truth));
    let output = sandbox.strata("verify out --sample 25").output().unwrap();
    let found = String::from_utf8(output.stdout).unwrap();
    assert!(found.contains("b-00000.parquet: row 0: `layer_0_mean` is off by "), "{found}");
}

#[test]
fn a_sample_with_another_model_is_refused() {
    let sandbox = finished();
    let other = crate::support::fixture("tiny-bert-relu");
    let output = sandbox.strata(&format!("verify out --model {}", other.display())).output().unwrap();
    assert_eq!(output.status.code(), Some(78));
    assert!(stderr(&output).contains("model.files.config_sha256 was "), "{}", stderr(&output));
}

#[test]
fn what_is_left_of_the_input_is_encoded_again_and_the_rest_is_told() {
    let sandbox = sandbox();
    let inputs = "in/a.parquet in/b.csv in/c*.jsonl";
    sandbox.succeed(&command("out").replace("--input in", &format!("--input {inputs}")));
    let verified = |arguments: &str| String::from_utf8(sandbox.succeed(arguments).stdout).unwrap();
    assert!(verified("verify out --sample 25").contains("25 rows encoded again"));
    fs_err::remove_file(sandbox.path("in/c.jsonl")).unwrap();
    fs_err::remove_file(sandbox.path("in/b.csv")).unwrap();
    let found = verified("verify out --sample 25");
    for line in ["13 rows encoded again", "in/b.csv`, found nothing", "in/c*.jsonl`, found no match"] {
        assert!(found.contains(line), "no line `{line}` in\n{found}");
    }
    fs_err::remove_dir_all(sandbox.path("in")).unwrap();
    let found = verified("verify out");
    assert!(found.contains("as the manifest says\nnot encoded again: "), "{found}");
    assert_eq!(sandbox.strata("verify out --input in").output().unwrap().status.code(), Some(66));
}

#[test]
fn an_output_of_stdin_is_verified_as_far_as_it_can_be() {
    let sandbox = Sandbox::with_texts(["cat", "the dog"]);
    write_table(&sandbox.path("copy.arrows"), &texts(["cat", "the dog"]));
    let mut command = sandbox.strata("run --input - --model tiny-bert --output out");
    let stdin = fs_err::File::open(sandbox.path("copy.arrows")).unwrap().into_file();
    assert!(command.stdin(stdin).status().unwrap().success());
    let verified = |arguments: &str| String::from_utf8(sandbox.succeed(arguments).stdout).unwrap();
    assert!(verified("verify out").contains("not encoded again: the input was stdin"));
    assert!(verified("verify out --input copy.arrows").contains("2 rows encoded again"));
}

#[test]
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn bfloat16_is_held_to_the_direction_of_its_vectors() {
    let sandbox = finished();
    let bfloat16 = format!("{} --compute bfloat16 --overwrite", command("out"));
    let run = sandbox.strata(&bfloat16).output().unwrap();
    if !run.status.success() {
        assert!(stderr(&run).contains("avx512_bf16"), "{}", stderr(&run));
        eprintln!("skipped: this processor has no instructions for bfloat16");
        return;
    }
    sandbox.succeed("verify out --sample 25");
}

#[test]
fn an_output_that_was_moved_away_is_still_held_against_its_manifest() {
    let sandbox = finished();
    fs_err::rename(sandbox.path("out"), sandbox.path("elsewhere")).unwrap();
    fs_err::remove_file(sandbox.path("elsewhere/_strata/notes.json")).unwrap();
    let output = sandbox.succeed("verify elsewhere");
    assert!(String::from_utf8(output.stdout).unwrap().contains("not encoded again: "));
}
