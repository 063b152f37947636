//! A whole run: what is missing of an output is made.

use std::collections::BTreeMap;
use std::io::Write;

use serde_json::{Map, Value};
use strata_io::{Manifest, Notes};

use crate::Error;
use crate::error::{ErrorKind, Refusal};
use crate::job::Job;
use crate::job::fingerprint::provenance;
use crate::output::Output;
use crate::pipeline::counts::counted_in;
use crate::pipeline::target::{Folder, Stream};
use crate::pipeline::{self, Done};
use crate::plan::found::Found;
use crate::plan::parts::Part;
use crate::plan::survey::{Consent, Survey};
use crate::watch::{self, Watch};

/// What a run did, also if it failed on the way.
#[derive(Default)]
pub struct Outcome {
    /// What was made.
    pub done: Done,
    /// Parts that were already there.
    pub parts_kept: u64,
    /// What decides the values of the parts; empty where the run did not come that far.
    pub fingerprint: Map<String, Value>,
    /// Input files that could not be read, with the reason.
    pub skipped: BTreeMap<String, String>,
    /// Input files that are gone and whose parts are kept.
    pub vanished: Vec<String>,
    /// Whether every part of the plan is there, whoever made it.
    pub is_whole: bool,
}

/// Makes the parts that are missing in the job's folder. `remembered` is kept for whoever looks at the
/// output later on this machine; `outcome` tells what was done, also of a run that fails.
///
/// # Errors
/// The folder is in use or holds what may not go; the first failure on the data's way; the work is
/// cancelled. Parts that were committed stay.
pub fn run(
    job: &Job,
    consent: Consent,
    remembered: Value,
    watch: &dyn Watch,
    outcome: &mut Outcome,
) -> Result<(), Error> {
    let is_new = job.settings.folder()?.is_new()?;
    let open = || Output::open(job, consent, remembered, watch);
    // An old output may have all its parts; a new one needs the model, whose files must be summed too.
    let (output, loaded) = if is_new {
        let (output, loaded) = job.load_beside(open);
        (output, Some(loaded))
    } else {
        (open(), None)
    };
    let mut output = output?;
    complete(&mut output, watch, outcome, |output, missing, done| {
        let extractor = loaded.unwrap_or_else(|| job.extractor())?;
        watch::check(watch)?;
        watch.begin(rows_of(missing));
        pipeline::run(job, missing, &mut Folder::new(output), &extractor, watch, done)
    })?;
    refuse_holes(&output, outcome)
}

/// Whether a run would find everything as it is to be. Looks, and writes nothing.
///
/// # Errors
/// That cannot be found out; the work is cancelled.
pub fn is_finished(job: &Job, watch: &dyn Watch) -> Result<bool, Error> {
    let folder = job.settings.folder()?;
    let Some(saved) = Manifest::load(&folder)? else { return Ok(false) };
    let found = Found::look(job, folder, Some(saved.clone()), Consent::default(), watch)?;
    let manifest = &found.manifest;
    let is_unchanged = manifest.parts == saved.parts && manifest.fingerprint == saved.fingerprint;
    let is_there = |part: &Part| found.is_there(part);
    Ok(is_unchanged && manifest.skipped.is_empty() && found.survey.plan.iter().all(is_there))
}

/// As [`run`], but that nothing is made: whether nothing is missing.
///
/// # Errors
/// Those of [`run`].
pub fn finish(
    job: &Job,
    consent: Consent,
    remembered: Value,
    watch: &dyn Watch,
    outcome: &mut Outcome,
) -> Result<bool, Error> {
    let (mut output, mut is_finished) = (Output::open(job, consent, remembered, watch)?, true);
    complete(&mut output, watch, outcome, |_, _, _| {
        is_finished = false;
        Ok(())
    })?;
    if is_finished {
        refuse_holes(&output, outcome)?;
    }
    Ok(is_finished)
}

