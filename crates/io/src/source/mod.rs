//! Paths, folders and patterns, resolved to an ordered list of data files.

mod find;
mod format;
mod names;
mod pattern;
mod remote;
mod tables;

use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

pub use find::{find, find_as};
pub use format::{Compression, Format};
pub use pattern::{is_pattern_input, pattern_reaches};

use crate::store::{File, Meta, Span, is_address};
use crate::{Error, Stamp, Store};
use format::{sniff_arrow, split_extension, without_extension};

/// One input file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Where the file is.
    pub path: PathBuf,
    /// What it lies in.
    pub store: Store,
    /// The same, absolute and without links.
    pub real: PathBuf,
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
    /// What its store calls its content, if it lies in one that does: another content has another tag.
    pub tag: Option<String>,
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
        let real = fs_err::canonicalize(&path)?;
        Self::of(path, real, name, format, compression)
    }

    /// As [`Source::from_path`], for a file of any store.
    ///
    /// # Errors
    /// [`Error::UnknownExtension`]; [`Error::Io`], [`Error::Store`] if the file cannot be opened.
    pub(crate) fn from_store(store: &Store, path: PathBuf, name: String) -> Result<Self, Error> {
        let Store::Remote(remote) = store else { return Self::from_path(path, name) };
        let Some((_, format, compression)) = split_extension(&name) else {
            return Err(Error::UnknownExtension { path });
        };
        let meta = remote.head(&path)?.ok_or_else(|| remote.not_there(&path))?;
        Self::in_store(store.clone(), path, meta, name, format, compression)
    }

    fn of(
        path: PathBuf,
        real: PathBuf,
        name: String,
        format: Format,
        compression: Compression,
    ) -> Result<Self, Error> {
        let metadata = fs_err::metadata(&path)?;
        let modified = metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
        let source = Self {
            format,
            shown: path.clone(),
            path,
            store: Store::Local,
            real,
            name,
            compression,
            bytes: metadata.len(),
            modified_ns: u64::try_from(modified.as_nanos()).unwrap_or(u64::MAX),
            tag: None,
        };
        source.with_its_layout()
    }

    fn in_store(
        store: Store,
        path: PathBuf,
        meta: Meta,
        name: String,
        format: Format,
        compression: Compression,
    ) -> Result<Self, Error> {
        let source = Self {
            format,
            shown: path.clone(),
            real: path.clone(),
            path,
            store,
            name,
            compression,
            bytes: meta.bytes,
            modified_ns: meta.modified_ns,
            tag: meta.identity,
        };
        source.with_its_layout()
    }

    /// The two layouts of Arrow share their extensions.
    fn with_its_layout(mut self) -> Result<Self, Error> {
        if self.format == Format::ArrowFile {
            self.format = sniff_arrow(self.open()?.reading(Span::Pieces))?;
        }
        Ok(self)
    }

    /// Opens the file for reading.
    pub(crate) fn open(&self) -> Result<File, Error> {
        self.store.open(&self.path)
    }

    /// Whether it is still the file that was found.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Store`] if it cannot be looked at.
    pub(crate) fn is_unchanged(&self) -> Result<bool, Error> {
        match &self.store {
            Store::Local => Ok(self.is_as(&Stamp::of(&self.path)?)),
            Store::Remote(remote) => {
                Ok(remote.head(&self.path)?.is_some_and(|now| self.is_as(&Stamp::from(&now))))
            }
        }
    }

    /// Whether a stamp is one of the file that was found.
    pub(crate) fn is_as(&self, stamp: &Stamp) -> bool {
        let &Self { bytes, modified_ns, ref tag, .. } = self;
        match self.store {
            Store::Local => (stamp.bytes, stamp.modified_ns) == (bytes, modified_ns),
            Store::Remote(_) => *stamp == Stamp::from(&Meta { bytes, modified_ns, identity: tag.clone() }),
        }
    }

    /// What its store says of it now.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Store`] if it is not there any more.
    pub fn stamp(&self) -> Result<Stamp, Error> {
        self.store.stamp(&self.path)
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

/// An absolute path without links, as far as it exists.
///
/// # Errors
/// [`Error::Io`] if the present folder is unknown.
pub fn resolved(path: &Path) -> Result<PathBuf, Error> {
    if is_address(path) {
        // One store goes by several names.
        let address = path.to_string_lossy();
        let names = [("s3a://", "s3://"), ("azure://", "az://"), ("adl://", "az://")];
        let other =
            names.iter().find_map(|(name, other)| Some([other, address.strip_prefix(name)?].concat()));
        return Ok(other.map_or_else(|| path.to_owned(), PathBuf::from));
    }
    let absolute = std::path::absolute(path)?;
    let found = absolute.ancestors().find_map(|ancestor| {
        let rest = absolute.strip_prefix(ancestor).ok()?;
        Some(fs_err::canonicalize(ancestor).ok()?.join(rest))
    });
    Ok(found.unwrap_or(absolute))
}
