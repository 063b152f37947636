//! What is recorded of an output, as outputs are now or as they were: read, and forgotten.

use super::manifest::FORMAT_VERSION;
use super::old::{self, Old};
use super::{Manifest, OutputFolder, records};
use crate::Error;

impl Manifest {
    /// Reads the manifest of an output folder with the records of parts that it does not have yet; `None`
    /// if there is none. That of an [old output](OutputFolder::is_old) is read as well.
    ///
    /// # Errors
    /// [`Error::ManifestVersion`], [`Error::ManifestName`], [`Error::Manifest`] if it cannot be
    /// relied on; [`Error::Io`] if it cannot be read.
    pub fn load(folder: &OutputFolder) -> Result<Option<Self>, Error> {
        // Records first: those that are taken over meanwhile are in the manifest then, and say the same.
        let records = records::load(folder)?;
        let Some(mut manifest) = Self::read(folder.store(), &folder.manifest(), FORMAT_VERSION)? else {
            return old::manifest(folder);
        };
        manifest.add(&records)?;
        Ok(Some(manifest))
    }
}

impl OutputFolder {
    /// Removes a manifest that cannot be understood, and all records. Its parts are then
    /// [strays](super::stray_parts).
    ///
    /// # Errors
    /// [`Error::Io`] if one cannot be removed; [`Error::Locked`] if a run of an earlier version is writing to an
    /// old output.
    pub fn forget(&self) -> Result<(), Error> {
        if self.is_old() {
            Old::lock(self)?.remove(self)?;
        }
        self.remove(&self.manifest())?;
        for (path, _) in self.store().list(&self.records())? {
            self.remove(&path)?;
        }
        Ok(())
    }
}
