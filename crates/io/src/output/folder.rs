//! The places in an output folder, and the marker that says it is whole.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::commit::{parent, replace, sync_folder};
use crate::Error;

/// The folder of the parts, in which nothing else ever is.
const DATA_FOLDER: &str = "data";

/// The folder of what only strata reads. Readers of folders pass over names that begin with `_`.
const OWN_FOLDER: &str = "_strata";

/// Among what only strata reads, what the output holds.
const MANIFEST_FILE: &str = "manifest.json";

/// Beside it, the folder of what parts hold.
const RECORDS_FOLDER: &str = "parts";

/// In outputs of strata 0.3 and before, beside the parts and a manifest of the same name.
const OLD_NOTES_FILE: &str = ".strata.notes.json";
const OLD_LOCK_FILE: &str = ".strata.lock";

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

    /// The place of the manifest.
    pub fn manifest(&self) -> PathBuf {
        self.own().join(MANIFEST_FILE)
    }

    pub(super) fn records(&self) -> PathBuf {
        self.own().join(RECORDS_FOLDER)
    }

    pub(super) fn old_manifest(&self) -> PathBuf {
        self.root.join(MANIFEST_FILE)
    }

    pub(super) fn old_notes(&self) -> PathBuf {
        self.root.join(OLD_NOTES_FILE)
    }

    pub(super) fn old_lock(&self) -> PathBuf {
        self.root.join(OLD_LOCK_FILE)
    }

    /// Where a part is: with all others, or in an old output beside its manifest.
    pub fn find_part(&self, file_name: &str) -> PathBuf {
        let (place, old) = (self.data().join(file_name), self.root.join(file_name));
        // Somebody may have begun to take the output over.
        if self.is_old() && !place.exists() { old } else { place }
    }

    /// Whether an earlier version made the output and nobody has taken it over.
    pub fn is_old(&self) -> bool {
        !self.manifest().exists() && self.old_manifest().exists()
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
