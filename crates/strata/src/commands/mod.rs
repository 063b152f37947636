//! What the program does, a file for each command.

mod complete;
mod dry_run;
mod fetch;
mod inspect;
mod metrics;
pub mod report;
mod run;
mod serve;
mod stdio;
mod verify;

pub use complete::{completions, man};
pub use fetch::fetch;
pub use inspect::inspect;
pub use run::run;
pub use serve::serve;
pub use verify::verify;
