//! What errors mean to whoever started a run.

use std::io;

use super::{Error, StoreTrouble};

/// What an [`Error`] means to whoever started the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// There is nothing to read.
    NoInput,
    /// The data is damaged, or not what its format promises.
    BadData,
    /// The request does not fit the data.
    Usage,
    /// The operating system failed: disk full, permission, device.
    Io,
    /// Someone else holds the output; trying again later may work.
    Locked,
    /// The output folder's manifest does not allow this run.
    Manifest,
    /// The caller broke a promise of this crate's interface.
    Internal,
}

impl Error {
    /// The class of this error, for an exit code.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NoInput { .. } | Self::NotAFile { .. } => ErrorKind::NoInput,
            Self::Read { source, .. } if failed_device(source.as_ref()) => ErrorKind::Io,
            Self::Read { .. }
            | Self::Encrypted { .. }
            | Self::Record { .. }
            | Self::Value { .. }
            | Self::NotKept { .. }
            | Self::Truncated { .. }
            | Self::Changed { .. }
            | Self::Float16Overflow { .. } => ErrorKind::BadData,
            Self::UnknownExtension { .. }
            | Self::TableFolder { .. }
            | Self::SameStem { .. }
            | Self::UnknownColumn { .. }
            | Self::AmbiguousColumn { .. }
            | Self::NotReadable { .. }
            | Self::NotText { .. }
            | Self::NotWritable { .. } => ErrorKind::Usage,
            Self::Write { source, .. } if io_error(source.as_ref()).is_some() => ErrorKind::Io,
            Self::Write { .. } | Self::SchemaMismatch { .. } | Self::Shape { .. } => ErrorKind::Internal,
            Self::Manifest { .. } | Self::ManifestVersion { .. } | Self::ManifestName { .. } => {
                ErrorKind::Manifest
            }
            Self::Address { .. } => ErrorKind::Usage,
            Self::Store { trouble: StoreTrouble::NotThere, .. } => ErrorKind::NoInput,
            Self::Store { trouble: StoreTrouble::Changed, .. } => ErrorKind::BadData,
            Self::Store { .. } => ErrorKind::Io,
            Self::Locked { .. } | Self::LeaseLost { .. } => ErrorKind::Locked,
            Self::Io(_) => ErrorKind::Io,
        }
    }
}

/// The first [`io::Error`] among an error and its causes.
fn io_error<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a io::Error> {
    std::iter::successors(Some(error), |error| error.source()).find_map(|error| error.downcast_ref())
}

/// Whether reading failed below the format: readers report damaged bytes as I/O errors too.
fn failed_device(error: &(dyn std::error::Error + 'static)) -> bool {
    use io::ErrorKind::{InvalidData, InvalidInput, Other, UnexpectedEof};
    io_error(error)
        .is_some_and(|error| !matches!(error.kind(), InvalidData | InvalidInput | Other | UnexpectedEof))
}
