//! A bad way to the store, and a program that is killed on it.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::proxy::{Proxy, Side};
use super::server::{Bucket, at_port, port};
use crate::faulty::{self, kill_if_alive, kills, random, side_by_side, start, stderr};
use crate::support::Sandbox;

/// As a folder has them.
fn assert_same(bucket: &Bucket, clean: &Sandbox) {
    assert_eq!(bucket.parts("out"), clean.parts("clean"));
    assert!(bucket.get("out/_SUCCESS").is_some());
    assert_eq!(bucket.unfinished_uploads(), 0);
    assert!(bucket.keys("out/_strata/parts/").is_empty());
}

#[test]
fn a_bad_connection_costs_time_and_nothing_else() {
    let clean = faulty::sandbox();
    clean.succeed(&faulty::command("clean"));
    let seeds: Vec<u64> = (1..=8).collect();
    side_by_side(&seeds, |&seed| {
        let (proxy, bucket) = (Proxy::rough(port(), seed), Bucket::new());
        let sandbox = at_port(faulty::sandbox(), proxy.port);
        bucket.put_folder("in", &sandbox.path("in"));
        let run = sandbox.strata(&faulty::command(&bucket.address("out"))).output().unwrap();
        assert!(run.status.success(), "seed {seed}: {}", stderr(&run));
        assert_same(&bucket, &clean);
        // Reading over it as well.
        let (from, to) = (bucket.address("in"), "--output here --model tiny-bert --layers 0,-1");
        let run = sandbox.strata(&format!("run --input {from} {to}")).output().unwrap();
        assert!(run.status.success(), "seed {seed}: {}", stderr(&run));
    });
}

/// A run must give the same if any one connection is cut, wherever the run then is.
fn assert_no_cut_matters(what: Side) {
    const CUTS: usize = 24;
    let clean = faulty::sandbox();
    clean.succeed(&faulty::command("clean"));
    let run = |after: usize| {
        let bucket = Bucket::new();
        let (proxy, passed) = Proxy::cut_once(port(), what, after);
        let sandbox = at_port(faulty::sandbox(), proxy.port);
        let run = sandbox.strata(&faulty::command(&bucket.address("out"))).output().unwrap();
        assert!(run.status.success(), "{what:?} cut after {after} bytes: {}", stderr(&run));
        assert_same(&bucket, &clean);
        passed.load(Ordering::Relaxed)
    };
    let all = run(usize::MAX);
    let places: Vec<usize> = (0..CUTS).map(|cut| all * cut / CUTS + cut).collect();
    side_by_side(&places, |&after| {
        run(after);
    });
}

#[test]
fn a_request_that_is_cut_off_anywhere_is_made_again() {
    assert_no_cut_matters(Side::Requests);
}

#[test]
fn an_answer_that_is_cut_off_anywhere_is_asked_for_again() {
    assert_no_cut_matters(Side::Answers);
}

#[test]
fn a_run_killed_at_random_moments_on_a_bad_connection_resumes_to_the_same_parts() {
    let clean = faulty::sandbox();
    clean.succeed(&faulty::command("clean"));
    let kills: Vec<u64> = (0..kills() as u64).collect();
    side_by_side(&kills, |&kill| {
        let (proxy, bucket) = (Proxy::rough(port(), kill + 100), Bucket::new());
        let sandbox = at_port(faulty::sandbox(), proxy.port);
        let command = faulty::command(&bucket.address("out"));
        let mut run = start(&mut sandbox.strata(&command));
        std::thread::sleep(Duration::from_secs_f64(0.2 + 1.6 * random()));
        kill_if_alive(&mut run);
        run.wait().unwrap();
        if bucket.get("out/_SUCCESS").is_some() {
            assert_eq!(bucket.parts("out"), clean.parts("clean"), "kill {kill}");
        }
        let run = sandbox.strata(&command).output().unwrap();
        assert!(run.status.success(), "kill {kill}: {}", stderr(&run));
        assert_same(&bucket, &clean);
        if kill % 5 != 0 {
            return;
        }
        let verified = sandbox.strata(&format!("verify {}", bucket.address("out"))).output().unwrap();
        assert!(verified.status.success(), "kill {kill}: {}", stderr(&verified));
    });
}
