//! The places in an output folder, and the marker that says it is whole.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::commit::{parent, replace, sync_folder};
use super::old;
use super::sweep::{ignore_absent, list};
use crate::Error;

/// The folder of the parts, in which nothing else ever is.
const DATA_FOLDER: &str = "data";

/// The folder of what only strata reads. Readers of folders pass over names that begin with `_`.
const OWN_FOLDER: &str = "_strata";

/// The name of the file that says the output is whole.
const SUCCESS_FILE: &str = "_SUCCESS";

/// An output folder, which need not exist:
///
/// ```text
/// vectors/
///   data/       the parts
///   _strata/    manifest, records, notes, locks, and files that are not yet whole
///   _SUCCESS    says that the output is whole
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputFolder {
    root: PathBuf,
}

impl OutputFolder {
    /// The output folder at `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of the parts: a dataset for every reader.
    pub fn data(&self) -> PathBuf {
        self.root.join(DATA_FOLDER)
    }

    /// The folder of everything but the parts.
    pub fn own(&self) -> PathBuf {
        self.root.join(OWN_FOLDER)
    }

    /// The marker that says the output is whole.
    pub fn marker(&self) -> PathBuf {
        self.root.join(SUCCESS_FILE)
    }

    /// Whether nothing says what the folder holds.
    pub fn is_new(&self) -> bool {
        !self.manifest().exists() && !self.is_old()
    }

    /// Makes the folder and those above it, with a place for locks; parts have none before
    /// [`OutputFolder::make_places`].
    ///
    /// # Errors
    /// [`Error::Io`] if one cannot be made.
    pub fn make(&self) -> Result<(), Error> {
        make_folder(&self.own())
    }

    /// Makes the places of parts and of their records.
    ///
    /// # Errors
    /// [`Error::Io`] if one cannot be made.
    pub fn make_places(&self) -> Result<(), Error> {
        make_folder(&self.data())?;
        make_folder(&self.records())
    }

    /// Whether the output says that it is whole.
    pub fn is_whole(&self) -> bool {
        self.marker().exists()
    }

    /// Says that the output is whole.
    ///
    /// # Errors
    /// [`Error::Io`] if the marker cannot be written.
    pub fn mark_whole(&self) -> Result<(), Error> {
        if self.is_whole() { Ok(()) } else { self.write(&self.marker(), b"") }
    }

    /// Takes [`OutputFolder::mark_whole`] back; nothing happens if there is no marker.
    ///
    /// # Errors
    /// [`Error::Io`] if the marker cannot be removed.
    pub fn clear_marker(&self) -> Result<(), Error> {
        match fs_err::remove_file(self.marker()) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            result => {
                result?;
                sync_folder(&self.root)
            }
        }
    }

    /// Removes a manifest that cannot be understood, and all records. Its parts are then
    /// [strays](super::stray_parts).
    ///
    /// # Errors
    /// [`Error::Io`] if one cannot be removed; [`Error::Locked`] if a run of an earlier version is writing to an
    /// old output.
    pub fn forget(&self) -> Result<(), Error> {
        if self.is_old() {
            old::Old::lock(self)?.remove(self)?;
        }
        ignore_absent(fs_err::remove_file(self.manifest()))?;
        for (path, _) in list(&self.records())? {
            ignore_absent(fs_err::remove_file(path))?;
        }
        Ok(())
    }

    /// Replaces a file of the output at once.
    pub(super) fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), Error> {
        replace(path, &self.own(), bytes)
    }
}

/// Makes a folder and those above it, for good.
fn make_folder(folder: &Path) -> Result<(), Error> {
    let is_missing = |path: &&Path| !path.as_os_str().is_empty() && !path.is_dir();
    let missing: Vec<&Path> = folder.ancestors().take_while(is_missing).collect();
    fs_err::create_dir_all(folder)?;
    missing.into_iter().rev().try_for_each(|made| sync_folder(parent(made)))
}
