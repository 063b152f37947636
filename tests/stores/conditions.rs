//! Stores that refuse writes which an output cannot do without: what they said is told, and nothing counts as done
//! that is not.

use std::time::{Duration, Instant};

use super::proxy::{Fate, Proxy};
use super::server::{Bucket, at_port, port};
use crate::faulty::{self, stderr};
use crate::support::Sandbox;

/// What becomes of a run that writes to a bucket: its exit code and what it says.
fn run(bucket: &Bucket, options: &str) -> (Option<i32>, String) {
    let sandbox = at_port(faulty::sandbox(), port());
    let command = format!("{} {options}", faulty::command(&bucket.address("out")));
    let run = sandbox.strata(&command).output().unwrap();
    (run.status.code(), stderr(&run))
}

#[test]
fn a_store_without_conditional_writes_is_named_at_once() {
    let bucket = Bucket::that_is("unconditional");
    let since = Instant::now();
    let (code, message) = run(&bucket, "");
    assert_eq!(code, Some(2), "{message}");
    for words in ["If-None-Match", "this one does not know them", "NotImplemented", "hint: name an address"] {
        assert!(message.contains(words), "no `{words}` in\n{message}");
    }
    assert!(since.elapsed() < Duration::from_secs(30), "{:?}", since.elapsed());
    assert!(bucket.keys("").is_empty());
}

#[test]
fn a_store_that_refuses_every_version_is_not_asked_for_ever() {
    let (code, message) = run(&Bucket::that_is("stubborn"), "");
    assert_eq!(code, Some(2), "{message}");
    assert!(message.contains("this one refused 8 in a row"), "{message}");
}

#[test]
fn what_a_busy_store_said_last_is_told() {
    let (code, message) = run(&Bucket::that_is("busy"), "--storage-option retry_timeout=2");
    assert_eq!(code, Some(74), "{message}");
    assert!(message.contains("503") && message.contains("SlowDown"), "{message}");
    // Of a read as well.
    let proxy = Proxy::start(port(), |_| Fate::Busy(503));
    let sandbox = at_port(Sandbox::new(), proxy.port);
    let command =
        "run --input s3://bucket/a.parquet --output out --model tiny-bert --storage-option retry_timeout=1";
    let run = sandbox.strata(command).output().unwrap();
    assert_eq!(run.status.code(), Some(74), "{}", stderr(&run));
    assert!(stderr(&run).contains("503"), "{}", stderr(&run));
}

#[test]
fn a_write_counts_as_done_only_if_the_store_took_it() {
    let bucket = Bucket::that_is("conflicting");
    let (code, message) = run(&bucket, "");
    assert_eq!(code, Some(0), "{message}");
    assert!(bucket.get("out/_SUCCESS").is_some());
    let bucket = Bucket::that_is("opposed");
    let (code, message) = run(&bucket, "");
    assert!(code != Some(0) && message.contains("412") && message.contains("_SUCCESS"), "{code:?} {message}");
    assert!(bucket.get("out/_SUCCESS").is_none());
}
