//! Paths, folders and patterns, resolved to an ordered list of data files.

use std::collections::{BTreeMap, HashSet};
use std::path::{Component, Path, PathBuf};
use std::time::UNIX_EPOCH;

use crate::Error;

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
    /// path component. Long names are cut and told apart by a hash.
    pub fn stem(&self) -> String {
        let stem =
            split_extension(&self.name).map_or_else(|| without_extension(&self.name), |(stem, ..)| stem);
        let stem = stem.replace('/', "__");
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
/// files of unknown extension are passed over, in folders also `.txt` and the `state.json` and
/// `dataset_info.json` of stored datasets.
///
/// # Errors
/// - [`Error::NoInput`] if an input leads to no file.
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
    for input in inputs {
        for (path, name) in resolve(input, format.is_some())? {
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
fn resolve(input: &str, any: bool) -> Result<Vec<(PathBuf, String)>, Error> {
    let no_input = |found| Error::NoInput { input: input.to_owned(), found };
    let path = Path::new(input);
    if path.is_file() {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        return Ok(vec![(path.to_owned(), name)]);
    }
    let (files, found) = if path.is_dir() {
        let mut files = Vec::new();
        walk(path, path, any, &mut HashSet::new(), &mut files)?;
        (files, "a folder without data files")
    } else if is_pattern(input) {
        (match_pattern(input, any)?, "no match")
    } else if path.exists() {
        (Vec::new(), "a pipe or a device, which can be read only once: `--input -` reads stdin")
    } else {
        (Vec::new(), "nothing")
    };
    if files.is_empty() { Err(no_input(found)) } else { Ok(files) }
}

/// Adds the data files below `folder`, named relative to `root`. `visited` guards against links
/// that lead back up.
fn walk(
    root: &Path,
    folder: &Path,
    any: bool,
    visited: &mut HashSet<PathBuf>,
    files: &mut Vec<(PathBuf, String)>,
) -> Result<(), Error> {
    if !visited.insert(fs_err::canonicalize(folder)?) {
        return Ok(());
    }
    let mut paths = Vec::new();
    for entry in fs_err::read_dir(folder)? {
        paths.push(entry?.path());
    }
    // Which of two links to one file counts must not depend on the file system.
    paths.sort();
    for path in paths {
        let name = relative_name(root, &path);
        if is_hidden(&name) {
            continue;
        }
        if path.is_dir() {
            walk(root, &path, any, visited, files)?;
        } else if (any || is_data(&name)) && path.is_file() {
            files.push((path, name));
        }
    }
    Ok(())
}

fn match_pattern(pattern: &str, any: bool) -> Result<Vec<(PathBuf, String)>, Error> {
    let options = glob::MatchOptions { require_literal_separator: true, ..Default::default() };
    let unusable = |_| Error::NoInput { input: pattern.to_owned(), found: "a malformed pattern" };
    let root = literal_prefix(pattern);
    let mut files = Vec::new();
    let mut visited = HashSet::new();
    for path in glob::glob_with(pattern, options).map_err(unusable)? {
        let path = path.map_err(|error| std::io::Error::new(error.error().kind(), error.to_string()))?;
        let name = relative_name(&root, &path);
        if is_hidden(&name) {
            continue;
        }
        if path.is_dir() {
            walk(&root, &path, any, &mut visited, &mut files)?;
        } else if any || split_extension(&name).is_some() {
            files.push((path, name));
        }
    }
    Ok(files)
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
