//! Files, folders and patterns, resolved to an ordered list of data files.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::format::{compression, is_wrapped_data, split_extension};
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
/// `dataset_info.json` of stored datasets, and every `.json` beside or above Parquet or Arrow files.
///
/// # Errors
/// - [`Error::NoInput`] if an input leads to no file.
/// - [`Error::NotAFile`] if a link among the files leads nowhere, or something with the name of a data
///   file is none.
/// - [`Error::TableFolder`] if a folder or pattern leads into a table of Delta Lake, Iceberg or Hudi.
/// - [`Error::UnknownExtension`] if a file is named that is no data file, or one is found whose name is that of a data
///   file wrapped in a way that is not read, such as `.csv.zip`.
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
    let mut seen: HashSet<PathBuf> = HashSet::new();
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
        let mut found = resolve(input, format.is_some(), &mut tables)?;
        // Links to one file are files of their own, as for other readers; what several inputs lead to is not.
        found.retain(|file| !seen.contains(&file.place));
        seen.extend(found.iter().map(|file| file.place.clone()));
        for Found { path, real, name, .. } in found {
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
    /// Its name in its folder, which is absolute and without links.
    place: PathBuf,
    /// The same, with what it leads to if it is a link.
    real: PathBuf,
    name: String,
}

/// The files that one argument leads to; with `any`, also those whose extension is not known.
fn resolve(input: &str, any: bool, tables: &mut Tables) -> Result<Vec<Found>, Error> {
    let no_input = |found| Error::NoInput { input: input.to_owned(), found };
    let path = Path::new(input);
    if path.is_file() {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (place, real) = (place_of(path)?, fs_err::canonicalize(path)?);
        return Ok(vec![Found { path: path.to_owned(), place, real, name }]);
    }
    refuse_dangling(path)?;
    let root = if path.is_dir() { path.to_owned() } else { literal_prefix(input) };
    let mut search = Search {
        root,
        any,
        tables,
        folders: HashMap::new(),
        visited: HashSet::new(),
        above: Vec::new(),
        ways: HashMap::new(),
        files: Vec::new(),
        is_hidden: false,
    };
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

/// Links between folders that lead to each other make more ways than there can be files.
const MOST_WAYS: usize = 100;

/// What folders and patterns lead to.
struct Search<'a> {
    /// Names of files are relative to it.
    root: PathBuf,
    /// Whether files of unknown extension count.
    any: bool,
    tables: &'a mut Tables,
    /// Folders of files, each with its place without links.
    folders: HashMap<PathBuf, PathBuf>,
    /// Files and folders that a pattern may lead to several times.
    visited: HashSet<PathBuf>,
    /// The folders that the current one is in, without links: guards against links that lead back up.
    above: Vec<PathBuf>,
    /// How often a folder was come to, without links.
    ways: HashMap<PathBuf, usize>,
    files: Vec<Found>,
    /// Whether data files were passed over for their names.
    is_hidden: bool,
}

impl Search<'_> {
    /// Adds the data files below `folder`.
    fn walk(&mut self, folder: &Path) -> Result<(), Error> {
        let real = fs_err::canonicalize(folder)?;
        if self.above.contains(&real) {
            return Ok(());
        }
        let ways = self.ways.entry(real.clone()).or_default();
        *ways += 1;
        if *ways > MOST_WAYS {
            let found = format!("a folder to which more than {MOST_WAYS} ways lead, over links");
            return Err(Error::NotAFile { path: folder.to_owned(), found });
        }
        self.above.push(real);
        let mut paths = Vec::new();
        for entry in fs_err::read_dir(folder)? {
            paths.push(entry?.path());
        }
        // Which of several files is refused must not depend on the file system.
        paths.sort();
        paths.into_iter().try_for_each(|path| self.add(path, is_data))?;
        self.above.pop();
        Ok(())
    }

    fn match_pattern(&mut self, pattern: &str) -> Result<(), Error> {
        let options = glob::MatchOptions { require_literal_separator: true, ..Default::default() };
        let unusable = |_| Error::NoInput { input: pattern.to_owned(), found: "a malformed pattern" };
        for path in glob::glob_with(pattern, options).map_err(unusable)? {
            let path = path.map_err(|error| std::io::Error::new(error.error().kind(), error.to_string()))?;
            // Nothing is walked from a file.
            if path.is_dir() {
                let above = path.ancestors().skip(1).take_while(|folder| folder.starts_with(&self.root));
                let named = above.filter(|folder| !folder.as_os_str().is_empty());
                self.above = named.map(fs_err::canonicalize).collect::<Result<_, _>>()?;
            }
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
        if !self.any && is_wrapped_data(&name) && path.is_file() {
            return Err(Error::UnknownExtension { path });
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
            return if self.visited.insert(path.clone()) { self.walk(&path) } else { Ok(()) };
        }
        if is_data && !(kind.is_file() || kind.is_symlink() && path.is_file()) {
            return Err(Error::NotAFile { path, found: "a pipe or a device".to_owned() });
        }
        if is_data && self.visited.insert(path.clone()) {
            let place = self.place_of(&path)?;
            let real = if kind.is_symlink() { fs_err::canonicalize(&path)? } else { place.clone() };
            self.files.push(Found { path, place, real, name });
        }
        Ok(())
    }

    /// As [`place_of`], of which a folder's is asked once.
    fn place_of(&mut self, path: &Path) -> Result<PathBuf, Error> {
        let folder = path.parent().unwrap_or(Path::new(""));
        if let Some(real) = self.folders.get(folder) {
            return Ok(real.join(path.file_name().unwrap_or_default()));
        }
        let place = place_of(path)?;
        self.folders.insert(folder.to_owned(), place.parent().unwrap_or(Path::new("")).to_owned());
        Ok(place)
    }
}

/// The name of a file in its folder, without links on the way there.
fn place_of(path: &Path) -> Result<PathBuf, Error> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    Ok(fs_err::canonicalize(folder.unwrap_or(Path::new(".")))?.join(path.file_name().unwrap_or_default()))
}

/// Beside Parquet and Arrow files, or above them, `.json` says something about them: what made them, or their types.
pub(super) fn without_descriptions<T>(files: &mut Vec<T>, name: impl Fn(&T) -> &str) {
    let folder = |name: &str| Path::new(name).parent().unwrap_or(Path::new("")).to_owned();
    let is_columnar = |name: &str| {
        let format = split_extension(name).map(|(_, format, _)| format);
        matches!(format, Some(Format::Parquet | Format::ArrowFile | Format::ArrowStream))
    };
    let may_describe = |name: &str| {
        Path::new(name).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"))
    };
    let columnar = files.iter().map(&name).filter(|name| is_columnar(name)).map(folder);
    let above: HashSet<PathBuf> =
        columnar.flat_map(|folder| folder.ancestors().map(Path::to_owned).collect::<Vec<_>>()).collect();
    files.retain(|file| !(may_describe(name(file)) && above.contains(&folder(name(file)))));
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
