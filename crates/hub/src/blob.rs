//! The bytes of one file on their way into the cache: fetched once, from where the last attempt ended,
//! and named only when they are those that the hub promised.

use std::cell::Cell;
use std::fs::TryLockError;
use std::io::{ErrorKind, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use fs_err::File;
use sha1::Sha1;
use sha2::Sha256;
use ureq::http::StatusCode;

use crate::Error;
use crate::cache::CachedModel;
use crate::client::{Client, Remote};
use crate::id::ModelId;
use crate::progress::Progress;

/// How often a connection may break in a row without having brought a byte.
const MOST_BREAKS: usize = 3;
const PAUSE: Duration = Duration::from_millis(500);
const PIECE_BYTES: usize = 1 << 16;

/// Where the bytes of a model come from and go to, and how much of them has come.
pub struct Blobs<'a> {
    pub id: &'a ModelId,
    pub client: &'a Client,
    pub cached: &'a CachedModel,
    pub progress: &'a dyn Progress,
    /// Files that have come.
    pub files: Cell<usize>,
    /// Their bytes.
    pub bytes: Cell<u64>,
}

/// Fetches the bytes of a file unless they are there. Nobody else fetches them at the same time.
///
/// # Errors
/// The hub refuses or cannot be reached, the bytes are not those promised, the disk fails.
pub fn bring(blobs: &Blobs<'_>, remote: &Remote) -> Result<(), Error> {
    let target = blobs.cached.blob(&remote.etag);
    let is_there = || target.is_file().then(|| blobs.progress.advance(remote.size.unwrap_or_default()));
    if is_there().is_some() {
        return Ok(());
    }
    let _lock = lock(&blobs.cached.lock(&remote.etag), &remote.file)?;
    // It may have come while we waited.
    if is_there().is_some() {
        return Ok(());
    }
    target.parent().map_or(Ok(()), fs_err::create_dir_all)?;
    let mut growing = Growing::open(&target, blobs, remote)?;
    growing.complete()?;
    let bytes = growing.length;
    growing.put_in_place(&target)?;
    blobs.files.set(blobs.files.get() + 1);
    blobs.bytes.set(blobs.bytes.get() + bytes);
    Ok(())
}

/// Waits for the right to fetch a blob, which ends with the process.
fn lock(path: &Path, file: &str) -> Result<File, Error> {
    path.parent().map_or(Ok(()), fs_err::create_dir_all)?;
    let lock = File::options().read(true).write(true).create(true).truncate(false).open(path)?;
    let mut told = false;
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(lock),
            Err(TryLockError::Error(error)) => return Err(error.into()),
            Err(TryLockError::WouldBlock) if told => {}
            Err(TryLockError::WouldBlock) => {
                tracing::info!("{file} is being fetched by another process; waiting")
            }
        }
        told = true;
        std::thread::sleep(PAUSE);
    }
}

/// A file that does not yet hold all its bytes. What it holds stays for the next attempt.
struct Growing<'a> {
    blobs: &'a Blobs<'a>,
    remote: &'a Remote,
    path: PathBuf,
    file: File,
    length: u64,
    sum: Sum,
}

impl<'a> Growing<'a> {
    fn open(target: &Path, blobs: &'a Blobs<'a>, remote: &'a Remote) -> Result<Self, Error> {
        let path = target.with_file_name(format!("{}.incomplete", remote.etag));
        let file = File::options().read(true).write(true).create(true).truncate(false).open(&path)?;
        let mut growing = Self { blobs, remote, path, file, length: 0, sum: Sum::of(remote) };
        if remote.size.is_none_or(|size| growing.file.metadata().is_ok_and(|found| found.len() > size)) {
            growing.begin_again()?;
        }
        let mut piece = vec![0; PIECE_BYTES];
        loop {
            let count = growing.file.read(&mut piece)?;
            if count == 0 {
                return Ok(growing);
            }
            growing.count(&piece[..count]);
        }
    }

