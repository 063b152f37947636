//! Killed at random moments, a run leaves nothing broken and resumes to the same bytes.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::faulty::{assert_resumes, assert_sound, clean_run, command, sandbox, send, side_by_side, start};
use crate::support::Sandbox;

/// How often the run is killed; `make torture` asks for more.
fn kills() -> usize {
    std::env::var("STRATA_TEST_KILLS")
        .ok()
        .map_or(50, |text| text.parse().expect("STRATA_TEST_KILLS is a number"))
}

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
            send_if_alive(&mut run);
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

fn send_if_alive(run: &mut std::process::Child) {
    if run.try_wait().unwrap().is_none() {
        send(run, "KILL");
    }
}

/// From 0 to 1, different in every run.
fn random() -> f64 {
    RandomState::new().hash_one(0) as f64 / u64::MAX as f64
}
