//! What errors mean to whoever started a run.

/// What an [`Error`](crate::Error) means to whoever started the run.
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
