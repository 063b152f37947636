//! One run per output folder, or one per shard. The kernel releases the locks of a process that
//! dies, so a lock file alone means nothing.

use std::fs::TryLockError;
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{SecondsFormat, Utc};
use fs_err::File;
use serde::{Deserialize, Serialize};

use super::OutputFolder;
use crate::Error;

const LOCK_FILE: &str = "lock";
const MANIFEST_LOCK_FILE: &str = "manifest.lock";

/// The right to write to an output folder, held until dropped.
#[derive(Debug)]
pub struct OutputLock {
    /// Dropped first: whoever waits for the folder must find no shard left.
    _shard: Option<File>,
    _folder: File,
}

/// Who holds a lock, for the message to whoever does not get it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Holder {
    pid: u32,
    /// UTC, RFC 3339, to the second.
    since: String,
    /// The same in nanoseconds since 1970: one process may hold it twice within a second.
    #[serde(default)]
    since_ns: i64,
}

impl OutputLock {
    /// Takes the lock of `folder`, which must have been [made](OutputFolder::make), or fails at once.
    /// Without a `shard` nobody else may write there; the shard `(I, N)` tolerates other shards of the same
    /// `N`.
    ///
    /// # Errors
    /// [`Error::Locked`] if another run holds it; [`Error::Io`] if the lock cannot be taken.
    pub fn acquire(folder: &OutputFolder, shard: Option<(u32, u32)>) -> Result<Self, Error> {
        let whole = open(&folder.own().join(LOCK_FILE))?;
        let Some((index, count)) = shard else {
            take(|| whole.try_lock(), || holder_of_any(folder), folder)?;
            sign(&whole)?;
            return Ok(Self { _shard: None, _folder: whole });
        };
        take(|| whole.try_lock_shared(), || read_holder(&folder.own().join(LOCK_FILE)), folder)?;
        // The last run that had the folder to itself is over: its signature would mislead.
        whole.set_len(0)?;
        refuse_other_counts(folder, count)?;
        let path = folder.own().join(shard_file(index, count));
        let own = open(&path)?;
        take(|| own.try_lock(), || read_holder(&path), folder)?;
        sign(&own)?;
        Ok(Self { _shard: Some(own), _folder: whole })
    }

    /// What the run that has `folder` to itself, or had it last, has signed with: no two sign with the same.
    pub fn signature(folder: &OutputFolder) -> Option<String> {
        fs_err::read_to_string(folder.own().join(LOCK_FILE)).ok()
    }
}

/// Keeps others from changing the manifest of `folder` until it is dropped.
pub(super) fn lock_manifest(folder: &OutputFolder) -> Result<File, Error> {
    let lock = open(&folder.own().join(MANIFEST_LOCK_FILE))?;
    lock.lock()?;
    Ok(lock)
}

/// Looks whether a run is writing to `folder`, without keeping one from starting.
///
/// # Errors
/// [`Error::Locked`] if so; [`Error::Io`] if that cannot be found out.
pub fn refuse_if_locked(folder: &OutputFolder) -> Result<(), Error> {
    let old = folder.old_lock();
    refuse_if_held(&old, || read_holder(&old), folder)?;
    refuse_if_held(&folder.own().join(LOCK_FILE), || holder_of_any(folder), folder)
}

fn refuse_if_held(
    lock: &Path,
    holder: impl Fn() -> Option<Holder>,
    folder: &OutputFolder,
) -> Result<(), Error> {
    if !lock.exists() {
        return Ok(());
    }
    let file = File::open(lock)?;
    take(|| file.try_lock(), holder, folder)
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

fn shard_file(index: u32, count: u32) -> String {
    format!("{LOCK_FILE}.{index}-of-{count}")
}

fn shard_files(folder: &OutputFolder) -> Result<Vec<PathBuf>, Error> {
    let paths = fs_err::read_dir(folder.own())?.map(|entry| Ok(entry?.path()));
    let paths: Vec<PathBuf> = paths.collect::<io::Result<_>>()?;
    let is_shard = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(LOCK_FILE) && name.contains("-of-")
    };
    Ok(paths.into_iter().filter(is_shard).collect())
}

/// The run that has the folder to itself, or one of the shards at work.
fn holder_of_any(folder: &OutputFolder) -> Option<Holder> {
    let is_held = |path: &PathBuf| {
        let result = open(path).map(|file| file.try_lock_shared());
        matches!(result, Ok(Err(TryLockError::WouldBlock)))
    };
    read_holder(&folder.own().join(LOCK_FILE))
        .or_else(|| read_holder(&shard_files(folder).ok()?.into_iter().find(is_held)?))
}

pub(super) fn read_holder(path: &Path) -> Option<Holder> {
    let mut text = String::new();
    File::open(path).ok()?.read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

/// Writes this process's name into a lock file that it holds.
fn sign(mut file: &File) -> Result<(), Error> {
    let now = Utc::now();
    let since_ns = now.timestamp_nanos_opt().unwrap_or_default();
    let holder =
        Holder { pid: std::process::id(), since: now.to_rfc3339_opts(SecondsFormat::Secs, true), since_ns };
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(serde_json::to_string(&holder).map_err(io::Error::other)?.as_bytes())?;
    Ok(())
}
