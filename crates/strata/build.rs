//! Gives the program and its tests the run-time path of libtorch that `strata-bert` was built with, and what
//! this build is.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=DEP_STRATA_BERT_LIBTORCH_LIB");
    if let Ok(lib) = std::env::var("DEP_STRATA_BERT_LIBTORCH_LIB") {
        // An installed program has its libraries beside itself; a built one where it was built.
        println!("cargo::rustc-link-arg=-Wl,-rpath,$ORIGIN");
        println!("cargo::rustc-link-arg=-Wl,-rpath,{lib}");
    }

    println!("cargo::rerun-if-env-changed=DEP_STRATA_BERT_LIBTORCH_VERSION");
    if let Ok(version) = std::env::var("DEP_STRATA_BERT_LIBTORCH_VERSION") {
        println!("cargo::rustc-env=STRATA_LIBTORCH_BESIDE={version}");
    }

    println!("cargo::rustc-env=STRATA_SOURCES={:016x}", sources());

    let target = std::env::var("TARGET").expect("cargo names the target");
    println!("cargo::rustc-env=STRATA_TARGET={target}");
    println!("cargo::rustc-env=STRATA_COMMIT={}", commit().as_deref().unwrap_or("unknown"));
}

/// What tells the sources of all libraries: two programs of one commit may be of different ones.
fn sources() -> u64 {
    let mut hash = DefaultHasher::new();
    for library in names(Path::new("..")) {
        println!("cargo::rerun-if-changed={}", library.join("src").display());
        add(&library.join("src"), &mut hash);
    }
    hash.finish()
}

fn add(folder: &Path, hash: &mut DefaultHasher) {
    for path in names(folder) {
        if path.is_dir() {
            add(&path, hash);
        } else {
            (&path, std::fs::read(&path).unwrap_or_default()).hash(hash);
        }
    }
}

/// What is in a folder, in order.
fn names(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    names.sort();
    names
}

/// The commit that is checked out; none where the sources lie outside a repository of their own.
fn commit() -> Option<String> {
    let root = Path::new("../..").canonicalize().ok()?;
    if Path::new(&git(&["rev-parse", "--show-toplevel"])?).canonicalize().ok()? != root {
        return None;
    }
    // Grows with every commit and checkout. Without it nothing tells when to look again.
    let log = git(&["rev-parse", "--path-format=absolute", "--git-path", "logs/HEAD"])?;
    if Path::new(&log).exists() {
        println!("cargo::rerun-if-changed={log}");
    }
    git(&["rev-parse", "--short=10", "HEAD"])
}

fn git(arguments: &[&str]) -> Option<String> {
    let output =
        Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}
