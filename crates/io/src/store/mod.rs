//! Where files lie: in the local file system, or in a store that is asked over the network.
//!
//! A place in a store is a [`Path`] as well, which begins with the address: `s3://bucket/folder/file`.

#[cfg_attr(not(feature = "stores"), path = "absent.rs")]
mod remote;

mod address;
mod fetch;
mod file;
mod options;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use address::is_address;
pub use fetch::fetch_folder;
pub(crate) use file::{File, Span, Witness};
pub use options::StorageOptions;
pub(crate) use remote::{On, Remote, Version};

use crate::{Error, Stamp};

/// Makes stores by their addresses, each once. Clones share what they have made.
#[derive(Clone, Default)]
pub struct Stores {
    made: Arc<remote::Made>,
}

impl Stores {
    /// Stores that are reached by these options, and otherwise by what the environment says.
    pub fn new(options: StorageOptions) -> Self {
        Self { made: Arc::new(remote::Made::new(options)) }
    }

    /// The store that a place is in; nothing is asked of it yet.
    ///
    /// # Errors
    /// [`Error::Address`] if the address is of no store that is known, or of none at all.
    pub fn of(&self, place: &Path) -> Result<Store, Error> {
        if !is_address(place) {
            return Ok(Store::Local);
        }
        Ok(Store::Remote(self.made.of(place)?))
    }
}

/// Waits for a lock. What a thread that panicked left is whole: nothing under one is changed halfway.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Stores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Options may be secrets.
        f.write_str("Stores")
    }
}

/// What holds files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Store {
    /// The file system of this machine.
    #[default]
    Local,
    /// Another machine.
    Remote(Arc<Remote>),
}

/// What a store says about a file, short of its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Meta {
    pub bytes: u64,
    /// In nanoseconds since 1970 (UTC).
    pub modified_ns: u64,
    /// What is another for another content, if the store has such a thing.
    pub identity: Option<String>,
}

impl Store {
    /// Whether a file is there.
    ///
    /// # Errors
    /// [`Error::Store`] if that cannot be found out.
    pub fn exists(&self, path: &Path) -> Result<bool, Error> {
        match self {
            Self::Local => Ok(path.exists()),
            Self::Remote(remote) => Ok(remote.head(path)?.is_some()),
        }
    }

    /// The stamp of a file.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Store`] if it is not there.
    pub fn stamp(&self, path: &Path) -> Result<Stamp, Error> {
        match self {
            Self::Local => Stamp::of(path),
            Self::Remote(remote) => {
                remote.head(path)?.map(|meta| Stamp::from(&meta)).ok_or_else(|| remote.not_there(path))
            }
        }
    }

    /// Removes a file; nothing happens if there is none.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Store`].
    pub fn remove(&self, path: &Path) -> Result<(), Error> {
        match self {
            Self::Local => Ok(crate::output::ignore_absent(fs_err::remove_file(path))?),
            Self::Remote(remote) => remote.remove(path),
        }
    }

    /// The bytes of a small file; `None` if there is none.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Store`].
    pub(crate) fn read(&self, path: &Path) -> Result<Option<Vec<u8>>, Error> {
        match self {
            Self::Local => match fs_err::read(path) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
                bytes => Ok(Some(bytes?)),
            },
            Self::Remote(remote) => Ok(remote.get(path)?.map(|(bytes, _)| bytes)),
        }
    }

    /// The paths and names of what is in a folder; nothing is in what is none.
    pub(crate) fn list(&self, folder: &Path) -> Result<Vec<(PathBuf, String)>, Error> {
        match self {
            Self::Local => crate::output::list(folder),
            Self::Remote(remote) => remote.children(folder),
        }
    }

    /// The files right below a folder with their bytes; all are small.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Store`].
    pub(crate) fn contents(&self, folder: &Path) -> Result<Vec<(PathBuf, Vec<u8>)>, Error> {
        let Self::Remote(remote) = self else {
            let files = self.list(folder)?.into_iter();
            // One may just have been taken away.
            let read = |(path, _): (PathBuf, String)| Ok(self.read(&path)?.map(|bytes| (path, bytes)));
            return files.map(read).filter_map(Result::transpose).collect();
        };
        remote.contents(folder)
    }

    /// Opens a file for reading.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Store`].
    pub(crate) fn open(&self, path: &Path) -> Result<File, Error> {
        Ok(match self {
            Self::Local => File::Local(fs_err::File::open(path)?),
            Self::Remote(remote) => File::Remote(remote.open(path)?),
        })
    }

    /// Whether it is the file system of this machine.
    pub fn is_local(&self) -> bool {
        matches!(self, Self::Local)
    }
}
