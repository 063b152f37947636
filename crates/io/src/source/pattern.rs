//! Inputs with wildcards, and where they could lead.

use std::path::{Component, Path, PathBuf};

use super::names::{is_hidden, relative_name};
use super::resolved;
use crate::store::is_address;

/// Whether a pattern would lead to files in `folder`, which need not exist: to the folder itself or one
/// above it, or to a file of this name in it.
pub fn pattern_reaches(pattern: &str, folder: &Path, file_name: &str) -> bool {
    let root = literal_prefix(pattern);
    let Ok(absolute) = resolved(if root.as_os_str().is_empty() { Path::new(".") } else { &root }) else {
        return false;
    };
    let Ok(rest) = folder.strip_prefix(&absolute) else { return false };
    let options = glob::MatchOptions { require_literal_separator: true, ..Default::default() };
    let Ok(wildcards) = glob::Pattern::new(&wildcards(pattern, &root).to_string_lossy()) else {
        return false;
    };
    let file = rest.join(file_name);
    let is_seen = |path: &Path| !is_hidden(&relative_name(Path::new(""), path));
    file.ancestors().any(|path| is_seen(path) && wildcards.matches_path_with(path, options)) && is_seen(&file)
}

/// What follows the folders of a pattern that are named in full.
pub(super) fn wildcards<'a>(pattern: &'a str, root: &Path) -> &'a Path {
    Path::new(pattern).strip_prefix(root).unwrap_or(Path::new(pattern))
}

/// Whether an input is a pattern and no path.
pub fn is_pattern_input(input: &str) -> bool {
    is_pattern(input) && !Path::new(input).exists()
}

pub(super) fn is_pattern(input: &str) -> bool {
    input.contains(['*', '?', '['])
}

/// The folders of a pattern before its first component with a wildcard.
pub(super) fn literal_prefix(pattern: &str) -> PathBuf {
    if is_address(Path::new(pattern)) {
        // Components would not be the text any more that says what it is.
        let end = pattern.find(['*', '?', '[']).unwrap_or(pattern.len());
        return pattern[..end].rsplit_once('/').map_or(pattern, |(root, _)| root).into();
    }
    let literal = |component: &Component<'_>| !is_pattern(&component.as_os_str().to_string_lossy());
    Path::new(pattern).components().take_while(literal).collect()
}
