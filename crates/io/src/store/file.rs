//! An open file of any store, read in whatever order its format asks for.
#![cfg_attr(
    not(feature = "stores"),
    expect(unreachable_code, dead_code, reason = "without stores, there are no files of theirs")
)]

use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::ops::Range;

use bytes::Bytes;
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::reader::{ChunkReader, Length};

use super::remote::RemoteFile;

/// An open file.
#[derive(Debug)]
pub(crate) enum File {
    Local(fs_err::File),
    Remote(RemoteFile),
}

/// What a file will be read for, so that no more of it is fetched, and that before it is asked for.
#[derive(Debug, Clone)]
pub(crate) enum Span {
    /// All of it, from the beginning on.
    Whole,
    /// What stands at its end.
    End,
    /// Small pieces here and there.
    Pieces,
    /// Ranges of which each of the inner lists is read in order, side by side with the others.
    Chains(Vec<Vec<Range<u64>>>),
}

impl File {
    /// As this file, read for something else than before.
    pub(crate) fn reading(self, span: Span) -> Self {
        match self {
            Self::Local(file) => Self::Local(file),
            Self::Remote(file) => Self::Remote(file.reading(span)),
        }
    }

    /// Its size in bytes.
    pub(crate) fn size(&self) -> io::Result<u64> {
        match self {
            Self::Local(file) => Ok(file.metadata()?.len()),
            Self::Remote(file) => Ok(file.size()),
        }
    }

    /// What tells of a failure of the store after a reader has turned it into a text.
    pub(crate) fn witness(&self) -> Witness {
        match self {
            Self::Local(_) => Witness(None),
            Self::Remote(file) => Witness(Some(file.clone())),
        }
    }
}

/// Remembers what went wrong between a reader and its store.
pub(crate) struct Witness(Option<RemoteFile>);

impl Witness {
    /// The failure since this was last asked.
    pub(crate) fn failure(&self) -> Option<io::Error> {
        self.0.as_ref()?.failure()
    }
}

impl Read for File {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Local(file) => file.read(into),
            Self::Remote(file) => file.read(into),
        }
    }
}

impl Seek for File {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match self {
            Self::Local(file) => file.seek(to),
            Self::Remote(file) => file.seek(to),
        }
    }
}

/// Reads on from a place of a file.
pub(crate) enum Reading {
    Local(BufReader<std::fs::File>),
    Remote(RemoteFile),
}

impl Read for Reading {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Local(file) => file.read(into),
            Self::Remote(file) => file.read(into),
        }
    }
}

impl Length for File {
    fn len(&self) -> u64 {
        // As parquet does with files: what cannot be asked has no rows either.
        self.size().unwrap_or(0)
    }
}

impl ChunkReader for File {
    type T = Reading;

    fn get_read(&self, start: u64) -> ParquetResult<Reading> {
        match self {
            Self::Local(file) => file.file().get_read(start).map(Reading::Local),
            Self::Remote(file) => Ok(Reading::Remote(file.at(start))),
        }
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        match self {
            Self::Local(file) => file.file().get_bytes(start, length),
            Self::Remote(file) => {
                file.bytes(start..start + length as u64).map_err(|error| ParquetError::External(error.into()))
            }
        }
    }
}
