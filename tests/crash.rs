//! Killed at random moments, a run leaves nothing broken and resumes to the same bytes.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::faulty::{
    assert_resumes, assert_sound, clean_run, command, kill_if_alive, kills, random, sandbox, side_by_side,
    start,
};
use crate::support::Sandbox;

#[test]
fn a_run_killed_at_random_moments_resumes_to_the_same_bytes() {
    let sandbox = sandbox();
    let clean = clean_run(&sandbox);
    let whole = typical_time(&sandbox);
    let caught_at_work = AtomicUsize::new(0);
    let kills: Vec<usize> = (0..kills()).collect();
    side_by_side(&kills, |kill| {
        let output = format!("out-{kill}");
        // Once in four, the resuming run is killed as well.
        for _ in 0..if kill % 4 == 0 { 2 } else { 1 } {
            let delay = whole.mul_f64(0.2 + 0.9 * random());
            let mut run = start(&mut sandbox.strata(&command(&output)));
            std::thread::sleep(delay);
            kill_if_alive(&mut run);
            run.wait().unwrap();
            assert_sound(&sandbox.path(&output), &clean);
            let manifest = sandbox.path(&output).join("_strata/manifest.json");
            if manifest.exists() && !sandbox.path(&output).join("_SUCCESS").exists() {
                caught_at_work.fetch_add(1, Ordering::Relaxed);
            }
        }
        assert_resumes(&sandbox, &output, &clean);
        fs_err::remove_dir_all(sandbox.path(&output)).unwrap();
    });
    let caught = caught_at_work.into_inner();
    assert!(caught >= kills.len() / 20, "only {caught} of {} kills came while parts were made", kills.len());
}

/// How long two runs take side by side.
fn typical_time(sandbox: &Sandbox) -> Duration {
    let start = Instant::now();
    side_by_side(&["time-0", "time-1"], |output| drop(sandbox.succeed(&command(output))));
    start.elapsed()
}
