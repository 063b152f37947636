//! Whatever step of a commit fails or is the last one, nothing is lost and nothing broken is seen.

use std::collections::BTreeMap;

use crate::faulty::{
    Fault, Step, assert_resumes, assert_sound, clean_run, command, sandbox, side_by_side, stderr,
};
use crate::support::Sandbox;

const EIO: i32 = 5;
const ENOSPC: i32 = 28;
const EROFS: i32 = 30;

/// A job of four parts: every step of it is tried, twice.
fn few_parts() -> Sandbox {
    let sandbox = sandbox();
    fs_err::remove_file(sandbox.path("in/a.parquet")).unwrap();
    sandbox
}

#[test]
fn a_run_that_dies_at_any_step_of_a_commit_resumes_to_the_same_bytes() {
    let sandbox = few_parts();
    let clean = clean_run(&sandbox);
    let steps: Vec<usize> = (1..=sandbox.steps(&command("steps"), "steps").len()).collect();
    assert!(steps.len() > 40, "the shim sees {} steps", steps.len());
    side_by_side(&steps, |&step| {
        let output = format!("out-{step}");
        let died = sandbox.faulty(&command(&output), &output, step, Fault::Kill).output().unwrap();
        assert_eq!(died.status.code(), None, "step {step}: {}", stderr(&died));
        assert_sound(&sandbox.path(&output), &clean);
        assert_resumes(&sandbox, &output, &clean);
    });
}

#[test]
fn a_call_that_fails_at_any_step_ends_the_run_and_loses_nothing() {
    let sandbox = few_parts();
    let clean = clean_run(&sandbox);
    let steps = sandbox.steps(&command("steps"), "steps");
    let numbered: Vec<(usize, &Step)> =
        steps.iter().enumerate().map(|(index, step)| (index + 1, step)).collect();
    side_by_side(&numbered, |&(number, (call, file))| {
        let output = format!("out-{number}");
        let failed = sandbox.faulty(&command(&output), &output, number, Fault::Error(EIO)).output().unwrap();
        let said = stderr(&failed);
        assert_eq!(failed.status.code(), Some(74), "step {number}, {call} {file}: {said}");
        assert!(said.contains(&output) && said.contains("Input/output error"), "{call} {file}: {said}");
        assert_sound(&sandbox.path(&output), &clean);
        assert_resumes(&sandbox, &output, &clean);
    });
}

#[test]
fn a_disk_that_fills_up_or_turns_read_only_ends_the_run_with_74_and_keeps_finished_parts() {
    let sandbox = sandbox();
    let clean = clean_run(&sandbox);
    let steps = sandbox.steps(&command("steps"), "steps");
    let third_part =
        steps.iter().position(|(call, file)| call == "create" && file == "_strata/.a-00002.parquet.partial");
    let step = third_part.expect("the third part is made") + 2;
    for (errno, message) in [(ENOSPC, "No space left on device"), (EROFS, "Read-only file system")] {
        let output = format!("out-{errno}");
        let failed = sandbox.faulty(&command(&output), &output, step, Fault::Errors(errno)).output().unwrap();
        let said = stderr(&failed);
        assert_eq!(failed.status.code(), Some(74), "{said}");
        assert!(said.contains("a-00002.parquet") && said.contains(message), "{said}");
        assert_sound(&sandbox.path(&output), &clean);
        assert!(sandbox.path(&output).join("data/a-00001.parquet").exists());
        assert_resumes(&sandbox, &output, &clean);
    }
}

#[test]
fn bytes_are_durable_before_they_have_a_name_and_the_marker_comes_last() {
    let sandbox = sandbox();
    let steps = sandbox.steps(&command("out"), "out");
    let mut written: BTreeMap<&str, bool> = BTreeMap::new();
    // The folder in which something has a name that may not last.
    let mut unsynced: Option<&str> = None;
    let mut renamed = Vec::new();
    for (call, file) in &steps {
        let (folder, name) = file.rsplit_once('/').unwrap_or(("", file));
        match call.as_str() {
            "create" => {
                assert!(
                    unsynced.is_none() || !file.ends_with(".partial"),
                    "{file} begun before a name was durable"
                );
                written.insert(file, false);
            }
            "write" => drop(written.insert(file, false)),
            "sync" if unsynced == Some(file) => unsynced = None,
            "sync" => drop(written.insert(file, true)),
            "rename" => {
                let grown = format!("_strata/.{name}.partial");
                assert_eq!(written.get(grown.as_str()), Some(&true), "{file} was not synced");
                unsynced = Some(folder);
                renamed.push(file.as_str());
            }
            _ => {}
        }
    }
    assert_eq!(unsynced, None);
    assert_eq!(renamed.pop(), Some("_SUCCESS"));
    for (index, part) in
        renamed.iter().enumerate().filter_map(|(index, file)| Some((index, file.strip_prefix("data/")?)))
    {
        let record = format!("_strata/parts/{part}.json");
        assert_eq!(renamed.get(index + 1), Some(&record.as_str()), "{part} is entered at once");
    }
    // At the start and at the end, however many parts there are.
    assert_eq!(renamed.iter().filter(|file| **file == "_strata/manifest.json").count(), 2);
}
