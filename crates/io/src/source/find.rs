//! Files, folders and patterns, resolved to an ordered list of data files.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::format::{compression, split_extension};
use super::names::{is_data, is_hidden, relative_name};
use super::pattern::{is_pattern, literal_prefix};
use super::tables::Tables;
use super::{Format, Source, remote};
use crate::{Error, Store, Stores};

/// Resolves files, folders and glob patterns to data files, each once, in an order in which the
/// names of their parts (`{stem}-{number}`) sort.
///
/// Folders are searched to any depth. In folders and patterns, names that start with `.` or `_` and
/// files of unknown extension are passed over, in folders also `.txt`, the `state.json` and
/// `dataset_info.json` of stored datasets, and every `.json` beside Parquet or Arrow files.
///
/// # Errors
/// - [`Error::NoInput`] if an input leads to no file.
/// - [`Error::NotAFile`] if a link among the files leads nowhere, or something with the name of a data
///   file is none.
/// - [`Error::TableFolder`] if a folder or pattern leads into a table of Delta Lake, Iceberg or Hudi.
/// - [`Error::UnknownExtension`] if a file is named that is no data file.
/// - [`Error::SameStem`] if the parts of two files could not be told apart.
/// - [`Error::Io`] if a folder cannot be listed.
pub fn find(inputs: &[String]) -> Result<Vec<Source>, Error> {
    find_as(inputs, None, &Stores::default())
}

/// As [`find`], also in other stores than the local file system; with a `format`, every file is of it,
/// whatever its extension.
///
/// # Errors
/// As [`find`]; [`Error::Address`], [`Error::Store`] for addresses.
pub fn find_as(inputs: &[String], format: Option<Format>, stores: &Stores) -> Result<Vec<Source>, Error> {
    if inputs.is_empty() {
        return Err(Error::NoInput { input: String::new(), found: "no path given" });
    }
    let mut sources = Vec::new();
    let mut seen = HashSet::new();
    let mut tables = Tables::default();
    let written_as = |path: &Path, name: &str| match (format, split_extension(name)) {
        (Some(format), _) => Ok((format, compression(name))),
        (None, Some((_, format, compression))) => Ok((format, compression)),
        (None, None) => Err(Error::UnknownExtension { path: path.to_owned() }),
    };
    for input in inputs {
        let store = stores.of(Path::new(input))?;
        if let Store::Remote(remote) = &store {
            for remote::Found { path, name, meta } in remote::resolve(remote, input, format.is_some())? {
                if seen.insert(path.clone()) {
                    let (format, compression) = written_as(&path, &name)?;
                    sources.push(Source::in_store(store.clone(), path, meta, name, format, compression)?);
                }
            }
            continue;
        }
        for Found { path, real, name } in resolve(input, format.is_some(), &mut tables)? {
            if !seen.insert(real.clone()) {
                continue;
            }
            let (format, compression) = written_as(&path, &name)?;
            sources.push(Source::of(path, real, name, format, compression)?);
        }
    }
    // `-` sorts below most of what may follow a stem, so stems alone would order differently.
    sources.sort_by_cached_key(|source| format!("{}-00000.", source.stem()));
    refuse_same_stems(&sources)?;
    Ok(sources)
}

/// A file that an argument leads to.
struct Found {
    path: PathBuf,
    /// The same, absolute and without links.
    real: PathBuf,
    name: String,
}

/// The files that one argument leads to; with `any`, also those whose extension is not known.
fn resolve(input: &str, any: bool, tables: &mut Tables) -> Result<Vec<Found>, Error> {
    let no_input = |found| Error::NoInput { input: input.to_owned(), found };
    let path = Path::new(input);
    if path.is_file() {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        return Ok(vec![Found { path: path.to_owned(), real: fs_err::canonicalize(path)?, name }]);
    }
    refuse_dangling(path)?;
    let root = if path.is_dir() { path.to_owned() } else { literal_prefix(input) };
    let (folders, visited) = (HashMap::new(), HashSet::new());
    let mut search = Search { root, any, tables, folders, visited, files: Vec::new(), is_hidden: false };
    let found = if path.is_dir() {
        search.tables.refuse(path)?;
        search.walk(path)?;
        if !any {
            without_descriptions(&mut search.files, |file| &file.name);
        }
        "a folder without data files"
    } else if is_pattern(input) {
        search.match_pattern(input)?;
        "no match"
    } else if path.exists() {
        "a pipe or a device, which can be read only once: `--input -` reads stdin"
    } else {
        "nothing"
    };
    for file in &search.files {
        search.tables.refuse_above(&file.path)?;
    }
    match search.files {
        files if !files.is_empty() => Ok(files),
        _ if search.is_hidden => {
            Err(no_input("only names that begin with `_` or `.`, which are passed over"))
        }
        _ => Err(no_input(found)),
    }
}

