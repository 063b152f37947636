//! A value that the type of its column has no place for.

use std::fmt;

use arrow::error::ArrowError;

/// Where such a value is.
#[derive(Debug)]
pub(super) struct Unfit {
    /// The row of the batch.
    pub(super) row: usize,
    pub(super) column: String,
    pub(super) reason: String,
    /// A type that would keep it.
    pub(super) fitting: Option<&'static str>,
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "row {}, column `{}`: {}", self.row, self.column, self.reason)
    }
}

impl std::error::Error for Unfit {}

impl From<Unfit> for ArrowError {
    fn from(unfit: Unfit) -> Self {
        Self::ExternalError(Box::new(unfit))
    }
}