/// As [`run`], with others who make the parts: `make` is given those that are missing, and returns when
/// [workers](crate::Worker) have committed all of them, except for those of input files that could not be read,
/// which it returns with the reason.
///
/// # Errors
/// Those of [`run`] and of `make`; the settings are those of a shard.
pub fn run_by(
    job: &Job,
    consent: Consent,
    remembered: Value,
    make: impl FnOnce(&[Part]) -> Result<BTreeMap<String, String>, Error>,
    watch: &dyn Watch,
    outcome: &mut Outcome,
) -> Result<(), Error> {
    if job.settings.shard.is_some() {
        let message = "--shard does not go with workers: they divide all parts among themselves";
        return Err(Refusal::usage(message).hint("leave it out").into());
    }
    let mut output = Output::open(job, consent, remembered, watch)?;
    complete(&mut output, watch, outcome, |output, missing, done| {
        watch.begin(rows_of(missing));
        let made = make(missing);
        output.gather(made.is_ok())?;
        // Also what came before a failure.
        for record in missing.iter().filter_map(|part| output.made(part)) {
            let (counts, non_finite) = counted_in(record);
            done.add_part(counts, non_finite, record.bytes);
        }
        done.skipped = made?;
        let is_skipped = |part: &Part| done.skipped.contains_key(&output.survey.names[part.input]);
        let lost = missing.iter().find(|part| output.made(part).is_none() && !is_skipped(part));
        lost.map_or(Ok(()), |part| Err(refuse_lost(output, part).into()))
    })?;
    refuse_holes(&output, outcome)
}

/// A run that is alone at work and has left nothing out has made everything.
fn refuse_holes(output: &Output, outcome: &Outcome) -> Result<(), Error> {
    if outcome.is_whole || output.is_shared() || !outcome.skipped.is_empty() {
        return Ok(());
    }
    let (lost, folder) = (output.lost_parts()?, output.folder.root().display());
    let Some(first) = lost.first() else { return Ok(()) };
    let others = if lost.len() > 1 { format!(" and {} more", lost.len() - 1) } else { String::new() };
    Err(Refusal::new(
        ErrorKind::TryAgain,
        format!(
            "{folder} is not whole: something has removed or changed the part {}{others} while this run was at work",
            first.file_name
        ),
    )
    .hint("the same command makes them again; see that nothing else changes the folder meanwhile")
    .into())
}

/// The refusal of a part that workers say they have made.
fn refuse_lost(output: &Output, part: &Part) -> Refusal {
    let (folder, name) = (output.folder.root().display(), &part.file_name);
    Refusal::new(
        ErrorKind::TryAgain,
        format!("workers have made the part {name}, and {folder} does not have it"),
    )
    .hint("all machines must see the same output folder at that path; the same command makes what is missing")
}

/// Has what is missing of an output made by `make`, and tells what came of it.
fn complete(
    output: &mut Output,
    watch: &dyn Watch,
    outcome: &mut Outcome,
    make: impl FnOnce(&mut Output, &[Part], &mut Done) -> Result<(), Error>,
) -> Result<(), Error> {
    let result = make_missing(output, watch, outcome, make);
    let noted = output.save_notes();
    outcome.fingerprint.clone_from(&output.survey.fingerprint);
    outcome.skipped.clone_from(&output.survey.skipped);
    outcome.vanished = output.vanished_inputs();
    result?;
    noted?;
    outcome.is_whole = output.complete()?;
    Ok(())
}

fn make_missing(
    output: &mut Output,
    watch: &dyn Watch,
    outcome: &mut Outcome,
    make: impl FnOnce(&mut Output, &[Part], &mut Done) -> Result<(), Error>,
) -> Result<(), Error> {
    let missing = output.missing(watch)?;
    outcome.parts_kept = (output.own_parts().count() - missing.len()) as u64;
    tracing::debug!("parts that are there: {}, to be made: {}", outcome.parts_kept, missing.len());
    if missing.is_empty() {
        return Ok(());
    }
    let result = make(output, &missing, &mut outcome.done);
    watch.end();
    result?;
    output.skip(std::mem::take(&mut outcome.done.skipped))
}

fn rows_of(parts: &[Part]) -> u64 {
    parts.iter().map(Part::num_rows).sum()
}

/// Encodes everything and writes it to `out` as one Arrow IPC stream.
///
/// # Errors
/// `out` cannot be written; the first failure on the data's way; the work is cancelled.
pub fn stream(job: &Job, out: impl Write, watch: &dyn Watch, outcome: &mut Outcome) -> Result<(), Error> {
    let (survey, loaded) = job.load_beside(|| Survey::take(job, None, &mut Notes::default(), watch));
    let survey = survey?;
    let mut stream =
        Stream::start(out, &job.inputs, serde_json::to_string(&provenance(&survey.fingerprint))?)?;
    let extractor = loaded?;
    watch.begin(rows_of(&survey.plan));
    let result = pipeline::run(job, &survey.plan, &mut stream, &extractor, watch, &mut outcome.done);
    watch.end();
    outcome.fingerprint = survey.fingerprint;
    outcome.skipped = survey.skipped;
    result?;
    outcome.done.bytes += stream.finish()?;
    outcome.is_whole = true;
    Ok(())
}
