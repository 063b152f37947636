//! Layer-wise probes over an output of strata: what each layer knows of a label, as a report.
//!
//! An output is read with Polars, a column at a time, a part at a time; one column is in memory at once. Every figure
//! follows from the output, the settings and the seed.
//!
//! ```no_run
//! use strata_probe::{Settings, probe};
//!
//! # fn main() -> Result<(), strata_probe::Error> {
//! let settings = Settings { group: Some("document".to_owned()), ..Settings::new("vectors", "tense") };
//! let report = probe(&settings, &())?;
//! println!("{} is best", report.best);
//! report.write("report".as_ref())?;
//! # Ok(())
//! # }
//! ```

mod design;
mod error;
mod fit;
mod output;
mod report;
mod score;
mod settings;
mod study;
mod watch;

pub use error::Error;
pub use report::{
    Baselines, Cka, Class, Code, ColumnReport, LayerWeight, LeftOut, MixReport, OtherCka, OutputProvenance,
    Provenance, Question, Report, Rows,
};
pub use score::Estimate;
pub use settings::{Probe, Settings, Task};
pub use study::probe;
pub use watch::Watch;
