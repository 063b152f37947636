//! One run per output folder, or one per shard. The kernel releases the locks of a process that
//! dies, so a lock file alone means nothing.

use std::fmt;
use std::fs::TryLockError;
use std::io::{ErrorKind, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono::{SecondsFormat, Utc};
use fs_err::File;
use serde::{Deserialize, Serialize};

use super::OutputFolder;
use super::lease::{self, Lease, machine, process_since};
use crate::store::Remote;
use crate::{Error, Store};

const LOCK_FILE: &str = "lock";
const MANIFEST_LOCK_FILE: &str = "manifest.lock";

/// The right to write to an output folder, held until dropped.
#[derive(Debug)]
pub struct OutputLock(Held);

#[derive(Debug)]
enum Held {
    Files {
        /// Dropped first: whoever waits for the folder must find no shard left.
        _shard: Option<File>,
        _folder: File,
    },
    Lease(Arc<Lease>),
}

/// Who holds a lock, for the message to whoever does not get it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Holder {
    pub pid: u32,
    /// UTC, RFC 3339, to the second.
    pub since: String,
    /// The same in nanoseconds since 1970: one process may hold it twice within a second.
    #[serde(default)]
    since_ns: i64,
    /// Where the process is.
    #[serde(default)]
    pub machine: String,
    /// When it was started, as its machine counts.
    #[serde(default)]
    pub process_since: Option<u64>,
    /// How often a lease was renewed.
    #[serde(default)]
    pub beat: u64,
    /// Whether a lease was given back.
    #[serde(default)]
    pub is_over: bool,
}

impl Holder {
    /// This process, from now on.
    pub(super) fn me() -> Self {
        let (now, pid) = (Utc::now(), std::process::id());
        Self {
            pid,
            since: now.to_rfc3339_opts(SecondsFormat::Secs, true),
            since_ns: now.timestamp_nanos_opt().unwrap_or_default(),
            machine: machine(),
            process_since: process_since(pid),
            beat: 0,
            is_over: false,
        }
    }

    /// What no two that take a lock have in common.
    pub(super) fn signature(&self) -> String {
        format!("{} {} {}", self.since_ns, self.pid, self.machine)
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} since {}", self.pid, self.since)
    }
}

impl OutputLock {
    /// Takes the lock of `folder`, which must have been [made](OutputFolder::make), or fails at once.
    /// Without a `shard` nobody else may write there; the shard `(I, N)` tolerates other shards of the same
    /// `N`.
    ///
    /// # Errors
    /// [`Error::Locked`] if another run holds it; [`Error::Io`] if the lock cannot be taken.
    pub fn acquire(folder: &OutputFolder, shard: Option<(u32, u32)>) -> Result<Self, Error> {
        if let Store::Remote(remote) = folder.store() {
            return Self::lease_of(remote, folder, shard);
        }
        let whole = open(&lock_file(folder, None))?;
        let Some((_, count)) = shard else {
            take(|| whole.try_lock(), || holder_of_any(folder), folder)?;
            sign(&whole)?;
            return Ok(Self(Held::Files { _shard: None, _folder: whole }));
        };
        take(|| whole.try_lock_shared(), || read_holder(&lock_file(folder, None)), folder)?;
        // The last run that had the folder to itself is over: its signature would mislead.
        whole.set_len(0)?;
        refuse_other_counts(folder, count)?;
        let path = lock_file(folder, shard);
        let own = open(&path)?;
        take(|| own.try_lock(), || read_holder(&path), folder)?;
        sign(&own)?;
        Ok(Self(Held::Files { _shard: Some(own), _folder: whole }))
    }

    /// Takes a lease of its own first and looks at the others then: of two that do so at once, one sees the other.
    fn lease_of(
        remote: &Arc<Remote>,
        folder: &OutputFolder,
        shard: Option<(u32, u32)>,
    ) -> Result<Self, Error> {
        let (whole, root) = (lock_file(folder, None), folder.root());
        let own = lock_file(folder, shard);
        let lease = Lease::take(remote, &own, root)?;
        let is_in_the_way = |file: &PathBuf| match shard {
            None => *file != own,
            Some((_, count)) => *file == whole || !file.to_string_lossy().ends_with(&format!("-of-{count}")),
        };
        let others: Vec<PathBuf> = lock_files(folder)?.into_iter().filter(is_in_the_way).collect();
        let found = lease::wait_for(remote, &others, root)?;
        lease::end(remote, others.into_iter().zip(found), root)?;
        Ok(Self(Held::Lease(Arc::new(lease))))
    }

