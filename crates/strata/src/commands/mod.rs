//! What the program does, a file for each command.

mod complete;
mod dry_run;
mod fetch;
mod inspect;
mod metrics;
#[cfg(feature = "probe")]
mod probe;
pub mod report;
mod run;
mod serve;
mod stdio;
mod verify;

pub use complete::{completions, man};
pub use fetch::fetch;
pub use inspect::inspect;
#[cfg(feature = "probe")]
pub use probe::probe;
pub use run::{COMPUTES, LOOKS, Unfinished, run};
pub use serve::serve;
pub use verify::{remembered_options, verify};
