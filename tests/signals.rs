//! Signals, locks, and what two processes at one output see of each other.

use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

use crate::faulty::{
    Fault, assert_resumes, assert_sound, clean_run, command, leftovers, sandbox, send, side_by_side, start,
    stderr, wait_until,
};

/// The step at which the second part is begun.
fn second_part(sandbox: &crate::support::Sandbox) -> usize {
    let steps = sandbox.steps(&command("steps"), "steps");
    let is_second =
        |(call, file): &(String, String)| call == "create" && file == "_strata/.a-00001.parquet.partial";
    steps.iter().position(is_second).expect("the second part is made") + 1
}

#[test]
fn sigterm_at_any_step_ends_in_order_with_a_report_and_without_leftovers() {
    let sandbox = sandbox();
    let clean = clean_run(&sandbox);
    let steps: Vec<usize> = (1..=sandbox.steps(&command("steps"), "steps").len()).step_by(3).collect();
    side_by_side(&steps, |&step| {
        let output = format!("out-{step}");
        let arguments = format!("{} --report {step}.json", command(&output));
        let ended = sandbox.faulty(&arguments, &output, step, Fault::Term).output().unwrap();
        // Too late to stop, a run is whole.
        let code = ended.status.code();
        let expected = if sandbox.path(&output).join("_SUCCESS").exists() { 0 } else { 143 };
        assert_eq!(code, Some(expected), "step {step}: {}", stderr(&ended));
        let report = sandbox.report(&format!("{step}.json"));
        assert_eq!(report["exit_code"], expected);
        assert_eq!(report["outcome"].as_str().unwrap().contains("interrupted by SIGTERM"), expected == 143);
        assert!(leftovers(&sandbox.path(&output)).is_empty(), "step {step}");
        assert_sound(&sandbox.path(&output), &clean);
        assert_resumes(&sandbox, &output, &clean);
    });
}

#[test]
fn a_signal_at_any_time_of_a_run_is_an_orderly_end() {
    let sandbox = sandbox();
    let clean = clean_run(&sandbox);
    let start_time = Instant::now();
    sandbox.succeed(&command("time"));
    let whole = start_time.elapsed();
    let tenths: Vec<u32> = (1..=10).collect();
    side_by_side(&tenths, |&tenth| {
        let (output, signal) = (format!("out-{tenth}"), if tenth % 2 == 0 { "INT" } else { "TERM" });
        let mut run = start(&mut sandbox.strata(&format!("{} --report {tenth}.json", command(&output))));
        std::thread::sleep(whole * tenth / 10);
        if run.try_wait().unwrap().is_none() {
            send(&run, signal);
        }
        let ended = run.wait_with_output().unwrap();
        let code = if signal == "INT" { 130 } else { 143 };
        match ended.status.code() {
            Some(0) => {}
            Some(found) => {
                assert_eq!(found, code, "{}", stderr(&ended));
                assert_eq!(sandbox.report(&format!("{tenth}.json"))["exit_code"], code);
            }
            // Before the program had begun to listen.
            None => assert_eq!(ended.status.signal(), Some(code - 128)),
        }
        assert_sound(&sandbox.path(&output), &clean);
        assert_resumes(&sandbox, &output, &clean);
    });
}

#[test]
fn a_second_signal_ends_a_run_that_hangs_at_once() {
    let sandbox = sandbox();
    let clean = clean_run(&sandbox);
    sandbox.write("gate", "");
    let mut run = start(&mut sandbox.faulty(&command("out"), "out", second_part(&sandbox), Fault::Wait));
    wait_until(|| sandbox.path("out/data/a-00000.parquet").exists());
    send(&run, "TERM");
    std::thread::sleep(Duration::from_millis(300));
    assert!(run.try_wait().unwrap().is_none(), "the first signal waits for the step that hangs");
    send(&run, "TERM");
    assert_eq!(run.wait().unwrap().code(), Some(143));
    assert_sound(&sandbox.path("out"), &clean);
    assert_resumes(&sandbox, "out", &clean);
}

#[test]
fn a_second_run_is_refused_at_once_naming_the_first_and_disturbs_nothing() {
    let sandbox = sandbox();
    let clean = clean_run(&sandbox);
    sandbox.write("gate", "");
    let run = start(&mut sandbox.faulty(&command("out"), "out", second_part(&sandbox), Fault::Wait));
    wait_until(|| sandbox.path("out/data/a-00000.parquet").exists());
    for arguments in [command("out"), format!("{} --shard 0/2", command("out")), "verify out".to_owned()] {
        let refused = sandbox.strata(&arguments).output().unwrap();
        let said = stderr(&refused);
        assert_eq!(refused.status.code(), Some(75), "{said}");
        assert!(said.contains(&format!("by process {} since 20", run.id())), "{said}");
    }
    fs_err::remove_file(sandbox.path("gate")).unwrap();
    let ended = run.wait_with_output().unwrap();
    assert!(ended.status.success(), "{}", stderr(&ended));
    assert_eq!(crate::faulty::visible(&sandbox.path("out")), clean);
}

#[test]
fn shards_side_by_side_give_the_bytes_of_one_run_and_the_last_one_marks_it() {
    let sandbox = sandbox();
    let clean = clean_run(&sandbox);
    let shards = ["0/3", "1/3", "2/3"];
    let runs = shards.map(|shard| start(&mut sandbox.strata(&format!("{} --shard {shard}", command("out")))));
    for run in runs {
        let ended = run.wait_with_output().unwrap();
        assert!(ended.status.success(), "{}", stderr(&ended));
    }
    assert_eq!(crate::faulty::visible(&sandbox.path("out")), clean);
}

#[test]
fn a_shard_killed_beside_a_living_one_harms_neither() {
    let sandbox = sandbox();
    let clean = clean_run(&sandbox);
    let shard = |number: usize| format!("{} --shard {number}/2", command("out"));
    sandbox.write("gate", "");
    let step = second_part(&sandbox);
    let living = start(&mut sandbox.faulty(&shard(0), "out", step, Fault::Wait));
    wait_until(|| sandbox.path("out/_strata/manifest.json").exists());
    drop(sandbox.faulty(&shard(1), "out", step + 4, Fault::Kill).output().unwrap());
    sandbox.succeed(&shard(1));
    assert!(!sandbox.path("out/_SUCCESS").exists());
    fs_err::remove_file(sandbox.path("gate")).unwrap();
    let ended = living.wait_with_output().unwrap();
    assert!(ended.status.success(), "{}", stderr(&ended));
    assert_eq!(crate::faulty::visible(&sandbox.path("out")), clean);
}

#[test]
fn a_shard_whose_output_another_has_started_over_is_refused() {
    let sandbox = sandbox();
    let shard = |number: usize, options: &str| format!("{} --shard {number}/2 {options}", command("out"));
    sandbox.write("gate", "");
    let step = second_part(&sandbox);
    let first = start(&mut sandbox.faulty(&shard(0, ""), "out", step, Fault::Wait));
    wait_until(|| sandbox.path("out/data/a-00000.parquet").exists());
    sandbox.succeed(&shard(1, "--pooling cls --overwrite"));
    fs_err::remove_file(sandbox.path("gate")).unwrap();
    let ended = first.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(78), "{}", stderr(&ended));
    assert!(stderr(&ended).contains("another run has changed out meanwhile"), "{}", stderr(&ended));
    sandbox.succeed(&shard(0, "--pooling cls"));
    sandbox.succeed(&format!("{} --pooling cls", command("whole")));
    assert_eq!(crate::faulty::visible(&sandbox.path("out")), crate::faulty::visible(&sandbox.path("whole")));
}