    /// Whether nobody else can be writing to an output in a store of which this process holds the lock, or
    /// that of a `shard`. In a folder, locks keep others away where it matters.
    ///
    /// # Errors
    /// [`Error::Store`] if that cannot be found out.
    pub fn is_alone(folder: &OutputFolder, shard: Option<(u32, u32)>) -> Result<bool, Error> {
        let Store::Remote(remote) = folder.store() else { return Ok(true) };
        let own = lock_file(folder, shard);
        for file in lock_files(folder)?.into_iter().filter(|file| *file != own) {
            if lease::look(remote, &file)?.is_some_and(|(holder, _)| !lease::is_free(&holder)) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// What must not run out while the lock is relied on.
    pub(super) fn lease(&self) -> Option<Arc<Lease>> {
        match &self.0 {
            Held::Files { .. } => None,
            Held::Lease(lease) => Some(Arc::clone(lease)),
        }
    }

    /// What the run that has `folder` to itself, or had it last, has signed with: no two sign with the same.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Store`] if that cannot be read.
    pub fn signature(folder: &OutputFolder) -> Result<Option<String>, Error> {
        let Some(bytes) = folder.store().read(&lock_file(folder, None))? else { return Ok(None) };
        Ok(serde_json::from_slice(&bytes).ok().map(|holder: Holder| holder.signature()))
    }
}

/// Keeps others from changing the manifest of `folder` until it is dropped.
///
/// In a store nobody can: there a manifest replaces only the one that it was made from.
pub(super) fn lock_manifest(folder: &OutputFolder) -> Result<Option<File>, Error> {
    if !folder.store().is_local() {
        return Ok(None);
    }
    let lock = open(&folder.own().join(MANIFEST_LOCK_FILE))?;
    lock.lock()?;
    Ok(Some(lock))
}

/// Looks whether a run is writing to `folder`, without keeping one from starting.
///
/// # Errors
/// [`Error::Locked`] if so; [`Error::Io`] if that cannot be found out.
pub fn refuse_if_locked(folder: &OutputFolder) -> Result<(), Error> {
    if let Store::Remote(remote) = folder.store() {
        return lease::wait_for(remote, &lock_files(folder)?, folder.root()).map(drop);
    }
    let old = folder.old_lock();
    refuse_if_held(&old, || read_holder(&old), folder)?;
    refuse_if_held(&lock_file(folder, None), || holder_of_any(folder), folder)?;
    // Where the folder may only be read, that was no look at shards: they share its lock.
    let refuse = |shard: &PathBuf| refuse_if_held(shard, || read_holder(shard), folder);
    shard_files(folder)?.iter().try_for_each(refuse)
}

fn refuse_if_held(
    lock: &Path,
    holder: impl Fn() -> Option<Holder>,
    folder: &OutputFolder,
) -> Result<(), Error> {
    if !lock.exists() {
        return Ok(());
    }
    // A network file system locks exclusively only what is open for writing.
    match File::options().read(true).write(true).open(lock) {
        Ok(file) => take(|| file.try_lock(), holder, folder),
        Err(error) if matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem) => {
            let file = File::open(lock)?;
            take(|| file.try_lock_shared(), holder, folder)
        }
        Err(error) => Err(error.into()),
    }
}

/// Opens a lock file without touching what its holder wrote there.
pub(super) fn open(path: &Path) -> Result<File, Error> {
    let mut options = File::options();
    Ok(options.read(true).write(true).create(true).truncate(false).open(path)?)
}

pub(super) fn take(
    lock: impl Fn() -> Result<(), TryLockError>,
    holder: impl Fn() -> Option<Holder>,
    folder: &OutputFolder,
) -> Result<(), Error> {
    // Somebody may just be looking, or be about to sign: only what lasts is a holder.
    let mut named = None;
    for attempt in 0..5 {
        match lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::Error(error)) => return Err(error.into()),
            Err(TryLockError::WouldBlock) => named = holder(),
        }
        if attempt > 0 && named.is_some() {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let (pid, since) = named.map(|holder| (holder.pid, holder.since)).unzip();
    Err(Error::Locked { folder: folder.root().to_owned(), pid, since })
}

/// Shards of different counts overlap: `0/2` and `1/3` would both write part 4.
fn refuse_other_counts(folder: &OutputFolder, count: u32) -> Result<(), Error> {
    for path in shard_files(folder)? {
        let same = path.to_string_lossy().ends_with(&format!("-of-{count}"));
        if !same {
            let other = open(&path)?;
            take(|| other.try_lock_shared(), || read_holder(&path), folder)?;
        }
    }
    Ok(())
}

/// The file by which the whole folder is locked, or that of a shard.
fn lock_file(folder: &OutputFolder, shard: Option<(u32, u32)>) -> PathBuf {
    let shard = shard.map(|(index, count)| format!(".{index}-of-{count}")).unwrap_or_default();
    folder.own().join(format!("{LOCK_FILE}{shard}"))
}

/// Those of all shards that there have been, and of the whole folder.
fn lock_files(folder: &OutputFolder) -> Result<Vec<PathBuf>, Error> {
    let files = folder.store().list(&folder.own())?.into_iter();
    let is_lock = |name: &str| name == LOCK_FILE || name.starts_with(LOCK_FILE) && name.contains("-of-");
    Ok(files.filter(|(_, name)| is_lock(name)).map(|(path, _)| path).collect())
}

fn shard_files(folder: &OutputFolder) -> Result<Vec<PathBuf>, Error> {
    let whole = lock_file(folder, None);
    Ok(lock_files(folder)?.into_iter().filter(|file| *file != whole).collect())
}

/// The run that has the folder to itself, or one of the shards at work.
fn holder_of_any(folder: &OutputFolder) -> Option<Holder> {
    let is_held = |path: &PathBuf| {
        let result = open(path).map(|file| file.try_lock_shared());
        matches!(result, Ok(Err(TryLockError::WouldBlock)))
    };
    read_holder(&lock_file(folder, None))
        .or_else(|| read_holder(&shard_files(folder).ok()?.into_iter().find(is_held)?))
}

pub(super) fn read_holder(path: &Path) -> Option<Holder> {
    let mut text = String::new();
    File::open(path).ok()?.read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

/// Writes this process's name into a lock file that it holds.
fn sign(mut file: &File) -> Result<(), Error> {
    let holder = Holder::me().to_bytes()?;
    file.set_len(0)?;
    file.rewind()?;
    Ok(file.write_all(&holder)?)
}
