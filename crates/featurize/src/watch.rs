//! Whoever waits for the work: told how far it is, asked whether to go on.

use crate::Error;

/// Looks on while tables are made. Shared by the stages of the pipeline.
pub trait Watch: Sync {
    /// So many rows are to be encoded.
    fn begin(&self, _rows: u64) {}

    /// So many rows more are encoded, with their tokens.
    fn advance(&self, _rows: u64, _tokens: u64) {}

    /// Nothing more is encoded.
    fn end(&self) {}

    /// Whether the work is to end as soon as it can. Asked between batches.
    fn is_cancelled(&self) -> bool {
        false
    }
}

/// Nobody waits.
impl Watch for () {}

/// # Errors
/// The work is to end.
pub(crate) fn check(watch: &dyn Watch) -> Result<(), Error> {
    if watch.is_cancelled() { Err(Error::Cancelled) } else { Ok(()) }
}
