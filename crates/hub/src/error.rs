//! What can go wrong on a model's way.

use std::io;

/// Every failure of this crate. The message says what was expected and what was found; [`Error::hint`]
/// says what to do about it, where there is something to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The model, the hub or the environment does not allow it.
    #[error("{message}")]
    Refused {
        /// What it means to whoever asked.
        kind: ErrorKind,
        /// What was expected, and what was found.
        message: String,
        /// What to do about it.
        hint: Option<String>,
    },
    /// The disk fails. The source names the file.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// What an [`Error`] means to whoever asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The environment, the hub or the user does not allow it, or it is no model.
    Configuration,
    /// There is no such model, or no such revision of it.
    NoInput,
    /// It may well succeed later.
    TryAgain,
    /// The bytes are not those that were promised.
    BadData,
    /// The operating system failed.
    Io,
}

impl Error {
    pub(crate) fn configuration(message: impl Into<String>) -> Self {
        Self::Refused { kind: ErrorKind::Configuration, message: message.into(), hint: None }
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::Refused { kind: ErrorKind::NoInput, message: message.into(), hint: None }
    }

    pub(crate) fn try_again(message: impl Into<String>) -> Self {
        Self::Refused { kind: ErrorKind::TryAgain, message: message.into(), hint: None }
    }

    pub(crate) fn bad_data(message: impl Into<String>) -> Self {
        Self::Refused { kind: ErrorKind::BadData, message: message.into(), hint: None }
    }

    /// Says what to do about it.
    pub(crate) fn advise(mut self, advice: impl Into<String>) -> Self {
        if let Self::Refused { hint, .. } = &mut self {
            *hint = Some(advice.into());
        }
        self
    }

    /// What it means to whoever asked.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Refused { kind, .. } => *kind,
            Self::Io(_) => ErrorKind::Io,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Refused { hint, .. } => hint.as_deref(),
            Self::Io(_) => None,
        }
    }
}