/// Refuses a link that leads nowhere: whatever it stands for would be left out.
fn refuse_dangling(path: &Path) -> Result<(), Error> {
    if path.is_symlink() && !path.exists() {
        let target = fs_err::read_link(path)?;
        let found = format!("a link to {}, which is not there", target.display());
        return Err(Error::NotAFile { path: path.to_owned(), found });
    }
    Ok(())
}

/// What folders and patterns lead to.
struct Search<'a> {
    /// Names of files are relative to it.
    root: PathBuf,
    /// Whether files of unknown extension count.
    any: bool,
    tables: &'a mut Tables,
    /// Folders of files, each with its place without links.
    folders: HashMap<PathBuf, PathBuf>,
    /// Guards against links that lead back up.
    visited: HashSet<PathBuf>,
    files: Vec<Found>,
    /// Whether data files were passed over for their names.
    is_hidden: bool,
}

impl Search<'_> {
    /// Adds the data files below `folder`.
    fn walk(&mut self, folder: &Path) -> Result<(), Error> {
        if !self.visited.insert(fs_err::canonicalize(folder)?) {
            return Ok(());
        }
        let mut paths = Vec::new();
        for entry in fs_err::read_dir(folder)? {
            paths.push(entry?.path());
        }
        // Which of two links to one file counts must not depend on the file system.
        paths.sort();
        paths.into_iter().try_for_each(|path| self.add(path, is_data))
    }

    fn match_pattern(&mut self, pattern: &str) -> Result<(), Error> {
        let options = glob::MatchOptions { require_literal_separator: true, ..Default::default() };
        let unusable = |_| Error::NoInput { input: pattern.to_owned(), found: "a malformed pattern" };
        for path in glob::glob_with(pattern, options).map_err(unusable)? {
            let path = path.map_err(|error| std::io::Error::new(error.error().kind(), error.to_string()))?;
            self.add(path, |name| split_extension(name).is_some())?;
        }
        Ok(())
    }

    /// Adds what one path leads to.
    fn add(&mut self, path: PathBuf, is_data: fn(&str) -> bool) -> Result<(), Error> {
        let name = relative_name(&self.root, &path);
        let is_data = self.any || is_data(&name);
        if is_hidden(&name) {
            self.is_hidden |= is_data;
            return Ok(());
        }
        let kind = match fs_err::symlink_metadata(&path) {
            // Somebody else's file, which was there only for a moment.
            Err(error) if error.kind() == ErrorKind::NotFound && !is_data => return Ok(()),
            metadata => metadata?.file_type(),
        };
        // A name without an extension may have stood for a folder.
        if kind.is_symlink() && (is_data || path.extension().is_none()) {
            refuse_dangling(&path)?;
        }
        if kind.is_dir() || kind.is_symlink() && path.is_dir() {
            self.tables.refuse(&path)?;
            return self.walk(&path);
        }
        if is_data && !(kind.is_file() || kind.is_symlink() && path.is_file()) {
            return Err(Error::NotAFile { path, found: "a pipe or a device".to_owned() });
        }
        if is_data {
            let real =
                if kind.is_symlink() { fs_err::canonicalize(&path)? } else { self.without_links(&path)? };
            self.files.push(Found { path, real, name });
        }
        Ok(())
    }

    /// The place of a file that is no link itself.
    fn without_links(&mut self, path: &Path) -> Result<PathBuf, Error> {
        let name = path.file_name().unwrap_or_default();
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        if let Some(real) = self.folders.get(folder) {
            return Ok(real.join(name));
        }
        let real = fs_err::canonicalize(folder)?;
        let file = real.join(name);
        self.folders.insert(folder.to_owned(), real);
        Ok(file)
    }
}

/// Beside Parquet and Arrow files, `.json` says something about them: what made them, or their types.
pub(super) fn without_descriptions<T>(files: &mut Vec<T>, name: impl Fn(&T) -> &str) {
    let is_columnar = |name: &str| {
        let format = split_extension(name).map(|(_, format, _)| format);
        matches!(format, Some(Format::Parquet | Format::ArrowFile | Format::ArrowStream))
    };
    let describes = |name: &str| {
        let extension = split_extension(name).map(|(stem, ..)| name[stem.len()..].to_lowercase());
        extension.is_some_and(|extension| extension == ".json" || extension.starts_with(".json."))
    };
    if files.iter().any(|file| is_columnar(name(file))) {
        files.retain(|file| !describes(name(file)));
    }
}

fn refuse_same_stems(sources: &[Source]) -> Result<(), Error> {
    let mut stems = BTreeMap::new();
    for source in sources {
        if let Some(first) = stems.insert(source.stem(), &source.path) {
            let (stem, first, second) = (source.stem(), first.clone(), source.path.clone());
            return Err(Error::SameStem { stem, first, second });
        }
    }
    Ok(())
}