    /// Fetches what is missing, again and again while that brings anything.
    fn complete(&mut self) -> Result<(), Error> {
        let mut breaks = 0;
        while self.remote.size != Some(self.length) {
            let before = self.length;
            let Some(broken) = self.attempt()? else { break };
            breaks = if self.length > before { 0 } else { breaks + 1 };
            if breaks == MOST_BREAKS {
                return Err(broken);
            }
            std::thread::sleep(PAUSE);
        }
        Ok(())
    }

    /// Fetches what is missing; returns how the connection broke, if it did.
    fn attempt(&mut self) -> Result<Option<Error>, Error> {
        let Blobs { client, id, progress, .. } = self.blobs;
        let mut response = client.get(id, self.remote, self.length)?;
        if self.length > 0 && response.status() != StatusCode::PARTIAL_CONTENT {
            progress.take_back(self.length);
            self.begin_again()?;
        }
        let mut body = response.body_mut().as_reader();
        let mut piece = vec![0; PIECE_BYTES];
        // One byte more than promised is enough to know.
        while self.remote.size.is_none_or(|size| self.length <= size) {
            match body.read(&mut piece) {
                Ok(0) => break,
                Ok(count) => {
                    self.file.write_all(&piece[..count])?;
                    self.count(&piece[..count]);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Ok(Some(client.unreachable(&error))),
            }
        }
        let cut = self.remote.size.is_some_and(|size| self.length < size);
        Ok(cut.then(|| client.unreachable(&std::io::Error::from(ErrorKind::UnexpectedEof))))
    }

    fn count(&mut self, bytes: &[u8]) {
        self.sum.update(bytes);
        self.length += bytes.len() as u64;
        self.blobs.progress.advance(bytes.len() as u64);
    }

    fn begin_again(&mut self) -> std::io::Result<()> {
        self.file.set_len(0)?;
        self.file.rewind()?;
        (self.length, self.sum) = (0, Sum::of(self.remote));
        Ok(())
    }

    /// Gives the file its name, if it holds what was promised; otherwise it is gone.
    fn put_in_place(self, target: &Path) -> Result<(), Error> {
        let Remote { file, etag, size, .. } = self.remote;
        let found = self.sum.finish();
        let is_whole = size.is_none_or(|size| size == self.length);
        if !is_whole || found.as_ref().is_some_and(|found| !found.eq_ignore_ascii_case(etag)) {
            fs_err::remove_file(&self.path)?;
            let host = self.blobs.client.host();
            return Err(Error::bad_data(format!(
                "the bytes of {file} are not those that {host} has promised ({etag})"
            ))
            .advise("nothing of them was kept; the same command fetches them again"));
        }
        self.file.sync_all()?;
        fs_err::rename(&self.path, target)?;
        // The name survives a crash.
        target.parent().map_or(Ok(()), |folder| Ok(File::open(folder)?.sync_all()?))
    }
}

/// What the name of a blob is the sum of: of large files sha256, of others what git calls them by.
enum Sum {
    Sha256(Sha256),
    Git(Sha1),
    /// The server has its own way to name files: only their size can be held against it.
    Unknown,
}

impl Sum {
    fn of(remote: &Remote) -> Self {
        let is_hex = remote.etag.bytes().all(|byte| byte.is_ascii_hexdigit());
        match (remote.etag.len(), remote.size) {
            (64, _) if is_hex => Self::Sha256(sha2::Digest::new()),
            (40, Some(size)) if is_hex => Self::Git(sha1::Digest::new_with_prefix(format!("blob {size}\0"))),
            _ => Self::Unknown,
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(sum) => sha2::Digest::update(sum, bytes),
            Self::Git(sum) => sha1::Digest::update(sum, bytes),
            Self::Unknown => {}
        }
    }

    fn finish(self) -> Option<String> {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        match self {
            Self::Sha256(sum) => Some(hex(&sha2::Digest::finalize(sum))),
            Self::Git(sum) => Some(hex(&sha1::Digest::finalize(sum))),
            Self::Unknown => None,
        }
    }
}
