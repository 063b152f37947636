//! A manifest that the shards of a run change one after the other.

use std::collections::BTreeMap;
use std::io::ErrorKind;

use fs_err::File;

use super::manifest::FORMAT_VERSION;
use super::{Manifest, OutputFolder, PartRecord, Stamp, lock, old, records};
use crate::{ClosedPart, Error, FinishedPart};

/// The manifest of an output folder, as this process saw it last.
#[derive(Debug)]
pub struct SharedManifest {
    folder: OutputFolder,
    manifest: Manifest,
    /// Of its file then, which is replaced whenever it changes; none where there was none.
    stamp: Option<Stamp>,
}

impl SharedManifest {
    /// The manifest of `folder`; `initial` is what the first update begins with where there is none.
    pub fn new(folder: OutputFolder, initial: Manifest) -> Self {
        Self { folder, manifest: initial, stamp: None }
    }

    /// Reads the manifest, if there is one, as [`Manifest::load`] does.
    ///
    /// # Errors
    /// Those of [`Manifest::load`].
    pub fn read(&mut self) -> Result<Option<&Manifest>, Error> {
        let is_there = !self.folder.is_new();
        self.refresh_with_records()?;
        Ok(is_there.then_some(&self.manifest))
    }

    /// What this process knows.
    pub fn get(&self) -> &Manifest {
        &self.manifest
    }

    /// Changes the manifest and saves it, with all records, if anything about it is new. Shards do so one
    /// after the other. An old output is taken over, with the parts that `change` leaves in the manifest.
    ///
    /// # Errors
    /// Those of [`Manifest::load`], [`Manifest::save`] and `change`, with which nothing is changed;
    /// [`Error::Locked`] if a run of an earlier version is writing to an old output.
    pub fn update<E: From<Error>>(
        &mut self,
        change: impl FnOnce(&mut Manifest) -> Result<(), E>,
    ) -> Result<(), E> {
        let _lock = lock::lock_manifest(&self.folder)?;
        let old = old::Old::find(&self.folder)?;
        let records = self.refresh_with_records()?;
        let mut manifest = self.manifest.clone();
        change(&mut manifest)?;
        self.folder.make_places()?;
        if let Some(old) = &old {
            old.move_parts(&self.folder, &manifest)?;
        }
        if self.stamp.is_none() || !records.is_empty() || manifest != self.manifest {
            let (agreeing, others): (Vec<_>, Vec<_>) =
                records.iter().partition(|(part, record)| manifest.parts.get(*part) == Some(record));
            // Beside the new manifest, they would add to it.
            records::remove(&self.folder, others)?;
            manifest.save(&self.folder)?;
            records::remove(&self.folder, agreeing)?;
        }
        if let Some(old) = old {
            old.remove(&self.folder)?;
        }
        (self.manifest, self.stamp) = (manifest, self.file_stamp()?);
        Ok(())
    }

    /// Does what must not happen while another shard changes the manifest or commits a part.
    ///
    /// # Errors
    /// Those of [`Manifest::load`] and `action`.
    pub fn hold<T, E: From<Error>>(
        &mut self,
        action: impl FnOnce(&Manifest) -> Result<T, E>,
    ) -> Result<T, E> {
        let _lock = lock::lock_manifest(&self.folder)?;
        self.refresh_with_records()?;
        action(&self.manifest)
    }

    /// Gives a part its name and writes its record, in one step as far as other shards can see, which costs
    /// the same however many parts there are. Before, `check` sees the manifest, which others may have
    /// changed meanwhile; it may lack what other shards have just committed.
    ///
    /// # Errors
    /// Those of `check`; [`Error::Io`] if either cannot be written.
    pub fn commit<E: From<Error>>(
        &mut self,
        part: ClosedPart,
        check: impl FnOnce(&Manifest) -> Result<(), E>,
        record: impl FnOnce(&FinishedPart) -> PartRecord,
    ) -> Result<FinishedPart, E> {
        let _lock = lock::lock_manifest(&self.folder)?;
        self.refresh()?;
        check(&self.manifest)?;
        let part = part.commit()?;
        let record = record(&part);
        records::write(&self.folder, &part.file_name, &record)?;
        self.manifest.parts.insert(part.file_name.clone(), record);
        Ok(part)
    }

    /// Whether a part was committed since the manifest was last saved.
    pub fn has_record(&self, part: &str) -> bool {
        records::path(&self.folder, part).exists()
    }

    /// Reads the manifest's file again if somebody has replaced it.
    fn refresh(&mut self) -> Result<(), Error> {
        let stamp = self.file_stamp()?;
        if stamp != self.stamp
            && let Some(manifest) = Manifest::read(&self.folder.manifest(), FORMAT_VERSION)?
        {
            self.manifest = manifest;
        }
        self.stamp = stamp;
        Ok(())
    }

    /// As [`SharedManifest::refresh`], with all records, which are returned. Without a manifest they are
    /// those of nobody, and an old one may be there instead.
    fn refresh_with_records(&mut self) -> Result<BTreeMap<String, PartRecord>, Error> {
        self.refresh()?;
        let records = records::load(&self.folder)?;
        if self.stamp.is_some() {
            self.manifest.add(&records)?;
        } else if let Some(old) = old::manifest(&self.folder)? {
            self.manifest = old;
        }
        Ok(records)
    }

    fn file_stamp(&self) -> Result<Option<Stamp>, Error> {
        // Of an open file: about that, a network file system asks its server.
        match File::open(self.folder.manifest()) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            file => Ok(Some(Stamp::from(&file?.metadata()?))),
        }
    }
}
