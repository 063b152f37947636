//! Addresses in stores, resolved to data files.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::find::without_descriptions;
use super::format::{is_wrapped_data, split_extension};
use super::names::{is_data, is_hidden, relative_name};
use super::pattern::{is_pattern, literal_prefix, wildcards};
use super::tables::marks_table;
use crate::Error;
use crate::store::{Meta, Remote, is_address};

/// A file that an address leads to.
pub(super) struct Found {
    pub path: PathBuf,
    pub name: String,
    pub meta: Meta,
}

/// The files that an address leads to, a folder and a pattern by the rules of local ones; with `any`, also
/// those whose extension is not known.
pub(super) fn resolve(remote: &Arc<Remote>, input: &str, any: bool) -> Result<Vec<Found>, Error> {
    let path = Path::new(input);
    let no_input = |found| Error::NoInput { input: input.to_owned(), found };
    // An empty file stands for a folder of its name, as some tools mark them, if there is something in that.
    let marks_folder =
        |meta: &Meta| Ok::<_, Error>(meta.bytes == 0 && remote.can_list() && remote.has_any(path)?);
    if !input.ends_with('/')
        && let Some(meta) = remote.head(path)?
        && !marks_folder(&meta)?
    {
        let name = input.rsplit('/').next().unwrap_or(input).to_owned();
        return Ok(vec![Found { path: path.to_owned(), name, meta }]);
    }
    if !remote.can_list() {
        return Err(match is_pattern(input) {
            true => Error::Address {
                address: path.to_owned(),
                reason: "a server does not say what files it has".to_owned(),
                hint: "name each file by its own address",
            },
            false => no_input("nothing"),
        });
    }
    let (root, pattern) = match is_pattern(input) {
        true => {
            let unusable = |_| no_input("a malformed pattern");
            let root = literal_prefix(input);
            let pattern = glob::Pattern::new(&wildcards(input, &root).to_string_lossy()).map_err(unusable)?;
            (root, Some(pattern))
        }
        false => (path.to_owned(), None),
    };
    let options = glob::MatchOptions { require_literal_separator: true, ..Default::default() };
    let (mut files, mut tables, mut is_passed_over) = (Vec::new(), Vec::new(), false);
    let mut wrapped = Vec::new();
    let listed = remote.list(&root)?;
    // Also of folders that are named like a file of data.
    let folders: HashSet<PathBuf> =
        listed.iter().filter_map(|(path, _)| path.parent()).map(Path::to_owned).collect();
    for (path, meta) in listed {
        if meta.bytes == 0 && folders.contains(&path) {
            continue;
        }
        tables.extend(marks_table(&path));
        let name = relative_name(&root, &path);
        // What the pattern leads to: the file, or a folder that it is in.
        let led_to = match &pattern {
            None => Path::new(""),
            Some(pattern) => {
                let matches = |place: &&Path| pattern.matches_path_with(place, options);
                match Path::new(&name).ancestors().find(matches) {
                    Some(place) => place,
                    None => continue,
                }
            }
        };
        let is_named = led_to == Path::new(&name);
        let is_data = any || if is_named { split_extension(&name).is_some() } else { is_data(&name) };
        match is_hidden(&name) {
            true => is_passed_over |= is_data,
            false if !any && is_wrapped_data(&name) => wrapped.push(path),
            false if is_data && !name.is_empty() => files.push(Found { path, name, meta }),
            false => {}
        }
    }
    tables.extend(table_above(remote, &root)?);
    if let Some((folder, format)) =
        tables.into_iter().find(|(folder, _)| files.iter().any(|file: &Found| file.path.starts_with(folder)))
    {
        return Err(Error::TableFolder { folder, format });
    }
    if let Some(path) = wrapped.into_iter().next() {
        return Err(Error::UnknownExtension { path });
    }
    if pattern.is_none() && !any {
        without_descriptions(&mut files, |file| &file.name);
    }
    match files {
        files if !files.is_empty() => Ok(files),
        _ if is_passed_over => Err(no_input("only names that begin with `_` or `.`, which are passed over")),
        _ if pattern.is_some() => Err(no_input("no match")),
        _ => Err(no_input("nothing")),
    }
}

/// The table that a folder is in or is, and its format.
fn table_above(remote: &Remote, folder: &Path) -> Result<Option<(PathBuf, &'static str)>, Error> {
    let places = folder.ancestors().take_while(|place| is_address(place) && remote.holds(place));
    for place in places {
        for (mark, format) in [("_delta_log", "Delta Lake"), (".hoodie", "Hudi")] {
            if remote.has_any(&place.join(mark))? {
                return Ok(Some((place.to_owned(), format)));
            }
        }
        let mut metadata = remote.children(&place.join("metadata"))?.into_iter();
        if let Some(marked) = metadata.find_map(|(file, _)| marks_table(&file)) {
            return Ok(Some(marked));
        }
    }
    Ok(None)
}
