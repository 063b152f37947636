//! `strata run`: settings → job → plan → pipeline → report.

use std::path::Path;

use serde_json::Value;
use strata_bert::Extractor;
use strata_io::MANIFEST_FILE;

use crate::cli::RunArguments;
use crate::console::{counted, note};
use crate::dry_run;
use crate::failure::{Refusal, say_only};
use crate::job::Job;
use crate::metrics;
use crate::options::Options;
use crate::output::Output;
use crate::pipeline::target::Folder;
use crate::pipeline::{self, Done};
use crate::progress::Progress;
use crate::report::{self, Report};
use crate::settings::Settings;
use crate::signals::Signals;
use crate::stdio;
use crate::survey::Consent;

/// Does what the arguments ask for, and tells about it whatever came of it.
///
/// # Errors
/// The run is refused, fails on the way, or is interrupted; the report cannot be written.
pub fn run(arguments: &RunArguments) -> anyhow::Result<()> {
    let files = [("--report", &arguments.report), ("--metrics-file", &arguments.metrics_file)];
    for (option, path) in files {
        path.as_deref().map_or(Ok(()), |path| report::check_folder(option, path))?;
    }
    let mut report = Report::begin();
    let result = attempt(arguments, &mut report);
    report.end(&result);
    let told = tell(arguments, &report);
    match (result, told) {
        (Ok(()), told) => told,
        (Err(error), told) => {
            told.unwrap_or_else(|untold| say_only(&untold));
            Err(error)
        }
    }
}

fn attempt(arguments: &RunArguments, report: &mut Report) -> anyhow::Result<()> {
    let signals = Signals::listen()?;
    let options = match &arguments.pipeline {
        Some(path) => arguments.options.over_file(path)?,
        None => arguments.options.clone(),
    };
    report.options = options.stated()?;
    let mut settings = Settings::try_from(options.clone())?;
    set_threads(settings.threads);
    let _stdin = stdio::spool_stdin(&mut settings, &signals)?;

    let job = Job::prepare(settings)?;
    job.remarks.iter().chain(job.tokenizer.notes()).for_each(note);
    signals.check()?;
    if job.settings.writes_to_stdout() {
        return stdio::stream(&job, arguments, &signals, report);
    }
    let consent = Consent { overwrite: arguments.overwrite, prune: arguments.prune };
    if arguments.dry_run {
        return dry_run::dry_run(&job, consent, &signals);
    }
    let remembered = options.remembered(job.checkpoint.folder())?;
    let is_new = !job.settings.output.join(MANIFEST_FILE).exists();
    let open = || Output::open(&job, consent, remembered, &signals);
    // An old output may have all its parts; a new one needs the model, whose files must be summed too.
    let (output, loaded) = if is_new {
        let (output, loaded) = job.load_beside(open);
        (output, Some(loaded))
    } else {
        (open(), None)
    };
    let mut output = output?;
    let mut done = Done::default();
    let result = make_missing(&job, &mut output, loaded, arguments, &signals, &mut done, report);
    let noted = output.save_notes();
    report.add(done, &output.survey, output.vanished_inputs());
    result?;
    noted?;
    let whole = output.complete()?;
    report.print(&output.folder);
    notes(&output, whole);
    refuse_silence_about_skipped(&output)
}

/// Makes the parts that are not there yet.
fn make_missing(
    job: &Job,
    output: &mut Output,
    loaded: Option<anyhow::Result<Extractor>>,
    arguments: &RunArguments,
    signals: &Signals,
    done: &mut Done,
    report: &mut Report,
) -> anyhow::Result<()> {
    let missing = output.missing(signals)?;
    report.parts_kept = (output.own_parts().count() - missing.len()) as u64;
    if missing.is_empty() {
        return Ok(());
    }
    let extractor = loaded.unwrap_or_else(|| job.extractor())?;
    signals.check()?;
    let rows = missing.iter().map(|part| part.rows.end - part.rows.start).sum();
    let progress = Progress::start(arguments.progress, rows);
    let mut folder = Folder::new(output);
    let result = pipeline::run(job, &missing, &mut folder, &extractor, &progress, signals, done);
    progress.finish();
    result?;
    output.skip(std::mem::take(&mut done.skipped))
}

/// Writes what machines read of a run.
fn tell(arguments: &RunArguments, report: &Report) -> anyhow::Result<()> {
    if let Some(path) = &arguments.report {
        report.save(path)?;
    }
    if let Some(path) = &arguments.metrics_file {
        metrics::save(report, path)?;
    }
    Ok(())
}

/// What the user might not expect.
fn notes(output: &Output, whole: bool) {
    for input in output.vanished_inputs() {
        note(format_args!(
            "`{input}` is no longer among the inputs; its parts are kept (--prune removes them)"
        ));
    }
    for (input, reason) in &output.survey.skipped {
        note(format_args!("`{input}` was skipped: {reason}"));
    }
    if !whole && output.survey.skipped.is_empty() {
        note(format_args!("other shards have yet to finish their parts"));
    }
}

/// A run that left files out has not done what was asked.
fn refuse_silence_about_skipped(output: &Output) -> anyhow::Result<()> {
    let skipped = &output.survey.skipped;
    if skipped.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = skipped.keys().map(String::as_str).collect();
    let (files, names) = (counted(names.len(), "input file"), names.join(", "));
    Err(Refusal::bad_data(format!("{files} could not be read to the end and left out: {names}"))
        .hint("mend or remove them and run the same command again; everything else is done")
        .into())
}

/// Bounds both thread pools of the process.
fn set_threads(threads: Option<usize>) {
    if let Some(threads) = threads {
        strata_bert::set_compute_threads(threads);
        // Fails only if the pool has been used before, and nothing has run yet.
        let _ = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
    }
}

impl Options {
    /// These options with paths that mean the same wherever one starts, for whoever looks at the
    /// output later on this machine. `model` is where the model was found: an id may stand for another
    /// one by then.
    fn remembered(&self, model: &Path) -> anyhow::Result<Value> {
        fn absolute(path: impl AsRef<Path>) -> anyhow::Result<String> {
            Ok(std::path::absolute(path)?.to_string_lossy().into_owned())
        }
        let mut options = self.clone();
        options.input.paths =
            self.input.paths.as_ref().map(|paths| paths.iter().map(absolute).collect()).transpose()?;
        options.model.path = Some(absolute(model)?);
        options.output.path = self.output.path.as_ref().map(absolute).transpose()?;
        options.stated()
    }

    /// The options that were given, under their keys.
    fn stated(&self) -> anyhow::Result<Value> {
        // By way of TOML, which has no null.
        Ok(serde_json::to_value(toml::Table::try_from(self)?)?)
    }
}
