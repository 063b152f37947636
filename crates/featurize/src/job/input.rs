//! One input file of a job.

use strata_io::Input;

use crate::table::columns::Columns;

/// An input file and the columns of its parts.
pub struct JobInput {
    /// The file.
    pub file: Input,
    /// Its columns, and those of its parts.
    pub columns: Columns,
}
