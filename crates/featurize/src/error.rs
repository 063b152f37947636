//! What can go wrong between tables of text and tables of vectors.

use std::any::Any;
use std::io;

use arrow::error::ArrowError;

/// Every failure of this crate. The message says what was expected and what was found;
/// [`Error::hint`] says what to do about it, where there is something to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// What was asked for cannot be done.
    #[error(transparent)]
    Refusal(#[from] Refusal),
    /// Data that cannot be read, or not be written.
    #[error(transparent)]
    Data(#[from] strata_io::Error),
    /// Vectors that the output cannot hold.
    #[error("cannot store column `{column}`")]
    Column {
        /// The column of the output.
        column: String,
        /// Why.
        source: strata_io::Error,
    },
    /// A model that cannot be used, or a text that it cannot see.
    #[error(transparent)]
    Model(#[from] strata_bert::Error),
    /// A model that is not in the cache.
    #[error(transparent)]
    Hub(#[from] strata_hub::Error),
    /// Whoever asked for it has changed their mind.
    #[error("cancelled; what is finished is kept")]
    Cancelled,
    /// The operating system failed. The source names the file.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Arrays that do not make a table.
    #[error(transparent)]
    Arrow(#[from] ArrowError),
    /// What should be JSON is not.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// A fault of this crate.
    #[error("this is a bug in strata, please report it: {0}")]
    Bug(String),
}

/// What an [`Error`] means to whoever asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// An option, or a combination of options, that cannot be used with this data.
    Usage,
    /// A model, a pipeline file or an output folder that does not allow it.
    Configuration,
    /// Something that was asked for by name and is not there.
    NoInput,
    /// Input files that do not go together, or bytes that are not those that were promised.
    BadData,
    /// Something that may well succeed later.
    TryAgain,
    /// The operating system failed.
    Io,
    /// Whoever asked for it has changed their mind.
    Cancelled,
    /// A fault of ours.
    Bug,
}

impl From<strata_io::ErrorKind> for ErrorKind {
    fn from(kind: strata_io::ErrorKind) -> Self {
        use strata_io::ErrorKind as Data;
        match kind {
            Data::NoInput => Self::NoInput,
            Data::BadData => Self::BadData,
            Data::Usage => Self::Usage,
            Data::Io => Self::Io,
            Data::Locked => Self::TryAgain,
            Data::Manifest => Self::Configuration,
            _ => Self::Bug,
        }
    }
}

impl From<strata_bert::ErrorKind> for ErrorKind {
    fn from(kind: strata_bert::ErrorKind) -> Self {
        use strata_bert::ErrorKind as Model;
        match kind {
            Model::Usage => Self::Usage,
            Model::Model => Self::Configuration,
            Model::OutOfMemory => Self::TryAgain,
            Model::Text => Self::BadData,
            Model::Io => Self::Io,
            Model::Bug => Self::Bug,
        }
    }
}

impl From<strata_hub::ErrorKind> for ErrorKind {
    fn from(kind: strata_hub::ErrorKind) -> Self {
        use strata_hub::ErrorKind as Hub;
        match kind {
            Hub::Configuration => Self::Configuration,
            Hub::NoInput => Self::NoInput,
            Hub::TryAgain => Self::TryAgain,
            Hub::BadData => Self::BadData,
            Hub::Io => Self::Io,
            _ => Self::Bug,
        }
    }
}

/// Something that was asked for and cannot be done.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    message: String,
    hint: Option<String>,
    kind: ErrorKind,
}

impl Refusal {
    /// Of any kind.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, kind }
    }

    /// An option, or a combination of options, that cannot be used with this data.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Usage, message)
    }

    /// A pipeline file or an output folder that does not allow the run.
    pub fn configuration(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Configuration, message)
    }

    /// Something that was asked for by name and is not there.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::NoInput, message)
    }

    /// Input files that do not go together, or bytes that are not those that were promised.
    pub fn bad_data(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::BadData, message)
    }

    /// Says what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// What it means to whoever asked.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What to do about it.
    pub fn advice(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl Error {
    /// What it means to whoever asked.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Refusal(refusal) => refusal.kind,
            Self::Data(error) | Self::Column { source: error, .. } => error.kind().into(),
            Self::Model(error) => error.kind().into(),
            Self::Hub(error) => error.kind().into(),
            Self::Cancelled => ErrorKind::Cancelled,
            Self::Io(_) => ErrorKind::Io,
            Self::Arrow(_) | Self::Json(_) | Self::Bug(_) => ErrorKind::Bug,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Refusal(refusal) => refusal.hint.clone(),
            Self::Data(error) | Self::Column { source: error, .. } => error.hint(),
            Self::Model(error) => error.hint().map(str::to_owned),
            Self::Hub(error) => error.hint().map(str::to_owned),
            Self::Cancelled | Self::Io(_) | Self::Arrow(_) | Self::Json(_) | Self::Bug(_) => None,
        }
    }

    /// What a thread that has panicked leaves.
    pub(crate) fn panicked(panic: &(dyn Any + Send)) -> Self {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        Self::Bug(text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic").to_owned())
    }
}

/// An error with its causes, for a report or a manifest.
pub fn in_one_line(error: &(dyn std::error::Error + 'static)) -> String {
    let chain = std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string);
    let mut messages: Vec<String> = chain.collect();
    messages.dedup_by(|cause, message| message.contains(cause.as_str()));
    messages.join(": ")
}
