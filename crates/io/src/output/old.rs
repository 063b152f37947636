//! Outputs of strata 0.3 and before: parts, manifest, notes and locks side by side in one folder.

use fs_err::File;

use super::commit::sync_folder;
use super::sweep::{ignore_absent, list, sweep};
use super::{Manifest, OutputFolder, lock};
use crate::{Error, Store};

const FORMAT_VERSION: u32 = 1;
/// What the names of all files begin with that only strata read.
const OWN_PREFIX: &str = ".strata.";

/// An old output that is being taken over. No program of its time writes to it meanwhile.
pub(super) struct Old {
    _lock: File,
}

impl Old {
    /// What there is of an old output, or what a dead run has left of it.
    pub(super) fn find(folder: &OutputFolder) -> Result<Option<Self>, Error> {
        if !folder.store().is_local() {
            return Ok(None);
        }
        let is_ours = match folder.manifest().exists() {
            // Whatever else has this name is not for us to judge.
            true => matches!(manifest(folder), Ok(Some(_))),
            false => manifest(folder)?.is_some(),
        };
        if is_ours { Self::lock(folder).map(Some) } else { Ok(None) }
    }

    /// Locks an old output, whatever its manifest.
    pub(super) fn lock(folder: &OutputFolder) -> Result<Self, Error> {
        let path = folder.old_lock();
        let file = lock::open(&path)?;
        lock::take(|| file.try_lock(), || lock::read_holder(&path), folder)?;
        Ok(Self { _lock: file })
    }

    /// Moves the parts of a manifest to their place. What a dead run has moved is there.
    pub(super) fn move_parts(&self, folder: &OutputFolder, manifest: &Manifest) -> Result<(), Error> {
        folder.clear_marker()?;
        let data = folder.data();
        for part in manifest.parts.keys() {
            let from = folder.root().join(part);
            if from.exists() {
                fs_err::rename(from, data.join(part))?;
            }
        }
        sync_folder(&data)?;
        sync_folder(folder.root())
    }

    /// Removes all that is left of the old output but parts, which are
    /// [strays](super::stray_parts) from now on. The manifest goes last: by it a later run knows that there
    /// is something left.
    pub(super) fn remove(self, folder: &OutputFolder) -> Result<(), Error> {
        sweep(folder.root(), |_| false)?;
        for (path, name) in list(folder.root())? {
            if name.starts_with(OWN_PREFIX) {
                ignore_absent(fs_err::remove_file(path))?;
            }
        }
        fs_err::remove_file(folder.old_manifest())?;
        sync_folder(folder.root())
    }
}

/// The manifest of an old output.
pub(super) fn manifest(folder: &OutputFolder) -> Result<Option<Manifest>, Error> {
    match folder.store() {
        // Their versions knew no stores.
        Store::Remote(_) => Ok(None),
        local => Manifest::read(local, &folder.old_manifest(), FORMAT_VERSION),
    }
}
