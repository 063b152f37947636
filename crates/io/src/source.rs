//! Paths, folders and patterns, resolved to an ordered list of data files.

use std::collections::{BTreeMap, HashSet};
use std::path::{Component, Path, PathBuf};
use std::time::UNIX_EPOCH;

use crate::Error;
use crate::tables::Tables;

/// How the records of a file are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// Apache Parquet: `.parquet`, `.pq`.
    Parquet,
    /// Arrow IPC with a footer: `.arrow`, `.feather`, `.ipc`.
    ArrowFile,
    /// Arrow IPC as a stream: `.arrows`, or the extensions of [`Format::ArrowFile`].
    ArrowStream,
    /// Comma-separated values: `.csv`.
    Csv,
    /// Tab-separated values: `.tsv`.
    Tsv,
    /// JSON objects, one a line, one after another, or all in one array: `.jsonl`, `.ndjson`, `.json`.
    Json,
    /// One text a line: `.txt`.
    Text,
}

/// How the bytes of a text format are wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Compression {
    /// Not at all.
    None,
    /// `.gz`
    Gzip,
    /// `.zst`
    Zstd,
    /// `.bz2`
    Bzip2,
    /// `.xz`
    Xz,
}

/// One input file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Where the file is.
    pub path: PathBuf,
    /// What messages call it: its path, unless it stands for something else.
    pub shown: PathBuf,
    /// The path below the root of the argument that led to the file, separated by `/`. The root of
    /// a file is the folder it is in; that of a pattern, the folders before its first wildcard.
    pub name: String,
    /// The layout of its records.
    pub format: Format,
    /// The wrapping of its bytes.
    pub compression: Compression,
    /// Its size in bytes.
    pub bytes: u64,
    /// When it was last modified, in nanoseconds since 1970 (UTC).
    pub modified_ns: u64,
}

/// Longest stem kept as it is: leaves room for a part number and a temporary name below the 255
/// bytes that file systems allow.
const MAX_STEM_BYTES: usize = 200;

impl Source {
    /// Looks at one file, whose name will be `name`.
    ///
    /// # Errors
    /// [`Error::UnknownExtension`]; [`Error::Io`] if the file cannot be opened.
    pub fn from_path(path: PathBuf, name: String) -> Result<Self, Error> {
        let Some((_, format, compression)) = split_extension(&name) else {
            return Err(Error::UnknownExtension { path });
        };
        Self::of(path, name, format, compression)
    }

    fn of(path: PathBuf, name: String, format: Format, compression: Compression) -> Result<Self, Error> {
        let metadata = fs_err::metadata(&path)?;
        let modified = metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Self {
            format: if format == Format::ArrowFile { sniff_arrow(&path)? } else { format },
            shown: path.clone(),
            path,
            name,
            compression,
            bytes: metadata.len(),
            modified_ns: u64::try_from(modified.as_nanos()).unwrap_or(u64::MAX),
        })
    }

    /// What the names of this file's parts start with: its name without the data extension, as one
    /// path component that no reader takes for hidden. Long names are cut and told apart by a hash.
    pub fn stem(&self) -> String {
        let stem =
            split_extension(&self.name).map_or_else(|| without_extension(&self.name), |(stem, ..)| stem);
        // What begins with `_` or `.` is hidden from readers of folders.
        let seen = if stem.starts_with(['_', '.']) { "part" } else { "" };
        let stem = format!("{seen}{}", stem.replace('/', "__"));
        if stem.len() <= MAX_STEM_BYTES {
            return stem;
        }
        let hash = blake3::hash(stem.as_bytes()).to_hex();
        let end = stem.floor_char_boundary(MAX_STEM_BYTES);
        format!("{}-{}", &stem[..end], &hash[..8])
    }
}

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
    find_as(inputs, None)
}

