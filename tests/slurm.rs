//! The job array of `pipelines/slurm.sh`, as processes beside each other.

use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::time::Duration;

use crate::faulty::{assert_sound, clean_run, leftovers, sandbox, send, start, stderr, visible};
use crate::support::{Sandbox, repository};

/// So many tasks; the first has this number.
const TASKS: u32 = 4;
const FIRST: u32 = 1;

/// The task of an array, in the environment that SLURM gives it.
fn task(sandbox: &Sandbox, number: u32, output: &str) -> Command {
    let mut command = Command::new(repository().join("pipelines/slurm.sh"));
    let options = format!(
        "--input in --model tiny-bert --output {output} --layers 0,-1 --rows-per-part 4 --device flex"
    );
    command.args(options.split(' ')).current_dir(sandbox.path(""));
    command.env("STRATA", env!("CARGO_BIN_EXE_strata")).env("SLURM_CPUS_PER_TASK", "1");
    command.env("SLURM_ARRAY_TASK_ID", number.to_string()).env("SLURM_ARRAY_TASK_MIN", FIRST.to_string());
    command.env("SLURM_ARRAY_TASK_COUNT", TASKS.to_string());
    command
}

#[test]
fn an_array_gives_the_bytes_of_one_run_however_often_tasks_are_killed_and_queued_again() {
    let sandbox = sandbox();
    let clean = clean_run(&sandbox);
    let numbers: Vec<u32> = (FIRST..FIRST + TASKS).collect();
    let mut killed = 0;
    for round in 0..5_u64 {
        let output = format!("out-{round}");
        let begin = || numbers.iter().map(|&number| start(&mut task(&sandbox, number, &output)));
        let mut tasks: Vec<_> = begin().collect();
        std::thread::sleep(Duration::from_millis(10 + 15 * round));
        for (place, task) in tasks.iter_mut().enumerate() {
            // Two of them die with their node, one meets its time limit.
            let signal = match (place as u64 + round) % 4 {
                0 | 1 => "KILL",
                2 => "TERM",
                _ => continue,
            };
            if task.try_wait().unwrap().is_none() {
                send(task, signal);
            }
        }
        for task in tasks {
            let ended = task.wait_with_output().unwrap();
            let is_killed = ended.status.signal().is_some() || ended.status.code() == Some(143);
            assert!(is_killed || ended.status.success(), "{}", stderr(&ended));
            killed += u32::from(is_killed);
        }
        assert_sound(&sandbox.path(&output), &clean);
        let tasks: Vec<_> = begin().collect();
        for task in tasks {
            let ended = task.wait_with_output().unwrap();
            assert!(ended.status.success(), "{}", stderr(&ended));
        }
        assert_eq!(visible(&sandbox.path(&output)), clean);
        assert!(leftovers(&sandbox.path(&output)).is_empty());
    }
    assert!(killed > 0, "every task was done before it could be killed");
}
