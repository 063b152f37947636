//! Whoever waits for the report: told how far it is, asked whether to go on.

use crate::Error;

/// Looks on while probes are trained. Shared by threads.
pub trait Watch: Sync {
    /// So many probes are to be trained.
    fn begin(&self, _probes: u64) {}

    /// So many more are trained; `column` is being looked at.
    fn advance(&self, _probes: u64, _column: &str) {}

    /// Nothing more is trained.
    fn end(&self) {}

    /// Whether the work is to end as soon as it can. Asked between probes.
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
