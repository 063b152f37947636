//! `strata verify`: an output folder against its manifest, and a sample of its rows encoded again.

mod parts;
mod sample;

use std::fmt::Write;

use indicatif::{HumanBytes, HumanCount};
use serde::Serialize;
use strata_io::{Manifest, refuse_if_locked};

use crate::cli::VerifyArguments;
use crate::console::{counted, print_result};
use crate::failure::Refusal;
use crate::signals::Signals;
use sample::Sample;

/// Something that is not as the manifest has it.
#[derive(Debug, Serialize)]
pub struct Problem {
    /// The file that it is about, as named in the folder.
    file: String,
    problem: String,
}

impl Problem {
    fn new(file: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { file: file.into(), problem: problem.into() }
    }
}

/// What was found.
#[derive(Debug, Serialize)]
struct Findings {
    folder: String,
    parts: usize,
    rows: u64,
    bytes: u64,
    sample: Sample,
    problems: Vec<Problem>,
}

/// Checks every part (hash, rows, schema, provenance), looks for missing and stray files, and
/// compares a sample of rows with what the model gives for them today.
///
/// # Errors
/// The folder is no output of strata, or a run is writing to it; anything is not as it should be.
pub fn verify(arguments: &VerifyArguments) -> anyhow::Result<()> {
    let signals = Signals::listen()?;
    let folder = &arguments.folder;
    refuse_if_locked(folder)?;
    let manifest = Manifest::load(folder)?.ok_or_else(|| {
        Refusal::configuration(format!("{} holds no manifest.json", folder.display()))
            .hint("name a folder that `strata run` wrote")
    })?;
    let mut problems = parts::check(folder, &manifest, &signals)?;
    let sample = sample::check(arguments, &manifest, &mut problems, &signals)?;
    let findings = Findings {
        folder: folder.display().to_string(),
        parts: manifest.parts.len(),
        rows: manifest.parts.values().map(|part| part.output_rows).sum(),
        bytes: manifest.parts.values().map(|part| part.bytes).sum(),
        sample,
        problems,
    };
    let text =
        if arguments.json { serde_json::to_string_pretty(&findings)? + "\n" } else { findings.text()? };
    print_result(&text)?;
    if findings.problems.is_empty() {
        return Ok(());
    }
    let count = counted(findings.problems.len(), "problem");
    Err(Refusal::bad_data(format!("{count} found in {}", folder.display()))
        .hint("the command that made the output makes anew what is missing or damaged")
        .into())
}

impl Findings {
    fn text(&self) -> Result<String, std::fmt::Error> {
        let mut out = String::new();
        for Problem { file, problem } in &self.problems {
            writeln!(out, "{file}: {problem}")?;
        }
        writeln!(
            out,
            "{}: {} rows in {}, {}: {}",
            self.folder,
            HumanCount(self.rows),
            counted(self.parts, "part"),
            HumanBytes(self.bytes),
            if self.problems.is_empty() { "as the manifest says" } else { "not as the manifest says" },
        )?;
        self.sample.describe(&mut out)?;
        Ok(out)
    }
}
