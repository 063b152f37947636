//! The places in an output folder, and the marker that says it is whole.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::commit::{parent, replace, sync_folder};
use super::lease::Lease;
use super::{Manifest, OutputLock, Stamp};
use crate::error::StoreTrouble;
use crate::store::{On, Remote};
use crate::{ClosedPart, Error, FinishedPart, Growing, Store, Stores};

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

/// So much of its hash is in the name of a part in a store.
const PART_HASH_DIGITS: usize = 16;

/// How long a part that came too late is tried to be removed.
const TAKEN_BACK: Duration = Duration::from_secs(5);

/// The name of the file that says the output is whole.
pub const SUCCESS_FILE: &str = "_SUCCESS";

/// An output folder, which need not exist:
///
/// ```text
/// vectors/
///   data/       the parts
///   _strata/    manifest, records, notes, locks, and files that are not yet whole
///   _SUCCESS    says that the output is whole
/// ```
#[derive(Debug, Clone)]
pub struct OutputFolder {
    root: PathBuf,
    store: Store,
    /// What must not have run out where something is changed.
    lease: Option<Arc<Lease>>,
}

impl OutputFolder {
    /// The output folder at `root`, which is a path.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), store: Store::Local, lease: None }
    }

    /// The output folder at `root`, which is a path or an address.
    ///
    /// # Errors
    /// [`Error::Address`] if there is no such store, or if nothing can be written to it.
    pub fn at(root: &Path, stores: &Stores) -> Result<Self, Error> {
        let store = stores.of(root)?;
        if let Store::Remote(remote) = &store {
            remote.check_writable(root)?;
        }
        // What follows is joined by one slash.
        let root = match store.is_local() {
            true => root.to_owned(),
            false => root.to_string_lossy().trim_end_matches('/').into(),
        };
        Ok(Self { root, store, lease: None })
    }

    /// The same folder, changed only as long as `lock` is held.
    #[must_use]
    pub fn under(self, lock: &OutputLock) -> Self {
        Self { lease: lock.lease(), ..self }
    }

    /// What the folder lies in.
    pub fn store(&self) -> &Store {
        &self.store
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

    /// Where parts grow.
    pub fn growing(&self) -> Growing {
        if self.store.is_local() { Growing::In(self.own()) } else { Growing::Apart }
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

    /// Where the part of this [file name](crate::PartRecord::file_name) is: with all others, or in an old output
    /// beside its manifest.
    pub fn find_part(&self, file_name: &str) -> PathBuf {
        let (place, old) = (self.data().join(file_name), self.root.join(file_name));
        // Somebody may have begun to take the output over.
        if self.is_old() && !place.exists() { old } else { place }
    }

    /// Whether an earlier version made the output and nobody has taken it over.
    pub fn is_old(&self) -> bool {
        // Earlier versions knew no stores.
        self.store.is_local() && !self.manifest().exists() && self.old_manifest().exists()
    }

    /// Whether nothing says what the folder holds.
    ///
    /// # Errors
    /// [`Error::Store`] if that cannot be found out.
    pub fn is_new(&self) -> Result<bool, Error> {
        Ok(!self.store.exists(&self.manifest())? && !self.is_old())
    }

    /// Makes the folder and those above it, with a place for locks; parts have none before
    /// [`OutputFolder::make_places`].
    ///
    /// # Errors
    /// [`Error::Io`] if one cannot be made.
    pub fn make(&self) -> Result<(), Error> {
        // Stores have no folders, only names with slashes.
        if self.store.is_local() { make_folder(&self.own()) } else { Ok(()) }
    }

    /// Makes the places of parts and of their records.
    ///
    /// # Errors
    /// [`Error::Io`] if one cannot be made.
    pub fn make_places(&self) -> Result<(), Error> {
        if !self.store.is_local() {
            return Ok(());
        }
        make_folder(&self.data())?;
        make_folder(&self.records())
    }

    /// Whether the output says that it is whole.
    ///
    /// # Errors
    /// [`Error::Store`] if that cannot be found out.
    pub fn is_whole(&self) -> Result<bool, Error> {
        self.store.exists(&self.marker())
    }

    /// Says that the output is whole.
    ///
    /// # Errors
    /// [`Error::Io`] if the marker cannot be written.
    pub fn mark_whole(&self) -> Result<(), Error> {
        if self.is_whole()? { Ok(()) } else { self.write(&self.marker(), b"") }
    }

    /// Takes [`OutputFolder::mark_whole`] back; nothing happens if there is no marker.
    ///
    /// # Errors
    /// [`Error::Io`] if the marker cannot be removed.
    pub fn clear_marker(&self) -> Result<(), Error> {
        if !self.is_whole()? {
            return Ok(());
        }
        self.remove(&self.marker())?;
        if self.store.is_local() { sync_folder(&self.root) } else { Ok(()) }
    }

    /// Removes a file of the output.
    ///
    /// # Errors
    /// [`Error::LeaseLost`]; [`Error::Io`], [`Error::Store`] if it cannot be removed.
    pub fn remove(&self, path: &Path) -> Result<(), Error> {
        match &self.store {
            Store::Local => self.store.remove(path),
            Store::Remote(remote) => self.guarded(remote, |limit| remote.remove_within(limit, path)),
        }
    }

    /// Does something for which nobody else may write here, and does not go on with it later than that is sure.
    pub(super) fn guarded<T>(
        &self,
        remote: &Remote,
        action: impl Fn(Option<Duration>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let Some(lease) = &self.lease else { return action(None) };
        let began = Instant::now();
        loop {
            let left = lease.check()?;
            match action(Some(left)) {
                Err(Error::Store { trouble: StoreTrouble::Failed, .. })
                    if began.elapsed() < remote.patience() => {}
                done => return done,
            }
        }
    }

    /// Makes sure that nobody else may write here by now.
    pub(super) fn check_lease(&self) -> Result<(), Error> {
        self.lease.as_ref().map_or(Ok(()), |lease| lease.check().map(drop))
    }

    /// Whether this process may be alone in writing here, and knows when it may no more.
    pub(super) fn is_leased(&self) -> bool {
        self.lease.is_some()
    }

    /// Replaces a file of the output at once.
    pub(super) fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), Error> {
        match &self.store {
            Store::Local => replace(path, &self.own(), bytes),
            Store::Remote(remote) => {
                self.guarded(remote, |limit| remote.put_within(limit, path, bytes, On::Overwrite).map(drop))
            }
        }
    }

    /// Gives a part its place, for good. In a store its name says what is in it, so that no writer can put
    /// other bytes where a part is, however late they come.
    pub(super) fn place(&self, part: ClosedPart) -> Result<FinishedPart, Error> {
        let Store::Remote(remote) = &self.store else { return part.commit() };
        self.check_lease()?;
        let (bytes, mut finished) = part.into_bytes();
        let (stem, extension) = finished.file_name.rsplit_once('.').unwrap_or((&finished.file_name, ""));
        let name = format!("{stem}-{}.{extension}", &finished.blake3[..PART_HASH_DIGITS]);
        remote.upload(&self.data().join(&name), bytes, &self.own())?;
        if let Err(lost) = self.check_lease() {
            if let Error::LeaseLost { .. } = lost {
                // What is to be said is that the lease is lost, not that a sweep is left to the next run.
                let _ = self.take_back(remote, &name);
            }
            return Err(lost);
        }
        finished.stored_as = Some(name);
        Ok(finished)
    }

    /// Removes a part that came too late, of which readers of the folder would have the rows twice. Whoever holds the
    /// output now may just have put the same part there, and removes what is of no use before the output is whole: only
    /// of a whole one nobody else does it, and what its manifest does not name is nobody's.
    fn take_back(&self, remote: &Remote, name: &str) -> Result<(), Error> {
        if !self.is_whole()? {
            return Ok(());
        }
        let is_known =
            |manifest: Manifest| manifest.parts.values().any(|part| part.stored_as.as_deref() == Some(name));
        match Manifest::load(self)?.is_some_and(is_known) {
            true => Ok(()),
            // Not later than that is sure.
            false => remote.remove_within(Some(TAKEN_BACK), &self.data().join(name)),
        }
    }

    /// Uploads that were begun and not yet ended, by what is noted of them; a folder has none.
    ///
    /// # Errors
    /// [`Error::Store`] if they cannot be listed.
    pub fn uploads(&self) -> Result<Vec<PathBuf>, Error> {
        match &self.store {
            Store::Local => Ok(Vec::new()),
            Store::Remote(remote) => remote.uploads(&self.own()),
        }
    }

    /// Gives up an upload that nobody goes on with.
    ///
    /// # Errors
    /// [`Error::LeaseLost`]; [`Error::Store`] if that cannot be done.
    pub fn give_up(&self, upload: &Path) -> Result<(), Error> {
        let Store::Remote(remote) = &self.store else { return Ok(()) };
        self.check_lease()?;
        remote.give_up(upload)
    }

    /// What the store says of all parts that are there.
    ///
    /// # Errors
    /// [`Error::Store`] if it says nothing.
    pub fn stamps(&self) -> Result<PartStamps, Error> {
        Ok(match &self.store {
            Store::Local => PartStamps::Asked,
            Store::Remote(remote) => {
                let listed = remote.list(&self.data())?.into_iter();
                PartStamps::Listed(listed.map(|(path, meta)| (path, Stamp::from(&meta))).collect())
            }
        })
    }
}

/// The stamps of parts: of files each when it is asked for, of a store all at once.
pub enum PartStamps {
    /// By their paths.
    Asked,
    /// What was said.
    Listed(HashMap<PathBuf, Stamp>),
}

impl PartStamps {
    /// That of a part, if it is there.
    pub fn of(&self, path: &Path) -> Option<Stamp> {
        match self {
            Self::Asked => Stamp::of(path).ok(),
            Self::Listed(stamps) => stamps.get(path).copied(),
        }
    }
}

/// Makes a folder and those above it, for good.
fn make_folder(folder: &Path) -> Result<(), Error> {
    let is_missing = |path: &&Path| !path.as_os_str().is_empty() && !path.is_dir();
    let missing: Vec<&Path> = folder.ancestors().take_while(is_missing).collect();
    fs_err::create_dir_all(folder)?;
    missing.into_iter().rev().try_for_each(|made| sync_folder(parent(made)))
}
