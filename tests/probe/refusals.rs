//! What cannot be probed is refused by name, and what is left out is said.

use serde_json::json;

use super::{report, sentences, with_vectors};
use crate::support::{Sandbox, assert_refused};

#[test]
fn what_is_no_question_is_refused() {
    let sandbox = with_vectors(
        60,
        |row| json!({"same": "x", "rare": format!("{}", row / 2), "none": null, "list": [1]}),
    );
    assert_refused!(sandbox, "probe", @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: the output to probe is missing
    hint: name the folder that `strata run` wrote, or `probe.vectors` in the file
    ");
    assert_refused!(sandbox, "probe vectors", @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: --label is missing
    hint: give the column of labels, or `probe.label` in the file
    ");
    assert_refused!(sandbox, "probe nowhere --label kind", @r"
    success: false
    exit_code: 78
    ----- stdout -----

    ----- stderr -----
    error: nowhere holds no output of strata
    hint: name a folder that `strata run` wrote
    ");
    assert_refused!(sandbox, "probe vectors --label nothing", @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: vectors has no column `nothing`
    hint: name another with --label; beside vectors it has document, kind, length, list, none, rare, same, text, n_tokens, truncated. `strata run --keep` carries columns through, --align those of given words
    ");
    assert_refused!(sandbox, "probe vectors --label same", @r"
    success: false
    exit_code: 65
    ----- stdout -----

    ----- stderr -----
    error: there is nothing to learn: `same` is x in all 60 rows
    hint: name a column of labels that differ with --label; --min-rows says how few rows of a class are too few
    ");
    assert_refused!(sandbox, "probe vectors --label rare", @r"
    success: false
    exit_code: 65
    ----- stdout -----

    ----- stderr -----
    error: there is nothing to learn: no class of `rare` has 10 rows or more
    hint: name a column of labels that differ with --label; --min-rows says how few rows of a class are too few
    ");
    assert_refused!(sandbox, "probe vectors --label none", @r"
    success: false
    exit_code: 65
    ----- stdout -----

    ----- stderr -----
    error: there is nothing to learn: no row has a `none` and a vector
    hint: name a column of labels that differ with --label; --min-rows says how few rows of a class are too few
    ");
    assert_refused!(sandbox, "probe vectors --label list", @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: column `list` holds list[i64], expected single values
    hint: name another with --label
    ");
    assert_refused!(sandbox, "probe vectors --label kind --task numbers", @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: column `kind` holds str, expected numbers
    hint: leave --task numbers out, or name a column of numbers with --label
    ");
    assert_refused!(sandbox, "probe vectors --label kind --group same", @r"
    success: false
    exit_code: 65
    ----- stdout -----

    ----- stderr -----
    error: 60 rows cannot be divided into training, development and test: they are of too few `same`, or a side is empty
    hint: at least three groups are needed: name a finer --group or another --split, or make vectors of more rows
    ");
    assert_refused!(sandbox, "probe vectors --label kind --split kind", @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: column `kind` says `thing`, expected train, dev (or validation) or test
    hint: name a column of those with --split, or leave it out
    ");
    assert_refused!(sandbox, "probe vectors --label kind --columns text", @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: vectors has no column of vectors `text`
    hint: its columns of vectors are layer_0_mean, layer_1_mean, layer_2_mean, layer_3_mean, layer_4_mean
    ");
    assert_refused!(sandbox, "probe vectors --label kind --output in.jsonl", @r"
    success: false
    exit_code: 78
    ----- stdout -----

    ----- stderr -----
    error: in.jsonl is no folder
    hint: name a new folder with --output
    ");
    assert_refused!(sandbox, "probe s3://bucket/vectors --label kind", @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: s3://bucket/vectors is in a store, expected a folder of this machine: each column is read several times
    hint: copy it here first, with the store's own program
    ");
}

#[test]
fn outputs_of_other_rows_are_no_control() {
    let sandbox = with_vectors(60, |_| json!({}));
    sandbox.write("other.jsonl", sentences(61, |_| json!({})));
    sandbox.succeed("run --input other.jsonl --model tiny-bert --output other");
    assert_refused!(sandbox, "probe vectors --label kind --control other", @r"
    success: false
    exit_code: 65
    ----- stdout -----

    ----- stderr -----
    error: vectors and other are not of the same rows: one has 60, the other 61
    hint: --control wants an output of the same input and unit, from another model
    ");
    let other = sentences(60, |row| if row == 7 { json!({"kind": "idea"}) } else { json!({}) });
    sandbox.write("third.jsonl", other);
    sandbox.succeed("run --input third.jsonl --model tiny-bert --output third");
    assert_refused!(sandbox, "probe vectors --label kind --compare third", @r"
    success: false
    exit_code: 65
    ----- stdout -----

    ----- stderr -----
    error: vectors and third are not of the same rows: `kind` of row 7 differs
    hint: --compare wants an output of the same input and unit, from another model
    ");
    // Without the label, only the files can say that the rows are the same.
    let reversed: Vec<String> =
        sentences(60, |_| json!({})).lines().rev().map(|line| format!("{line}\n")).collect();
    sandbox.write("reversed.jsonl", reversed.concat());
    sandbox.succeed("run --input reversed.jsonl --model tiny-bert --keep none --output reversed");
    assert_refused!(sandbox, "probe vectors --label kind --control reversed", @r"
    success: false
    exit_code: 65
    ----- stdout -----

    ----- stderr -----
    error: vectors and reversed are not of the same rows: they are of other input files, and `kind` was not kept, by which rows could be compared
    hint: --control wants an output of the same input and unit, from another model
    ");
    // Equal labels do not make other texts the same.
    let others = sentences(60, |_| json!({})).replace("the ", "a ");
    sandbox.write("others.jsonl", others);
    sandbox.succeed("run --input others.jsonl --model tiny-bert --output others");
    assert_refused!(sandbox, "probe vectors --label kind --control others", @r"
    success: false
    exit_code: 65
    ----- stdout -----

    ----- stderr -----
    error: vectors and others are not of the same rows: `text` of row 0 differs
    hint: --control wants an output of the same input and unit, from another model
    ");
    assert_refused!(sandbox, "probe vectors --vectors others --label kind", @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: two outputs are named: vectors and others
    hint: name one; --control and --compare take others of the same rows
    ");
    sandbox.succeed("run --input in.jsonl --model tiny-bert --pooling cls --output fourth");
    assert_refused!(sandbox, "probe vectors --label kind --control fourth", @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: fourth has none of the columns that are probed
    hint: make it with the same --layers and --pooling
    ");
}

#[test]
fn an_output_that_is_not_whole_is_refused() {
    let sandbox = with_vectors(60, |_| json!({}));
    fs_err::remove_file(sandbox.path("vectors/_SUCCESS")).unwrap();
    assert_refused!(sandbox, "probe vectors --label kind", @r"
    success: false
    exit_code: 78
    ----- stdout -----

    ----- stderr -----
    error: vectors is not whole: some of its parts are not made yet
    hint: run the command that began it again, which goes on where it ended
    ");
}

#[test]
fn rows_without_label_vector_or_group_are_left_out_and_said() {
    let sandbox = Sandbox::new();
    let lines: String = sentences(200, |row| match row {
        0..7 => json!({"kind": null}),
        7..12 => json!({"text": null}),
        12..15 => json!({"document": null}),
        15..18 => json!({"kind": "rare"}),
        _ => json!({}),
    });
    sandbox.write("in.jsonl", lines);
    for on_null in ["null", "nan"] {
        sandbox.succeed(&format!(
            "run --input in.jsonl --model tiny-bert --layers 0,1 --on-null {on_null} --rows-per-part 30 --output vectors --overwrite"
        ));
        let found = report(&sandbox, "--label kind --group document --seeds 1 --resamples 10");
        let left: Vec<(u64, &str)> = found["rows"]["left_out"]
            .as_array()
            .unwrap()
            .iter()
            .map(|left| (left["rows"].as_u64().unwrap(), left["why"].as_str().unwrap()))
            .collect();
        assert_eq!(
            left,
            [
                (7, "`kind` is null, infinite or not a number"),
                (3, "`document` is null"),
                (5, "a vector is null or has values that are infinite or not a number"),
                (3, "their class has fewer than 10 rows: rare (3)"),
            ],
            "{on_null}"
        );
        assert_eq!((&found["rows"]["all"], &found["rows"]["probed"]), (&json!(200), &json!(182)));
    }
}

#[test]
fn few_groups_and_classes_that_nobody_could_learn_are_said() {
    let sandbox = with_vectors(
        200,
        |row| json!({"big": format!("b{}", row / 25), "by_group": format!("c{}", row / 25 % 4)}),
    );
    let found = report(&sandbox, "--label kind --group big --seeds 1 --resamples 10");
    let notes = found["notes"].to_string();
    assert!(
        notes.contains("the test of seed 0 has 2 groups (`big`), which is few for an interval"),
        "{notes}"
    );
    let found = report(&sandbox, "--label by_group --group big --seeds 8 --resamples 10");
    let notes = found["notes"].to_string();
    assert!(notes.contains("development or test have classes that no row to learn from has"), "{notes}");
}
