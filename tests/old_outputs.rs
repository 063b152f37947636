//! Outputs of strata 0.3.0, with parts beside the manifest: read where they are, and taken over by the
//! next run.

use std::collections::BTreeMap;
use std::process::Command;

use crate::faulty::{Fault, assert_true_to_its_word, leftovers, side_by_side, stderr, visible};
use crate::support::old_output::command;
use crate::support::{Sandbox, fixture, set_up};

fn old_output() -> Sandbox {
    let sandbox = Sandbox::of_old_output();
    sandbox.write_old_output("out");
    sandbox
}

/// The recorded parts, by name.
fn recorded_parts() -> BTreeMap<String, Vec<u8>> {
    let names = ["in-00000.parquet", "in-00001.parquet", "in-00002.parquet"];
    names.map(|name| (name.to_owned(), fs_err::read(fixture("output-0.3.0").join(name)).unwrap())).into()
}

#[test]
fn inspect_verify_and_a_dry_run_read_it_and_change_nothing() {
    let sandbox = old_output();
    let before = sandbox.tree();
    let said = |arguments: &str| String::from_utf8(sandbox.succeed(arguments).stdout).unwrap();
    let inspected = said("inspect out");
    assert!(inspected.starts_with("out (whole)\n5 rows in 3 parts from 1 file"), "{inspected}");
    let verified = said("verify out");
    assert!(verified.contains("as the manifest says\n5 rows encoded again"), "{verified}");
    let planned = said(&format!("{} --dry-run", command("out")));
    assert!(planned.contains("3 already there, 0 to make"), "{planned}");
    assert_eq!(sandbox.tree(), before);
}

#[test]
fn a_run_takes_it_over_and_encodes_nothing() {
    let sandbox = old_output();
    sandbox.succeed(&format!("{} --report r.json", command("out")));
    let report = sandbox.report("r.json");
    assert_eq!((&report["parts_kept"], &report["parts_written"]), (&3.into(), &0.into()));
    assert_eq!(sandbox.parts("out"), recorded_parts());
    assert!(sandbox.path("out/_SUCCESS").exists());
    assert!(leftovers(&sandbox.path("out")).is_empty(), "{:?}", leftovers(&sandbox.path("out")));
    sandbox.succeed("verify out");
    sandbox.succeed(&command("out"));
    assert_eq!(sandbox.parts("out"), recorded_parts());
}

#[test]
fn files_can_be_added_to_it() {
    let sandbox = old_output();
    sandbox.write("more.jsonl", "{\"id\": 6, \"text\": \"cat\"}\n{\"id\": 7, \"text\": null}\n");
    sandbox
        .succeed(&format!("{} --report r.json", command("out").replace("in.jsonl", "in.jsonl more.jsonl")));
    let report = sandbox.report("r.json");
    assert_eq!((&report["parts_kept"], &report["parts_written"]), (&3.into(), &1.into()));
    sandbox.succeed("verify out");
    // The elements of old vectors could not be null, as their schema says.
    let script = "import polars, pyarrow.dataset as d; frame = polars.read_parquet('out/data')
assert (frame.height, d.dataset('out/data').to_table().num_rows) == (7, 7)";
    let mut python = Command::new(set_up(".venv-readers").join("bin/python"));
    assert!(python.args(["-c", script]).current_dir(sandbox.path("")).status().unwrap().success());
}

#[test]
fn one_of_other_settings_or_values_is_refused_with_the_command_that_starts_afresh() {
    let sandbox = old_output();
    let before = sandbox.tree();
    let refused = sandbox.strata(&format!("{} --pooling cls", command("out"))).output().unwrap();
    assert_eq!(refused.status.code(), Some(78));
    assert!(
        stderr(&refused).contains("settings.pooling was [\"mean\"], is now [\"cls\"]"),
        "{}",
        stderr(&refused)
    );
    assert_eq!(sandbox.tree().keys().filter(|path| !path.ends_with("_strata")).count(), before.len());

    sandbox.change_old_manifest("out", |manifest| manifest["fingerprint"]["strata"] = "0.2.0".into());
    let refused = sandbox.strata(&command("out")).output().unwrap();
    let said = stderr(&refused);
    assert_eq!(refused.status.code(), Some(78), "{said}");
    assert!(said.contains("strata was \"0.2.0\"") && said.contains("--overwrite"), "{said}");

    sandbox.succeed(&format!("{} --overwrite", command("out")));
    sandbox.succeed(&command("fresh"));
    assert_eq!(visible(&sandbox.path("out")), visible(&sandbox.path("fresh")));
    assert!(leftovers(&sandbox.path("out")).is_empty(), "{:?}", leftovers(&sandbox.path("out")));
}

#[test]
fn one_whose_manifest_is_damaged_is_started_afresh_only_on_request() {
    let sandbox = old_output();
    sandbox.write("out/manifest.json", "{");
    assert_eq!(sandbox.strata(&command("out")).output().unwrap().status.code(), Some(78));
    sandbox.succeed(&format!("{} --overwrite", command("out")));
    sandbox.succeed(&command("fresh"));
    assert_eq!(visible(&sandbox.path("out")), visible(&sandbox.path("fresh")));
    assert!(leftovers(&sandbox.path("out")).is_empty(), "{:?}", leftovers(&sandbox.path("out")));
}

#[test]
fn a_part_of_it_that_is_damaged_is_made_again() {
    let sandbox = old_output();
    let name = "in-00001.parquet";
    let mut bytes = recorded_parts()[name].clone();
    bytes[100] ^= 1;
    sandbox.write(&format!("out/{name}"), &bytes);
    sandbox.succeed(&format!("{} --report r.json", command("out")));
    assert_eq!(sandbox.report("r.json")["parts_written"], 1);
    sandbox.succeed("verify out");
}

#[test]
fn a_take_over_that_dies_at_any_step_is_finished_by_the_next_run() {
    let sandbox = Sandbox::of_old_output();
    for output in ["clean", "steps"] {
        sandbox.write_old_output(output);
    }
    sandbox.succeed(&command("clean"));
    let clean = visible(&sandbox.path("clean"));
    let steps: Vec<usize> = (1..=sandbox.steps(&command("steps"), "steps").len()).collect();
    assert!(steps.len() > 20, "the shim sees {} steps", steps.len());
    side_by_side(&steps, |&step| {
        let output = format!("out-{step}");
        sandbox.write_old_output(&output);
        let died = sandbox.faulty(&command(&output), &output, step, Fault::Kill).output().unwrap();
        assert_eq!(died.status.code(), None, "step {step}: {}", stderr(&died));
        assert_true_to_its_word(&sandbox.path(&output));
        let inspected = String::from_utf8(sandbox.succeed(&format!("inspect {output}")).stdout).unwrap();
        assert!(inspected.contains("5 rows in 3 parts"), "{inspected}");
        sandbox.succeed(&command(&output));
        assert!(visible(&sandbox.path(&output)) == clean, "step {step}");
        assert!(leftovers(&sandbox.path(&output)).is_empty(), "step {step}");
    });
}
