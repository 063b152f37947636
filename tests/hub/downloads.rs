//! Bytes that do not come at once, or are not those promised.

use super::{FETCH, MODEL, assert_exit, assert_fetched, incomplete, run, weights, weights_size};
use crate::faulty::{send, start, stderr, wait_until};
use crate::support::hub::{Hub, etag};
use crate::support::{assert_strata, fixture};

#[test]
fn a_download_that_is_cut_goes_on_where_it_ended() {
    let hub = Hub::start();
    let sandbox = hub.sandbox();
    hub.state().manners.cut = Some(30_000);
    sandbox.succeed(FETCH);
    assert_fetched(&sandbox);
    let expected = [(None, 30_000), (Some("bytes=30000-".to_owned()), weights_size() - 30_000)];
    assert_eq!(hub.downloads(), expected);
}

#[test]
fn an_interrupted_fetch_goes_on_where_it_ended() {
    let hub = Hub::start();
    let sandbox = hub.sandbox();
    for (signal, code, bytes) in [("TERM", 143, 20_000), ("INT", 130, 10_000)] {
        let before = fs_err::metadata(incomplete(&sandbox)).map_or(0, |found| found.len());
        hub.state().manners.hang = Some(bytes);
        let fetch = start(&mut sandbox.strata(FETCH));
        let after = before + bytes as u64;
        wait_until(|| fs_err::metadata(incomplete(&sandbox)).is_ok_and(|found| found.len() == after));
        send(&fetch, signal);
        let ended = fetch.wait_with_output().unwrap();
        assert_eq!(ended.status.code(), Some(code), "{}", stderr(&ended));
        // Not yet a model.
        assert_exit(&mut sandbox.strata(&run("tiny/bert", "out")), 78);
    }
    sandbox.succeed(FETCH);
    assert_fetched(&sandbox);
    let range = |start: usize| Some(format!("bytes={start}-"));
    let expected = [(None, 20_000), (range(20_000), 10_000), (range(30_000), weights_size() - 30_000)];
    assert_eq!(hub.downloads(), expected);
}

#[test]
fn a_server_that_ignores_ranges_begins_again() {
    let hub = Hub::start();
    let sandbox = hub.sandbox();
    hub.state().manners.ignores_ranges = true;
    hub.state().manners.cut = Some(30_000);
    sandbox.succeed(FETCH);
    assert_fetched(&sandbox);
}

#[test]
fn a_server_that_falls_silent_is_given_up_on() {
    let hub = Hub::start();
    let mut sandbox = hub.sandbox();
    sandbox.set("HF_HUB_DOWNLOAD_TIMEOUT", "1");
    hub.state().manners.hang = Some(30_000);
    sandbox.succeed(FETCH);
    assert_fetched(&sandbox);
}

#[test]
fn a_link_that_has_expired_is_worth_another_try() {
    let hub = Hub::start();
    let sandbox = hub.sandbox();
    hub.state().manners.links_expire = true;
    let said = assert_exit(&mut sandbox.strata(FETCH), 75);
    assert!(said.contains("answers 403"), "{said}");
    hub.state().manners.links_expire = false;
    sandbox.succeed(FETCH);
    assert_fetched(&sandbox);
}

#[test]
fn damaged_bytes_are_refused_and_not_kept() {
    let hub = Hub::start();
    let sandbox = hub.sandbox();
    hub.state().manners.damage = true;
    assert_strata!(sandbox, FETCH, @r"
    success: false
    exit_code: 65
    ----- stdout -----

    ----- stderr -----
    error: the bytes of model.safetensors are not those that [HUB] has promised ([HASH])
    hint: nothing of them was kept; the same command fetches them again
    ");
    assert!(!weights(&sandbox).exists() && !incomplete(&sandbox).exists());
    hub.state().manners.damage = false;
    sandbox.succeed(FETCH);
    assert_fetched(&sandbox);

    // What an earlier attempt left may be damaged as well; and small files have sums, too.
    fs_err::remove_file(weights(&sandbox)).unwrap();
    fs_err::write(incomplete(&sandbox), [7; 5000]).unwrap();
    assert_exit(&mut sandbox.strata(FETCH), 65);
    sandbox.succeed(FETCH);
    let tokenizer = fs_err::read(fixture("tiny-bert").join("tokenizer.json")).unwrap();
    let tokenizer = sandbox.path(MODEL).join("blobs").join(etag("tokenizer.json", &tokenizer));
    fs_err::remove_file(&tokenizer).unwrap();
    fs_err::write(tokenizer.with_extension("incomplete"), [7; 1000]).unwrap();
    assert_exit(&mut sandbox.strata(FETCH), 65);
    sandbox.succeed(FETCH);
    assert_fetched(&sandbox);
}

#[test]
fn two_fetches_side_by_side_download_once() {
    let hub = Hub::start();
    let sandbox = hub.sandbox();
    let fetches = [(); 3].map(|()| start(&mut sandbox.strata(FETCH)));
    for fetch in fetches {
        let ended = fetch.wait_with_output().unwrap();
        assert!(ended.status.success(), "{}", stderr(&ended));
    }
    assert_fetched(&sandbox);
    assert_eq!(hub.downloads(), [(None, weights_size())]);
}
