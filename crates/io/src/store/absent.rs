//! What stands for other stores in a build that has none: nothing of it can ever exist.

use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::address::scheme_of;
use super::{Meta, Span, StorageOptions};
use crate::Error;

#[derive(Default)]
pub(super) struct Made;

impl Made {
    pub(super) fn new(_: StorageOptions) -> Self {
        Self
    }

    pub(super) fn of(&self, place: &Path) -> Result<Arc<Remote>, Error> {
        Err(Error::Address {
            address: place.to_owned(),
            reason: format!(
                "this build of strata has no stores, and {}:// is one",
                scheme_of(place).unwrap_or_default()
            ),
            hint: "build it with the feature `stores`",
        })
    }
}

/// A store on another machine.
#[derive(Debug, PartialEq, Eq)]
pub enum Remote {}

/// What a write does where a file is.
#[derive(Debug, Clone)]
pub(crate) enum On {
    Overwrite,
    Create,
    Update(Version),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Version {}

impl Remote {
    pub(crate) fn head(&self, _: &Path) -> Result<Option<Meta>, Error> {
        match *self {}
    }

    pub(crate) fn get(&self, _: &Path) -> Result<Option<(Vec<u8>, Version)>, Error> {
        match *self {}
    }

    pub(crate) fn put(&self, _: &Path, _: &[u8], _: On) -> Result<Option<Version>, Error> {
        match *self {}
    }

    pub(crate) fn upload(&self, _: &Path, _: fs_err::File, _: &Path) -> Result<(), Error> {
        match *self {}
    }

    pub(crate) fn put_within(
        &self,
        _: Option<Duration>,
        _: &Path,
        _: &[u8],
        _: On,
    ) -> Result<Option<Version>, Error> {
        match *self {}
    }

    pub(crate) fn no_conditions(&self, _: &Path, _: u32) -> Error {
        match *self {}
    }

    pub(crate) fn uploads(&self, _: &Path) -> Result<Vec<PathBuf>, Error> {
        match *self {}
    }

    pub(crate) fn give_up(&self, _: &Path) -> Result<(), Error> {
        match *self {}
    }

    pub(crate) fn remove_within(&self, _: Option<Duration>, _: &Path) -> Result<(), Error> {
        match *self {}
    }

    pub(crate) fn patience(&self) -> Duration {
        match *self {}
    }

    pub(crate) fn has_any(&self, _: &Path) -> Result<bool, Error> {
        match *self {}
    }

    pub(crate) fn remove(&self, _: &Path) -> Result<(), Error> {
        match *self {}
    }

    pub(crate) fn children(&self, _: &Path) -> Result<Vec<(PathBuf, String)>, Error> {
        match *self {}
    }

    pub(crate) fn list(&self, _: &Path) -> Result<Vec<(PathBuf, Meta)>, Error> {
        match *self {}
    }

    pub(crate) fn holds(&self, _: &Path) -> bool {
        match *self {}
    }

    pub(crate) fn contents(&self, _: &Path) -> Result<Vec<(PathBuf, Vec<u8>)>, Error> {
        match *self {}
    }

    pub(crate) fn can_list(&self) -> bool {
        match *self {}
    }

    pub(crate) fn check_writable(&self, _: &Path) -> Result<(), Error> {
        match *self {}
    }

    pub(crate) fn open(&self, _: &Path) -> Result<RemoteFile, Error> {
        match *self {}
    }

    pub(crate) fn not_there(&self, _: &Path) -> Error {
        match *self {}
    }
}

#[derive(Debug, Clone)]
pub(crate) enum RemoteFile {}

impl RemoteFile {
    pub(super) fn reading(self, _: Span) -> Self {
        self
    }

    pub(super) fn size(&self) -> u64 {
        match *self {}
    }

    pub(super) fn failure(&self) -> Option<io::Error> {
        match *self {}
    }

    pub(super) fn at(&self, _: u64) -> Self {
        match *self {}
    }

    pub(super) fn bytes(&self, _: Range<u64>) -> io::Result<Bytes> {
        match *self {}
    }
}

impl Read for RemoteFile {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        match *self {}
    }
}

impl Seek for RemoteFile {
    fn seek(&mut self, _: SeekFrom) -> io::Result<u64> {
        match *self {}
    }
}