/// As [`find`]; with a `format`, every file is of it, whatever its extension.
///
/// # Errors
/// As [`find`].
pub fn find_as(inputs: &[String], format: Option<Format>) -> Result<Vec<Source>, Error> {
    if inputs.is_empty() {
        return Err(Error::NoInput { input: String::new(), found: "no path given" });
    }
    let mut sources = Vec::new();
    let mut seen = HashSet::new();
    let mut tables = Tables::default();
    for input in inputs {
        for (path, name) in resolve(input, format.is_some(), &mut tables)? {
            if seen.insert(fs_err::canonicalize(&path)?) {
                sources.push(match format {
                    Some(format) => Source::of(path, name.clone(), format, compression(&name))?,
                    None => Source::from_path(path, name)?,
                });
            }
        }
    }
    // `-` sorts below most of what may follow a stem, so stems alone would order differently.
    sources.sort_by_cached_key(|source| format!("{}-00000.", source.stem()));
    refuse_same_stems(&sources)?;
    Ok(sources)
}

/// The files that one argument leads to, with their names; with `any`, also those whose extension is
/// not known.
fn resolve(input: &str, any: bool, tables: &mut Tables) -> Result<Vec<(PathBuf, String)>, Error> {
    let no_input = |found| Error::NoInput { input: input.to_owned(), found };
    let path = Path::new(input);
    if path.is_file() {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        return Ok(vec![(path.to_owned(), name)]);
    }
    refuse_dangling(path)?;
    let root = if path.is_dir() { path.to_owned() } else { literal_prefix(input) };
    let mut search =
        Search { root, any, tables, visited: HashSet::new(), files: Vec::new(), is_hidden: false };
    let found = if path.is_dir() {
        search.tables.refuse(path)?;
        search.walk(path)?;
        search.leave_out_descriptions();
        "a folder without data files"
    } else if is_pattern(input) {
        search.match_pattern(input)?;
        "no match"
    } else if path.exists() {
        "a pipe or a device, which can be read only once: `--input -` reads stdin"
    } else {
        "nothing"
    };
    for (file, _) in &search.files {
        search.tables.refuse_above(file)?;
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
    /// Guards against links that lead back up.
    visited: HashSet<PathBuf>,
    /// Data files with their names.
    files: Vec<(PathBuf, String)>,
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

    /// Beside Parquet and Arrow files, `.json` says something about them: what made them, or their types.
    fn leave_out_descriptions(&mut self) {
        let is_columnar = |name: &str| {
            let format = split_extension(name).map(|(_, format, _)| format);
            matches!(format, Some(Format::Parquet | Format::ArrowFile | Format::ArrowStream))
        };
        let describes = |name: &str| {
            let extension = split_extension(name).map(|(stem, ..)| name[stem.len()..].to_lowercase());
            extension.is_some_and(|extension| extension == ".json" || extension.starts_with(".json."))
        };
        if !self.any && self.files.iter().any(|(_, name)| is_columnar(name)) {
            self.files.retain(|(_, name)| !describes(name));
        }
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
        // A name without an extension may have stood for a folder.
        if is_data || path.extension().is_none() {
            refuse_dangling(&path)?;
        }
        if path.is_dir() {
            self.tables.refuse(&path)?;
            return self.walk(&path);
        }
        if is_data && !path.is_file() {
            return Err(Error::NotAFile { path, found: "a pipe or a device".to_owned() });
        }
        if is_data {
            self.files.push((path, name));
        }
        Ok(())
    }
}

/// Whether a pattern would lead to files in `folder`, which need not exist: to the folder itself or one
/// above it, or to a file of this name in it.
pub fn pattern_reaches(pattern: &str, folder: &Path, file_name: &str) -> bool {
    let root = literal_prefix(pattern);
    let Ok(absolute) = resolved(if root.as_os_str().is_empty() { Path::new(".") } else { &root }) else {
        return false;
    };
    let Ok(rest) = folder.strip_prefix(&absolute) else { return false };
    let options = glob::MatchOptions { require_literal_separator: true, ..Default::default() };
    let wildcards = Path::new(pattern).strip_prefix(&root).unwrap_or(Path::new(pattern));
    let Ok(wildcards) = glob::Pattern::new(&wildcards.to_string_lossy()) else { return false };
    let file = rest.join(file_name);
    let is_seen = |path: &Path| !is_hidden(&relative_name(Path::new(""), path));
    file.ancestors().any(|path| is_seen(path) && wildcards.matches_path_with(path, options)) && is_seen(&file)
}

/// An absolute path without links, as far as it exists.
///
/// # Errors
/// [`Error::Io`] if the present folder is unknown.
pub fn resolved(path: &Path) -> Result<PathBuf, Error> {
    let absolute = std::path::absolute(path)?;
    let found = absolute.ancestors().find_map(|ancestor| {
        let rest = absolute.strip_prefix(ancestor).ok()?;
        Some(fs_err::canonicalize(ancestor).ok()?.join(rest))
    });
    Ok(found.unwrap_or(absolute))
}

/// Whether an input is a pattern and no path.
pub fn is_pattern_input(input: &str) -> bool {
    is_pattern(input) && !Path::new(input).exists()
}

fn is_pattern(input: &str) -> bool {
    input.contains(['*', '?', '['])
}

/// The folders of a pattern before its first component with a wildcard.
fn literal_prefix(pattern: &str) -> PathBuf {
    let literal = |component: &Component<'_>| !is_pattern(&component.as_os_str().to_string_lossy());
    Path::new(pattern).components().take_while(literal).collect()
}

fn relative_name(root: &Path, path: &Path) -> String {
    let relative = path.strip_prefix(root).unwrap_or(path);
    let parts: Vec<_> = relative.iter().map(|part| part.to_string_lossy()).collect();
    parts.join("/")
}

fn is_hidden(name: &str) -> bool {
    name.split('/').any(|part| part.starts_with(['.', '_']))
}

/// Whether a file of a folder is data, as its name says. What datasets are stored with is not, and
/// neither are lines of text: beside other formats, they are notes.
fn is_data(name: &str) -> bool {
    const ABOUT: [&str; 4] = ["dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json"];
    let file = name.rsplit('/').next().unwrap_or(name);
    split_extension(name).is_some_and(|(_, format, _)| format != Format::Text) && !ABOUT.contains(&file)
}

/// What a name says of its bytes.
fn compression(name: &str) -> Compression {
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    match extension.to_lowercase().as_str() {
        "gz" => Compression::Gzip,
        "zst" => Compression::Zstd,
        "bz2" => Compression::Bzip2,
        "xz" => Compression::Xz,
        _ => Compression::None,
    }
}

/// A name of unknown extension without it, and without that of a compression.
fn without_extension(name: &str) -> &str {
    fn stem(name: &str) -> Option<&str> {
        name.strip_suffix(Path::new(name).extension()?.to_str()?)?.strip_suffix('.')
    }
    let name = if compression(name) == Compression::None { name } else { stem(name).unwrap_or(name) };
    stem(name).unwrap_or(name)
}

/// A name without its data extension, and what that extension stands for.
fn split_extension(name: &str) -> Option<(&str, Format, Compression)> {
    let (rest, extension) = name.rsplit_once('.')?;
    match extension.to_lowercase().as_str() {
        "parquet" | "pq" => return Some((rest, Format::Parquet, Compression::None)),
        "arrow" | "feather" | "ipc" => return Some((rest, Format::ArrowFile, Compression::None)),
        "arrows" => return Some((rest, Format::ArrowStream, Compression::None)),
        _ => {}
    }
    let compression = compression(name);
    let name = if compression == Compression::None { name } else { rest };
    let (stem, extension) = name.rsplit_once('.')?;
    let format = match extension.to_lowercase().as_str() {
        "csv" => Format::Csv,
        "tsv" => Format::Tsv,
        "jsonl" | "ndjson" | "json" => Format::Json,
        "txt" => Format::Text,
        _ => return None,
    };
    Some((stem, format, compression))
}

/// Tells the two Arrow layouts apart: only files start with the magic.
fn sniff_arrow(path: &Path) -> Result<Format, Error> {
    use std::io::Read;
    let mut magic = Vec::new();
    fs_err::File::open(path)?.take(6).read_to_end(&mut magic)?;
    Ok(if magic == b"ARROW1" { Format::ArrowFile } else { Format::ArrowStream })
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
