//! What cannot be fetched or found, and what the user is told.

use super::{FETCH, assert_exit, lay_out, run};
use crate::support::hub::{Hub, MAIN};
use crate::support::{Sandbox, assert_refused};

#[test]
fn what_the_hub_refuses_is_told_with_a_way_out() {
    let hub = Hub::start();
    let sandbox = hub.sandbox();
    assert_refused!(sandbox, "fetch tiny/bart", @r"");
    assert_refused!(sandbox, "fetch tiny/bert@v2", @r"");
    hub.state().manners.status = Some((401, "RepoNotFound"));
    assert_refused!(sandbox, FETCH, @r"");
    hub.state().manners.status = Some((403, "GatedRepo"));
    assert_refused!(sandbox, FETCH, @r"");
    hub.state().manners.status = Some((503, ""));
    assert_refused!(sandbox, FETCH, @r"");
    hub.state().manners.is_no_hub = true;
    assert_refused!(sandbox, FETCH, @r"");
}

#[test]
fn a_token_that_the_hub_does_not_know() {
    let hub = Hub::start();
    let mut sandbox = hub.sandbox();
    hub.state().manners.token = Some("hf_secret");
    sandbox.set("HF_TOKEN", "hf_other");
    assert_refused!(sandbox, FETCH, @r"");
}

#[test]
fn a_hub_that_cannot_be_reached() {
    let mut sandbox = Sandbox::new();
    // A port that nobody listens at.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    sandbox.set("HF_ENDPOINT", format!("http://127.0.0.1:{port}/"));
    assert_refused!(sandbox, FETCH, @r"");
    sandbox.set("HF_ENDPOINT", "huggingface.co");
    assert_refused!(sandbox, FETCH, @r"");
}

#[test]
fn models_that_are_no_models_for_us() {
    let hub = Hub::start();
    let sandbox = hub.sandbox();
    let remove = |name: &str| drop(hub.state().commits.get_mut(MAIN).unwrap().remove(name));
    remove("model.safetensors");
    assert_refused!(sandbox, FETCH, @r"");
    remove("tokenizer.json");
    assert_refused!(sandbox, FETCH, @r"");
}

#[test]
fn a_name_that_cannot_be_an_id() {
    assert_refused!(Sandbox::new(), "fetch ./tiny-bert", @r"");
}

#[test]
fn a_cache_that_cannot_be_written_is_a_failure_of_the_disk() {
    let hub = Hub::start();
    let mut sandbox = hub.sandbox();
    sandbox.set("HF_HUB_CACHE", "in.parquet/hub");
    assert_exit(&mut sandbox.strata(FETCH), 74);
}

#[test]
fn a_model_that_is_not_in_the_cache_is_told_how_to_fetch() {
    let sandbox = Sandbox::with_texts(["the cat"]);
    assert_refused!(sandbox, &run("google-bert/bert-base-uncased@v1", "out"), @r"");
    lay_out(&sandbox, "hf/hub", &["config.json"]);
    assert_refused!(sandbox, &run("tiny/bert", "out"), @r"");
}
