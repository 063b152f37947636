//! An output folder against its manifest, and a sample of its rows encoded again.

mod parts;
mod sample;

use serde::Serialize;

pub use parts::files;
pub use sample::{Sample, sample};

/// Something that is not as the manifest has it.
#[derive(Debug, Serialize)]
pub struct Problem {
    /// The file that it is about, as named in the folder.
    pub file: String,
    /// What is wrong with it.
    pub problem: String,
}

impl Problem {
    fn new(file: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { file: file.into(), problem: problem.into() }
    }
}
