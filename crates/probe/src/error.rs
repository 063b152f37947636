//! What can go wrong between an output and the report about it.

use std::io;

use polars::error::PolarsError;
use strata_io::ErrorKind;

/// Every failure of this crate. The message says what was expected and what was found; [`Error::hint`] says
/// what to do about it, where there is something to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// What was asked for cannot be done.
    #[error("{message}")]
    Refusal {
        /// What was expected and what was found.
        message: String,
        /// What to do about it.
        hint: String,
        /// What it means to whoever asked.
        kind: ErrorKind,
    },
    /// An output that cannot be opened.
    #[error(transparent)]
    Output(#[from] strata_io::Error),
    /// A part that cannot be read.
    #[error("cannot read {part}")]
    Part {
        /// Its file.
        part: String,
        /// Why.
        source: PolarsError,
    },
    /// A table of our own that Polars does not take.
    #[error(transparent)]
    Table(#[from] PolarsError),
    /// The report cannot be written. The source names the file.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Whoever asked for it has changed their mind.
    #[error("cancelled; no report was written")]
    Cancelled,
    /// A picture that cannot be drawn.
    #[error("this is a bug in strata, please report it: {0}")]
    Bug(String),
}

impl Error {
    /// An option that cannot be used with this data.
    pub(crate) fn usage(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Refusal { message: message.into(), hint: hint.into(), kind: ErrorKind::Usage }
    }

    /// Data that nothing can be learned from.
    pub(crate) fn bad_data(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Refusal { message: message.into(), hint: hint.into(), kind: ErrorKind::BadData }
    }

    /// A folder that does not allow it.
    pub(crate) fn folder(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Refusal { message: message.into(), hint: hint.into(), kind: ErrorKind::Manifest }
    }

    /// What it means to whoever asked; none if it is their own doing, or a fault of ours.
    pub fn kind(&self) -> Option<ErrorKind> {
        match self {
            Self::Refusal { kind, .. } => Some(*kind),
            Self::Output(error) => Some(error.kind()),
            Self::Part { .. } => Some(ErrorKind::BadData),
            Self::Io(_) => Some(ErrorKind::Io),
            Self::Cancelled | Self::Table(_) | Self::Bug(_) => None,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Refusal { hint, .. } => Some(hint.clone()),
            Self::Output(error) => error.hint(),
            Self::Part { .. } => Some("`strata verify` says which parts are damaged".to_owned()),
            Self::Table(_) | Self::Io(_) | Self::Cancelled | Self::Bug(_) => None,
        }
    }
}
