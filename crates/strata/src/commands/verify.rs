//! `strata verify`: an output folder against its manifest, and a sample of its rows encoded again.

use std::fmt::Write;
use std::path::Path;

use anyhow::Context;
use indicatif::{HumanBytes, HumanCount};
use serde::Serialize;
use strata_featurize::verify::{self, Problem, Sample};
use strata_featurize::{
    ErrorKind, Job, OPTIONS, OnBadFile, Refusal, STDIO, Settings, in_one_line, manifest_of,
};
use strata_io::{Format, Manifest, Notes, OutputFolder, find_as, refuse_if_locked};

use crate::console::progress::Terminal;
use crate::console::{counted, print_result};
use crate::options::Options;
use crate::options::cli::{ProgressMode, VerifyArguments};
use crate::signals::Signals;

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
    attempt(arguments, &signals).map_err(|error| signals.cause_of(error))
}

fn attempt(arguments: &VerifyArguments, signals: &Signals) -> anyhow::Result<()> {
    let folder = &arguments.folder;
    let watch = Terminal::new(ProgressMode::Never, signals, None);
    let output = OutputFolder::at(folder, &arguments.storage.stores()?)?;
    refuse_if_locked(&output)?;
    let manifest = manifest_of(&output)?;
    let mut problems = verify::files(&output, &manifest, &watch)?;
    let sample = sample(arguments, &output, &manifest, &mut problems, &watch)?;
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
        describe(&self.sample, &mut out)?;
        Ok(out)
    }
}

/// Encodes a sample of rows again, where it is known how.
fn sample(
    arguments: &VerifyArguments,
    output: &OutputFolder,
    manifest: &Manifest,
    problems: &mut Vec<Problem>,
    watch: &Terminal,
) -> anyhow::Result<Sample> {
    if arguments.sample == 0 || manifest.parts.is_empty() {
        return Ok(Sample::default());
    }
    let nothing = |left_out| Ok(Sample { left_out, ..Sample::default() });
    let Some(mut options) = options(arguments, &Notes::load(output))? else {
        let reason = "where the model and the inputs are is known only to the machine that made the output";
        return nothing(vec![reason.to_owned()]);
    };
    let mut left_out = if arguments.input.is_none() { leave_out_gone(&mut options)? } else { Vec::new() };
    if options.input.paths.as_ref().is_some_and(Vec::is_empty) {
        return nothing(left_out);
    }
    let job = match Job::prepare(Settings::try_from(options)?) {
        Err(error) if error.kind() == ErrorKind::NoInput && arguments.input.is_none() => {
            left_out.push(in_one_line(&error));
            return nothing(left_out);
        }
        job => job?,
    };
    let mut sample = verify::sample(&job, output, manifest, arguments.sample, problems, watch)?;
    sample.left_out.splice(..0, left_out);
    Ok(sample)
}

/// The options of the last run into the folder, with what the arguments say; none where they are not known.
///
/// # Errors
/// The folder is not there; its notes are damaged.
pub fn remembered_options(arguments: &VerifyArguments) -> anyhow::Result<Option<Options>> {
    let output = OutputFolder::at(&arguments.folder, &arguments.storage.stores()?)?;
    options(arguments, &Notes::load(&output))
}

/// Leaves out inputs that lead nowhere any more, and tells which.
fn leave_out_gone(options: &mut Options) -> Result<Vec<String>, Refusal> {
    let (mut gone, stores) = (Vec::new(), options.storage.stores()?);
    options.input.paths.get_or_insert_default().retain(|path| {
        let reason = match find_as(std::slice::from_ref(path), Some(Format::Text), &stores) {
            _ if path == STDIO => "the input was stdin; name a copy of it with --input".to_owned(),
            Err(error) if error.kind() == strata_io::ErrorKind::NoInput => in_one_line(&error),
            _ => return true,
        };
        gone.push(reason);
        false
    });
    Ok(gone)
}

/// The options of the last run, with what the user says now.
fn options(arguments: &VerifyArguments, notes: &Notes) -> anyhow::Result<Option<Options>> {
    let Some(remembered) = notes.remembered(OPTIONS) else { return Ok(None) };
    let mut options: Options =
        serde_json::from_value(remembered.clone()).context("the notes of the last run are damaged")?;
    let path = |path: &Path| path.to_string_lossy().into_owned();
    options.output.path = Some(path(&arguments.folder));
    options.run.on_bad_file = Some(OnBadFile::Skip);
    if let Some(model) = &arguments.model {
        options.model.path = Some(path(model));
    }
    options.storage = arguments.storage.clone();
    if let Some(input) = &arguments.input {
        options.input.paths = Some(input.clone());
    }
    Ok(Some(options))
}

/// Appends what people read of a sample.
fn describe(sample: &Sample, out: &mut String) -> std::fmt::Result {
    if sample.rows > 0 {
        let rows = counted(sample.rows, "row");
        writeln!(out, "{rows} encoded again, largest difference {:.1e}", sample.largest_difference)?;
    }
    sample.left_out.iter().try_for_each(|reason| writeln!(out, "not encoded again: {reason}"))
}
