//! A manifest that the shards of a run change one after the other.

use std::collections::BTreeMap;
use std::io::ErrorKind;

use fs_err::File;

use super::lease::Refusals;
use super::manifest::FORMAT_VERSION;
use super::{Manifest, OutputFolder, PartRecord, Stamp, lock, old, records};
use crate::store::{On, Version};
use crate::{ClosedPart, Error, FinishedPart, Store};

/// The manifest of an output folder, as this process saw it last.
#[derive(Debug)]
pub struct SharedManifest {
    folder: OutputFolder,
    manifest: Manifest,
    /// Of its file then, which is replaced whenever it changes; none where there was none.
    seen: Option<Seen>,
}

/// What a manifest was read from.
#[derive(Debug, Clone, PartialEq)]
struct Seen {
    stamp: Stamp,
    /// In a store.
    version: Option<Version>,
}

impl SharedManifest {
    /// The manifest of `folder`; `initial` is what the first update begins with where there is none.
    pub fn new(folder: OutputFolder, initial: Manifest) -> Self {
        Self { folder, manifest: initial, seen: None }
    }

    /// Reads the manifest, if there is one, as [`Manifest::load`] does.
    ///
    /// # Errors
    /// Those of [`Manifest::load`].
    pub fn read(&mut self) -> Result<Option<&Manifest>, Error> {
        let is_there = !self.folder.is_new()?;
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
    /// [`Error::Locked`] if a run of an earlier version is writing to an old output; [`Error::Address`] if a store
    /// has no conditional writes.
    pub fn update<E: From<Error>>(
        &mut self,
        mut change: impl FnMut(&mut Manifest) -> Result<(), E>,
    ) -> Result<(), E> {
        let _lock = lock::lock_manifest(&self.folder)?;
        let old = old::Old::find(&self.folder)?;
        let mut refusals = Refusals::default();
        loop {
            let records = self.refresh_with_records()?;
            let mut manifest = self.manifest.clone();
            change(&mut manifest)?;
            self.folder.make_places()?;
            if let Some(old) = &old {
                old.move_parts(&self.folder, &manifest)?;
            }
            if self.seen.is_some() && records.is_empty() && manifest == self.manifest {
                break;
            }
            let (agreeing, others): (Vec<_>, Vec<_>) =
                records.iter().partition(|(part, record)| manifest.parts.get(*part) == Some(record));
            // Beside the new manifest, they would add to it.
            records::remove(&self.folder, others)?;
            let before = self.version();
            if self.save(manifest)? {
                records::remove(&self.folder, agreeing)?;
                break;
            }
            // Another shard was faster: its manifest is what this one changes.
            if let Store::Remote(remote) = self.folder.store() {
                refusals.note(remote, &self.folder.manifest(), self.version() != before)?;
                refusals.pause();
            }
        }
        if let Some(old) = old {
            old.remove(&self.folder)?;
        }
        Ok(())
    }

    /// The version of the manifest's file in a store, as it was seen last.
    fn version(&self) -> Option<Version> {
        self.seen.as_ref()?.version.clone()
    }

    /// Whether nobody has changed the manifest since it was read, which keeps it from being written.
    fn save(&mut self, manifest: Manifest) -> Result<bool, Error> {
        let path = self.folder.manifest();
        let Store::Remote(remote) = self.folder.store() else {
            manifest.save(&self.folder)?;
            self.seen = self.file_stamp()?.map(|stamp| Seen { stamp, version: None });
            self.manifest = manifest;
            return Ok(true);
        };
        let on = self.version().map_or(On::Create, On::Update);
        let bytes = manifest.to_bytes(&self.folder)?;
        let put = |limit| remote.put_within(limit, &path, &bytes, on.clone());
        let is_saved = self.folder.guarded(remote, put)?.is_some();
        if is_saved {
            self.manifest = manifest;
        }
        // Others may have changed it already: then it is theirs that is read.
        self.seen = None;
        self.refresh()?;
        Ok(is_saved)
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
        check: impl Fn(&Manifest) -> Result<(), E>,
        record: impl FnOnce(&FinishedPart) -> PartRecord,
    ) -> Result<FinishedPart, E> {
        let _lock = lock::lock_manifest(&self.folder)?;
        self.refresh()?;
        check(&self.manifest)?;
        let part = self.folder.place(part)?;
        if !self.folder.store().is_local() {
            // It took its time to be there, and no lock kept others away meanwhile.
            self.refresh()?;
            check(&self.manifest)?;
        }
        let record = record(&part);
        records::write(&self.folder, &part.file_name, &record)?;
        self.manifest.parts.insert(part.file_name.clone(), record);
        Ok(part)
    }

    /// Whether a part was committed since the manifest was last saved.
    ///
    /// # Errors
    /// [`Error::Store`] if that cannot be found out.
    pub fn has_record(&self, part: &str) -> Result<bool, Error> {
        self.folder.store().exists(&records::path(&self.folder, part))
    }

    /// Reads the manifest's file again if somebody has replaced it.
    fn refresh(&mut self) -> Result<(), Error> {
        let (path, stamp) = (self.folder.manifest(), self.file_stamp()?);
        if stamp == self.seen.as_ref().map(|seen| seen.stamp) {
            return Ok(());
        }
        let Store::Remote(remote) = self.folder.store() else {
            if let Some(manifest) = Manifest::read(&Store::Local, &path, FORMAT_VERSION)? {
                self.manifest = manifest;
            }
            self.seen = stamp.map(|stamp| Seen { stamp, version: None });
            return Ok(());
        };
        let Some((bytes, version)) = remote.get(&path)? else {
            self.seen = None;
            return Ok(());
        };
        self.manifest = Manifest::parse(&path, &bytes, FORMAT_VERSION)?;
        // If it was replaced between the two looks, it is read once more.
        self.seen = stamp.map(|stamp| Seen { stamp, version: Some(version) });
        Ok(())
    }

    /// As [`SharedManifest::refresh`], with all records, which are returned. Without a manifest they are
    /// those of nobody, and an old one may be there instead.
    fn refresh_with_records(&mut self) -> Result<BTreeMap<String, PartRecord>, Error> {
        let records = loop {
            self.refresh()?;
            let records = records::load(&self.folder)?;
            // Without a lock, a manifest may have taken records over between the two looks.
            if self.folder.store().is_local()
                || self.file_stamp()? == self.seen.as_ref().map(|seen| seen.stamp)
            {
                break records;
            }
        };
        if self.seen.is_some() {
            self.manifest.add(&records)?;
        } else if let Some(old) = old::manifest(&self.folder)? {
            self.manifest = old;
        }
        Ok(records)
    }

    fn file_stamp(&self) -> Result<Option<Stamp>, Error> {
        if let Store::Remote(remote) = self.folder.store() {
            return Ok(remote.head(&self.folder.manifest())?.map(|meta| Stamp::from(&meta)));
        }
        // Of an open file: about that, a network file system asks its server.
        match File::open(self.folder.manifest()) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            file => Ok(Some(Stamp::from(&file?.metadata()?))),
        }
    }
}
