//! The documents are short, lead somewhere, and promise what is tested.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::support::repository;

/// Every document that people read, with its text.
fn documents() -> Vec<(PathBuf, String)> {
    let markdown = |folder: &str| {
        let entries = fs_err::read_dir(repository().join(folder)).unwrap();
        entries
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|it| it == "md"))
    };
    let mut paths: Vec<PathBuf> =
        ["", "docs", "bench", "tests/fixtures"].into_iter().flat_map(markdown).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), fs_err::read_to_string(path).unwrap())).collect()
}

/// The lines of a document that are not code.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    text.split("```").step_by(2).flat_map(str::lines).filter(|line| !line.starts_with("    "))
}

#[test]
fn the_readme_is_read_in_a_few_minutes() {
    let readme = fs_err::read(repository().join("README.md")).unwrap();
    assert!(readme.len() <= 7000, "README.md has {} bytes, expected at most 7000", readme.len());
}

#[test]
fn every_link_leads_to_a_file_and_a_heading_that_exist() {
    let mut checked = 0;
    for (path, text) in documents() {
        for target in prose(&text).flat_map(links).filter(|target| !target.contains("://")) {
            let (file, heading) = target.split_once('#').unwrap_or((target, ""));
            let file = if file.is_empty() { path.clone() } else { path.parent().unwrap().join(file) };
            assert!(file.exists(), "{}: the link `{target}` leads nowhere", path.display());
            if !heading.is_empty() {
                let anchors = anchors(&file);
                assert!(
                    anchors.contains(heading),
                    "{}: no heading `{heading}` in {anchors:?}",
                    path.display()
                );
            }
            checked += 1;
        }
    }
    assert!(checked > 30, "only {checked} links were found");
}

/// The targets of `[text](target)` in a line.
fn links(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target)
}

/// The headings of a document, as GitHub makes anchors of them.
fn anchors(path: &Path) -> BTreeSet<String> {
    let text = fs_err::read_to_string(path).unwrap();
    let headings = prose(&text).filter(|line| line.starts_with('#'));
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    headings
        .map(|line| line.trim_start_matches('#').trim().to_lowercase())
        .map(|heading| heading.chars().filter(kept).collect::<String>().replace(' ', "-"))
        .collect()
}

#[test]
fn every_promise_names_tests_that_exist() {
    let promises = fs_err::read_to_string(repository().join("docs/promises.md")).unwrap();
    let folders = ["tests", "crates/bert/src", "crates/io/tests", "crates/probe/src", "python/tests"];
    let tests: String = folders.iter().map(|folder| source_of(&repository().join(folder))).collect();
    let mut rows = 0;
    for row in promises.lines().filter(|line| line.starts_with("| ")).skip(1) {
        let (_, proofs) = row.trim_end_matches(" |").rsplit_once(" | ").unwrap();
        let named: Vec<&str> =
            proofs.split('`').skip(1).step_by(2).filter(|name| !name.contains(' ')).collect();
        assert!(!named.is_empty(), "no test proves {row}");
        for name in named {
            let exists = repository().join(name).exists()
                || ["fn", "def"].iter().any(|word| tests.contains(&format!("{word} {name}(")));
            assert!(exists, "there is no test {name}");
        }
        rows += 1;
    }
    assert!(rows > 10, "only {rows} promises were found");
}

/// All code below a folder.
fn source_of(folder: &Path) -> String {
    let mut source = String::new();
    for entry in fs_err::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            source += &source_of(&path);
        } else if path.extension().is_some_and(|it| it == "rs" || it == "py") {
            source += &fs_err::read_to_string(path).unwrap();
        }
    }
    source
}
