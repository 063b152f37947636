//! What cannot be fetched or found, and what the user is told.

use super::{FETCH, assert_exit, lay_out, run};
use crate::support::hub::{Hub, MAIN};
use crate::support::{Sandbox, assert_refused};

#[test]
fn what_the_hub_refuses_is_told_with_a_way_out() {
    let hub = Hub::start();
    let sandbox = hub.sandbox();
    assert_refused!(sandbox, "fetch tiny/bart", @r"
    success: false
    exit_code: 66
    ----- stdout -----

    ----- stderr -----
    error: no model tiny/bart at [HUB]
    hint: look at the spelling; a private model is not there for whoever may not read it (HF_TOKEN)
    ");
    assert_refused!(sandbox, "fetch tiny/bert@v2", @r"
    success: false
    exit_code: 66
    ----- stdout -----

    ----- stderr -----
    error: tiny/bert at [HUB] has no revision `v2`
    ");
    hub.state().manners.status = Some((401, "RepoNotFound"));
    assert_refused!(sandbox, FETCH, @r"
    success: false
    exit_code: 78
    ----- stdout -----

    ----- stderr -----
    error: tiny/bert is not at [HUB], or not for everyone (401)
    hint: look at the spelling; if the model is private or gated, set HF_TOKEN to a token that may read it
    ");
    hub.state().manners.status = Some((403, "GatedRepo"));
    assert_refused!(sandbox, FETCH, @r"
    success: false
    exit_code: 78
    ----- stdout -----

    ----- stderr -----
    error: tiny/bert at [HUB] is gated (403)
    hint: accept its terms at http://[HUB]/tiny/bert, then set HF_TOKEN to a token of that account
    ");
    hub.state().manners.status = Some((503, ""));
    assert_refused!(sandbox, FETCH, @r"
    success: false
    exit_code: 75
    ----- stdout -----

    ----- stderr -----
    error: [HUB] answers 503 Service Unavailable
    hint: the same command goes on from here
    ");
    hub.state().manners.is_no_hub = true;
    assert_refused!(sandbox, FETCH, @r"
    success: false
    exit_code: 78
    ----- stdout -----

    ----- stderr -----
    error: [HUB] does not say which commit and which bytes a file is
    hint: this is not how a Hugging Face hub answers: look at HF_ENDPOINT and at the proxy
    ");
}

#[test]
fn a_token_that_the_hub_does_not_know() {
    let hub = Hub::start();
    let mut sandbox = hub.sandbox();
    hub.state().manners.token = Some("hf_secret");
    sandbox.set("HF_TOKEN", "hf_other");
    assert_refused!(sandbox, FETCH, @r"
    success: false
    exit_code: 78
    ----- stdout -----

    ----- stderr -----
    error: [HUB] does not let this token read tiny/bert (401)
    hint: set HF_TOKEN to a token that may read it
    ");
}

#[test]
fn a_hub_that_cannot_be_reached() {
    let mut sandbox = Sandbox::new();
    // A port that nobody listens at.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    sandbox.set("HF_ENDPOINT", format!("http://127.0.0.1:{port}/"));
    assert_refused!(sandbox, FETCH, @r"
    success: false
    exit_code: 75
    ----- stdout -----

    ----- stderr -----
    error: cannot reach [HUB]: io: Connection refused (os error 111)
    hint: look at the network and at HF_ENDPOINT; the same command goes on from here
    ");
    sandbox.set("HF_ENDPOINT", "huggingface.co");
    assert_refused!(sandbox, FETCH, @r"
    success: false
    exit_code: 78
    ----- stdout -----

    ----- stderr -----
    error: HF_ENDPOINT is `huggingface.co`, expected an address such as https://huggingface.co
    ");
}

#[test]
fn models_that_are_no_models_for_us() {
    let hub = Hub::start();
    let sandbox = hub.sandbox();
    let remove = |name: &str| drop(hub.state().commits.get_mut(MAIN).unwrap().remove(name));
    remove("model.safetensors");
    assert_refused!(sandbox, FETCH, @r#"
    success: false
    exit_code: 78
    ----- stdout -----

    ----- stderr -----
    error: tiny/bert at [HUB] has neither model.safetensors nor pytorch_model.bin
    hint: write the model into a folder with transformers: AutoTokenizer and AutoModel .from_pretrained("tiny/bert").save_pretrained(DIR)
    "#);
    remove("tokenizer.json");
    assert_refused!(sandbox, FETCH, @r#"
    success: false
    exit_code: 78
    ----- stdout -----

    ----- stderr -----
    error: tiny/bert at [HUB] has no tokenizer.json, nor a vocabulary
    hint: write the model into a folder with transformers: AutoTokenizer and AutoModel .from_pretrained("tiny/bert").save_pretrained(DIR)
    "#);
}

#[test]
fn an_adapter_is_no_model() {
    let hub = Hub::start();
    let sandbox = hub.sandbox();
    let adapter = br#"{"peft_type": "LORA", "base_model_name_or_path": "tiny/base"}"#.to_vec();
    {
        let mut state = hub.state();
        let files = state.commits.get_mut(MAIN).unwrap();
        files.clear();
        files.insert("adapter_config.json".to_owned(), adapter.clone());
    }
    assert_refused!(sandbox, FETCH, @r#"
    success: false
    exit_code: 78
    ----- stdout -----

    ----- stderr -----
    error: tiny/bert at [HUB] is an adapter, not a model
    hint: merge it into its model with peft: AutoPeftModelForFeatureExtraction.from_pretrained("tiny/bert").merge_and_unload().save_pretrained(DIR)
    "#);
    // As transformers leaves it in the cache.
    lay_out(&sandbox, "hf/hub", &[]);
    let snapshot = sandbox.path("hf/hub/models--tiny--bert/snapshots").join(MAIN);
    fs_err::write(snapshot.join("adapter_config.json"), adapter).unwrap();
    let said = assert_exit(&mut sandbox.strata(&run("tiny/bert", "out")), 78);
    assert!(said.contains("holds an adapter to the model `tiny/base`, not a model"), "{said}");
}

#[test]
fn a_name_that_cannot_be_an_id() {
    assert_refused!(Sandbox::new(), "fetch ./tiny-bert", @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: invalid value './tiny-bert' for '<ID>': `./tiny-bert` is not a model id; expected NAME or ORG/NAME, and @REVISION if not main

    For more information, try '--help'.
    ");
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
    assert_refused!(sandbox, &run("google-bert/bert-base-uncased@v1", "out"), @r"
    success: false
    exit_code: 78
    ----- stdout -----

    ----- stderr -----
    error: no model folder google-bert/bert-base-uncased@v1, and no model of that id in hf/hub
    hint: name a folder that holds config.json, tokenizer.json and model.safetensors, or fetch the model: strata fetch google-bert/bert-base-uncased@v1
    ");
    lay_out(&sandbox, "hf/hub", &["config.json"]);
    assert_refused!(sandbox, &run("tiny/bert", "out"), @r"
    success: false
    exit_code: 78
    ----- stdout -----

    ----- stderr -----
    error: hf/hub/models--tiny--bert/snapshots/0123456789abcdef0123456789abcdef01234567 holds no tokenizer.json, nor a vocabulary
    hint: fetch the rest of the model: strata fetch tiny/bert
    ");
}
