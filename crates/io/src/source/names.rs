//! What names of files say.

use std::path::Path;

use super::Format;
use super::format::split_extension;

/// The path below a folder, separated by `/`.
pub(super) fn relative_name(root: &Path, path: &Path) -> String {
    let relative = path.strip_prefix(root).unwrap_or(path);
    let parts: Vec<_> = relative.iter().map(|part| part.to_string_lossy()).collect();
    parts.join("/")
}

pub(super) fn is_hidden(name: &str) -> bool {
    name.split('/').any(|part| part.starts_with(['.', '_']))
}

/// Whether a file of a folder is data, as its name says. What datasets are stored with is not, and
/// neither are lines of text: beside other formats, they are notes.
pub(super) fn is_data(name: &str) -> bool {
    const ABOUT: [&str; 4] = ["dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json"];
    let file = name.rsplit('/').next().unwrap_or(name);
    split_extension(name).is_some_and(|(_, format, _)| format != Format::Text) && !ABOUT.contains(&file)
}
