//! Which models are fetched and found, and where.

use std::path::Path;

use super::{FETCH, MODEL, assert_exit, assert_fetched, lay_out, run, weights};
use crate::support::hub::{Files, Hub, MAIN, OLD};
use crate::support::{Sandbox, assert_refused, assert_strata, fixture};

#[test]
fn a_model_is_fetched_and_run_by_its_id() {
    let hub = Hub::start();
    let sandbox = hub.sandbox();
    assert_strata!(sandbox, FETCH, @r"
    success: true
    exit_code: 0
    ----- stdout -----
    hf/hub/models--tiny--bert/snapshots/0123456789abcdef0123456789abcdef01234567

    ----- stderr -----
    tiny/bert: 3 files, [SIZE]
    ");
    assert_fetched(&sandbox);
    // As huggingface_hub lays it out: relative links, and a ref that holds the commit alone.
    let file = sandbox.path(MODEL).join("snapshots").join(MAIN).join("model.safetensors");
    let name = weights(&sandbox).file_name().unwrap().to_owned();
    assert_eq!(fs_err::read_link(file).unwrap(), Path::new("../../blobs").join(name));
    assert_eq!(fs_err::read_to_string(sandbox.path(MODEL).join("refs/main")).unwrap(), MAIN);

    hub.requests();
    sandbox.succeed(&run("tiny/bert", "by-id"));
    sandbox.succeed(&run("tiny-bert", "by-folder"));
    assert_eq!(sandbox.parts("by-id"), sandbox.parts("by-folder"), "an id leaves no trace in a part");
    // What is remembered is the very model, wherever the branch moves to.
    fs_err::write(sandbox.path(MODEL).join("refs/main"), OLD).unwrap();
    let verified = sandbox.succeed("verify by-id");
    assert!(String::from_utf8_lossy(&verified.stdout).contains("2 rows encoded again"), "{verified:?}");
    assert_eq!(hub.requests().len(), 0, "only `fetch` asks the hub");
}

#[test]
fn a_second_fetch_downloads_nothing() {
    let hub = Hub::start();
    let sandbox = hub.sandbox();
    sandbox.succeed(FETCH);
    hub.requests();
    let before = sandbox.tree();
    assert_strata!(sandbox, FETCH, @r"
    success: true
    exit_code: 0
    ----- stdout -----
    hf/hub/models--tiny--bert/snapshots/0123456789abcdef0123456789abcdef01234567

    ----- stderr -----
    tiny/bert is there already
    ");
    assert!(hub.requests().iter().all(|request| request.method == "HEAD"));
    assert_eq!(sandbox.tree(), before);
}

#[test]
fn the_token_is_for_the_hub_alone() {
    let hub = Hub::start();
    hub.state().manners.token = Some("hf_secret");
    for (variable, value) in [("HF_TOKEN", "hf_secret"), ("HF_TOKEN_PATH", "my-token"), ("HF_HOME", "home")] {
        let mut sandbox = hub.sandbox();
        sandbox.set(variable, value);
        sandbox.write("my-token", "hf_secret\n");
        fs_err::create_dir(sandbox.path("home")).unwrap();
        sandbox.write("home/token", "hf_secret\n");
        sandbox.succeed(FETCH);
        let requests = hub.requests();
        assert!(requests.iter().any(|request| request.is_elsewhere));
        for request in requests {
            assert_eq!(request.authorization.is_none(), request.is_elsewhere, "{request:?}");
        }
    }
}

#[test]
fn a_revision_is_a_branch_a_tag_or_a_commit() {
    let hub = Hub::start();
    let sandbox = hub.sandbox();
    for (revision, commit) in [("v1", OLD), ("refs/pr/1", OLD), (MAIN, MAIN)] {
        let fetched = sandbox.succeed(&format!("fetch tiny/bert@{revision}"));
        let folder = String::from_utf8(fetched.stdout).unwrap();
        assert_eq!(folder, format!("{MODEL}/snapshots/{commit}\n"));
        let output = revision.replace('/', "-");
        sandbox.succeed(&run(&format!("tiny/bert@{revision}"), &output));
    }
    assert_eq!(fs_err::read_to_string(sandbox.path(MODEL).join("refs/refs/pr/1")).unwrap(), OLD);
    // The weights are the same bytes in both commits.
    assert_eq!(hub.downloads().len(), 1);
    assert_ne!(sandbox.parts("v1"), sandbox.parts(MAIN), "config.json differs, and parts name its sum");
    // `main` has never been asked for.
    assert_exit(&mut sandbox.strata(&run("tiny/bert", "out")), 78);
}

#[test]
fn weights_in_several_files_come_with_their_index() {
    let hub = Hub::start();
    let sandbox = hub.sandbox();
    let shard = "model-00001-of-00001.safetensors";
    {
        let mut state = hub.state();
        let files = state.commits.get_mut(MAIN).unwrap();
        let bytes = files.remove("model.safetensors").unwrap();
        files.insert(shard.to_owned(), bytes);
        let index = format!(r#"{{"weight_map": {{"a": "{shard}", "b": "{shard}"}}}}"#);
        files.insert("model.safetensors.index.json".to_owned(), index.into_bytes());
    }
    sandbox.succeed(FETCH);
    sandbox.succeed(&run("tiny/bert", "out"));
    sandbox.succeed(&run("tiny-bert", "expected"));
    let values = |output: &str| crate::support::read_output(&sandbox.path(output));
    assert_eq!(values("out"), values("expected"));
    // A shard that has gone is a file that is missing.
    fs_err::remove_file(sandbox.path(MODEL).join("snapshots").join(MAIN).join(shard)).unwrap();
    assert_exit(&mut sandbox.strata(&run("tiny/bert", "out-2")), 78);
    sandbox.succeed(FETCH);
    sandbox.succeed(&run("tiny/bert", "out-2"));
    assert_eq!(hub.downloads().len(), 1);

    let index = br#"{"weight_map": {"a": "../../../evil"}}"#.to_vec();
    hub.state().commits.get_mut(MAIN).unwrap().insert("model.safetensors.index.json".to_owned(), index);
    let said = assert_exit(&mut hub.sandbox().strata(FETCH), 78);
    assert!(said.contains("`../../../evil` is not the name of a file"), "{said}");
}

#[test]
fn older_weights_come_where_there_are_no_others() {
    let hub = Hub::start();
    let fetch = |change: &dyn Fn(&mut Files)| {
        change(hub.state().commits.get_mut(MAIN).unwrap());
        let sandbox = hub.sandbox();
        sandbox.succeed(FETCH);
        let folder = sandbox.path(MODEL).join("snapshots").join(MAIN);
        let entries = fs_err::read_dir(folder).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.retain(|name| !["config.json", "tokenizer.json"].contains(&name.as_str()));
        names.sort();
        names
    };
    let names = fetch(&|files| drop(files.insert("pytorch_model.bin".to_owned(), b"pickled".to_vec())));
    assert_eq!(names, ["model.safetensors"]);
    let names = fetch(&|files| drop(files.remove("model.safetensors")));
    assert_eq!(names, ["pytorch_model.bin"]);
    let names = fetch(&|files| {
        let bytes = files.remove("pytorch_model.bin").unwrap();
        files.insert("pytorch_model-1.bin".to_owned(), bytes);
        let index = br#"{"weight_map": {"a": "pytorch_model-1.bin"}}"#.to_vec();
        files.insert("pytorch_model.bin.index.json".to_owned(), index);
    });
    assert_eq!(names, ["pytorch_model-1.bin", "pytorch_model.bin.index.json"]);
}

/// The files of the snapshot of `main`, by their paths in it.
fn snapshot(sandbox: &Sandbox) -> Vec<String> {
    let folder = sandbox.path(MODEL).join("snapshots").join(MAIN);
    let mut files: Vec<String> = Vec::new();
    for entry in fs_err::read_dir(&folder).unwrap() {
        let (path, name) =
            (entry.as_ref().unwrap().path(), entry.unwrap().file_name().into_string().unwrap());
        if path.is_dir() {
            let inside = fs_err::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name());
            files.extend(inside.map(|inside| format!("{name}/{}", inside.into_string().unwrap())));
        } else {
            files.push(name);
        }
    }
    files.sort();
    for file in &files {
        let content = fs_err::read(folder.join(file)).unwrap();
        assert!(!content.is_empty(), "{file} is linked to its bytes");
    }
    files
}

#[test]
fn whatever_decides_about_tokens_and_sentences_comes_along() {
    let hub = Hub::start();
    let beside = [
        "added_tokens.json",
        "config_sentence_transformers.json",
        "merges.txt",
        "modules.json",
        "sentence_bert_config.json",
        "sentencepiece.bpe.model",
        "special_tokens_map.json",
        "spiece.model",
        "tokenizer_config.json",
        "vocab.json",
        "vocab.txt",
        "1_Pooling/config.json",
        "2_Dense/config.json",
        "2_Dense/model.safetensors",
        "3_Dense/config.json",
        "3_Dense/pytorch_model.bin",
    ];
    {
        let mut state = hub.state();
        let files = state.commits.get_mut(MAIN).unwrap();
        for name in beside {
            files.insert(name.to_owned(), name.as_bytes().to_vec());
        }
        for name in
            ["README.md", "pytorch_model.bin", "tf_model.h5", "2_Dense/pytorch_model.bin", "1_Pooling/other"]
        {
            files.insert(name.to_owned(), b"not needed".to_vec());
        }
        let module = |path: &str, kind: &str| serde_json::json!({"idx": 0, "name": "0", "path": path, "type": format!("sentence_transformers.models.{kind}")});
        let modules = [
            module("", "Transformer"),
            module("1_Pooling", "Pooling"),
            module("2_Dense", "Dense"),
            module("3_Dense", "Dense"),
            module("4_Normalize", "Normalize"),
        ];
        files.insert("modules.json".to_owned(), serde_json::to_vec(&modules).unwrap());
    }
    let sandbox = hub.sandbox();
    sandbox.succeed(FETCH);
    let mut expected: Vec<&str> = beside.to_vec();
    expected.extend(["config.json", "model.safetensors", "tokenizer.json"]);
    expected.sort_unstable();
    assert_eq!(snapshot(&sandbox), expected);
    let pooling = sandbox.path(MODEL).join("snapshots").join(MAIN).join("1_Pooling/config.json");
    assert!(fs_err::read_link(&pooling).unwrap().starts_with("../../../blobs"));

    // What the model has not is asked for once: huggingface_hub notes it in the same place.
    assert!(sandbox.path(MODEL).join(".no_exist").join(MAIN).join("spm.model").is_file());
    hub.requests();
    sandbox.succeed(FETCH);
    assert_eq!(hub.requests().len(), 2, "config.json, by way of a redirect");
}

#[test]
fn what_an_earlier_fetch_did_not_bring_is_brought() {
    let hub = Hub::start();
    let sandbox = hub.sandbox();
    lay_out(&sandbox, "hf/hub", &["config.json", "tokenizer.json", "model.safetensors"]);
    let file = b"{}".to_vec();
    hub.state().commits.get_mut(MAIN).unwrap().insert("tokenizer_config.json".to_owned(), file);
    sandbox.succeed(FETCH);
    let expected = ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"];
    assert_eq!(snapshot(&sandbox), expected);
    assert_eq!(hub.downloads(), [], "the weights are there");
}

#[test]
fn a_vocabulary_is_a_tokenizer() {
    let hub = Hub::start();
    let replace = |names: &[&str]| {
        let mut state = hub.state();
        let files = state.commits.get_mut(MAIN).unwrap();
        files.retain(|name, _| ["config.json", "model.safetensors"].contains(&name.as_str()));
        names.iter().for_each(|name| drop(files.insert((*name).to_owned(), b"[PAD]\n".to_vec())));
    };
    for names in
        [&["vocab.txt"][..], &["merges.txt", "vocab.json"], &["sentencepiece.bpe.model"], &["spiece.model"]]
    {
        replace(names);
        let sandbox = hub.sandbox();
        sandbox.succeed(FETCH);
        let mut expected = [names, &["config.json", "model.safetensors"]].concat();
        expected.sort_unstable();
        assert_eq!(snapshot(&sandbox), expected);
        sandbox.succeed(FETCH);
    }
    replace(&["merges.txt"]);
    let said = assert_exit(&mut hub.sandbox().strata(FETCH), 78);
    assert!(said.contains("has no tokenizer.json, nor a vocabulary"), "{said}");
}

#[test]
fn modules_elsewhere_are_not_fetched() {
    let hub = Hub::start();
    for path in ["../evil", "/etc", "a/../b", ".hidden", "a//b"] {
        let modules = serde_json::json!([{"path": path, "type": "Dense"}]).to_string().into_bytes();
        hub.state().commits.get_mut(MAIN).unwrap().insert("modules.json".to_owned(), modules);
        let said = assert_exit(&mut hub.sandbox().strata(FETCH), 78);
        assert!(said.contains("is not the name of a folder beside it"), "{said}");
    }
}

#[test]
fn a_variable_that_forbids_the_network_is_obeyed() {
    let hub = Hub::start();
    let mut sandbox = hub.sandbox();
    sandbox.succeed(FETCH);
    hub.requests();
    sandbox.set("HF_HUB_OFFLINE", "1");
    assert_refused!(sandbox, FETCH, @r"
    success: false
    exit_code: 78
    ----- stdout -----

    ----- stderr -----
    error: HF_HUB_OFFLINE is set: nothing may be fetched
    hint: unset HF_HUB_OFFLINE for this command
    ");
    sandbox.succeed(&run("tiny/bert", "out"));
    assert_eq!(hub.requests().len(), 0);
}

#[test]
fn a_model_that_transformers_has_fetched_is_found() {
    let variables = [
        ("HF_HOME", "hf", "hf/hub"),
        ("HF_HUB_CACHE", "cache", "cache"),
        ("XDG_CACHE_HOME", "xdg", "xdg/huggingface/hub"),
    ];
    for (variable, value, cache) in variables {
        let mut sandbox = Sandbox::with_texts(["the cat"]);
        sandbox.set("HF_HOME", "");
        sandbox.set(variable, value);
        lay_out(&sandbox, cache, &["config.json", "tokenizer.json", "model.safetensors"]);
        sandbox.succeed(&run("tiny/bert", "out"));
        sandbox.succeed(&run(&format!("tiny/bert@{MAIN}"), "out"));
    }
    let mut sandbox = Sandbox::with_texts(["the cat"]);
    sandbox.set("HF_HOME", "");
    sandbox.set("HOME", sandbox.path("home").to_str().unwrap());
    lay_out(&sandbox, "home/.cache/huggingface/hub", &["config.json", "tokenizer.json", "model.safetensors"]);
    sandbox.succeed(&run("tiny/bert", "out"));
}

#[test]
fn a_folder_wins_over_an_id() {
    let sandbox = Sandbox::with_texts(["the cat"]);
    lay_out(&sandbox, "hf/hub", &["config.json"]);
    fs_err::create_dir(sandbox.path("tiny")).unwrap();
    sandbox.link("tiny/bert", &fixture("tiny-bert"));
    sandbox.succeed(&run("tiny/bert", "out"));
}
