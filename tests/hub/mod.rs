//! Models by their id: fetched from a hub, found in the cache.

mod downloads;
mod models;
mod refusals;

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::faulty::stderr;
use crate::support::hub::{MAIN, etag};
use crate::support::{Sandbox, fixture};

const FETCH: &str = "fetch tiny/bert --progress never";
const MODEL: &str = "hf/hub/models--tiny--bert";

/// A run with a model of this id.
fn run(model: &str, output: &str) -> String {
    format!("run --input in.parquet --model {model} --output {output} --progress never")
}

/// The place of the weights' bytes in the cache.
fn weights(sandbox: &Sandbox) -> PathBuf {
    let bytes = fs_err::read(fixture("tiny-bert").join("model.safetensors")).unwrap();
    sandbox.path(MODEL).join("blobs").join(etag("model.safetensors", &bytes))
}

fn weights_size() -> usize {
    fs_err::metadata(fixture("tiny-bert").join("model.safetensors")).unwrap().len() as usize
}

fn incomplete(sandbox: &Sandbox) -> PathBuf {
    weights(sandbox).with_extension("incomplete")
}

/// Fails unless the snapshot of `main` holds the fixture model.
fn assert_fetched(sandbox: &Sandbox) {
    for name in ["config.json", "tokenizer.json", "model.safetensors"] {
        let found = fs_err::read(sandbox.path(MODEL).join("snapshots").join(MAIN).join(name)).unwrap();
        assert!(found == fs_err::read(fixture("tiny-bert").join(name)).unwrap(), "{name}");
    }
    let blobs = fs_err::read_dir(sandbox.path(MODEL).join("blobs")).unwrap();
    assert_eq!(blobs.count(), 3, "nothing incomplete is left");
}

fn assert_exit(command: &mut Command, code: i32) -> String {
    let output = command.output().unwrap();
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(code), "{said}");
    said
}

/// Lays the fixture model into a cache as huggingface_hub does.
fn lay_out(sandbox: &Sandbox, cache: &str, files: &[&str]) {
    let model = sandbox.path(cache).join("models--tiny--bert");
    let snapshot = model.join("snapshots").join(MAIN);
    for folder in [model.join("refs"), model.join("blobs"), snapshot.clone()] {
        fs_err::create_dir_all(folder).unwrap();
    }
    fs_err::write(model.join("refs/main"), MAIN).unwrap();
    for name in files {
        let bytes = fs_err::read(fixture("tiny-bert").join(name)).unwrap();
        let blob = etag(name, &bytes);
        fs_err::write(model.join("blobs").join(&blob), bytes).unwrap();
        symlink(Path::new("../../blobs").join(blob), snapshot.join(name)).unwrap();
    }
}
