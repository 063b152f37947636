//! The library's errors as exceptions of `strata.errors`.

use pyo3::prelude::*;
use strata_featurize::{Error, ErrorKind, in_one_line};

/// Why work ended early.
pub enum Stop {
    /// An error of the library.
    Failed(Error),
    /// An exception, such as that of Ctrl-C.
    Raised(PyErr),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<strata_bert::Error> for Stop {
    fn from(error: strata_bert::Error) -> Self {
        Self::Failed(error.into())
    }
}

impl Stop {
    pub fn exception(self, py: Python<'_>) -> PyErr {
        match self {
            Self::Failed(error) => exception(py, &error),
            Self::Raised(exception) => exception,
        }
    }
}

/// The exception of the error's kind, with its message, its causes and what to do about it.
pub fn exception(py: Python<'_>, error: &Error) -> PyErr {
    let class = match error.kind() {
        ErrorKind::Usage => "UsageError",
        ErrorKind::Configuration => "ConfigurationError",
        ErrorKind::NoInput => "NotFound",
        ErrorKind::BadData => "DataError",
        ErrorKind::TryAgain => "TryAgain",
        ErrorKind::Io => "SystemFailure",
        _ => "Bug",
    };
    let made = py
        .import("strata.errors")
        .and_then(|module| module.getattr(class))
        .and_then(|class| class.call1((in_one_line(error), error.hint())));
    made.map_or_else(|failure| failure, PyErr::from_value)
}
