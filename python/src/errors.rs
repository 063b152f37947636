//! The library's errors as exceptions of `strata.errors`.

use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use strata_featurize::{Error, ErrorKind, Refusal, in_one_line};

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

/// The class of each kind of error, the one for all others last.
const CLASSES: [(ErrorKind, &str); 7] = [
    (ErrorKind::Usage, "UsageError"),
    (ErrorKind::Configuration, "ConfigurationError"),
    (ErrorKind::NoInput, "NotFound"),
    (ErrorKind::BadData, "DataError"),
    (ErrorKind::TryAgain, "TryAgain"),
    (ErrorKind::Io, "SystemFailure"),
    (ErrorKind::Bug, "Bug"),
];

/// The exception of the error's kind, with its message, its causes and what to do about it.
pub fn exception(py: Python<'_>, error: &Error) -> PyErr {
    let class = CLASSES.iter().find(|(kind, _)| *kind == error.kind()).map_or("Bug", |(_, class)| class);
    let made = py
        .import("strata.errors")
        .and_then(|module| module.getattr(class))
        .and_then(|class| class.call1((in_one_line(error), error.hint())));
    made.map_or_else(|failure| failure, PyErr::from_value)
}

/// The error that an exception stands for, which may be none of ours.
pub fn error(py: Python<'_>, exception: &PyErr) -> Error {
    let value = exception.value(py);
    let class = value.get_type().name().map(|name| name.to_string()).unwrap_or_default();
    let kind = CLASSES.iter().find(|(_, name)| *name == class).map(|(kind, _)| *kind);
    let told = value.getattr("message").and_then(|message| message.extract::<String>());
    match (kind, told) {
        (Some(kind), Ok(message)) => {
            let hint: Option<String> =
                value.getattr("hint").and_then(|hint| hint.extract()).unwrap_or_default();
            hint.into_iter().fold(Refusal::new(kind, message), Refusal::hint).into()
        }
        // Ctrl-C, and what else is no error.
        _ if !exception.is_instance_of::<PyException>(py) => Error::Cancelled,
        _ => Refusal::new(ErrorKind::TryAgain, format!("the workers cannot go on: {exception}")).into(),
    }
}
