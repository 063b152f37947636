//! `strata run`: settings → job → plan → pipeline → report.

use std::path::Path;

use serde_json::Value;
use strata_featurize::{Consent, Job, OnNull, Outcome, Part, Refusal, STDIO, Settings, Watch};
use strata_io::{OutputFormat, is_address};

use crate::beside;
use crate::cluster::{Cluster, Order};
use crate::commands::dry_run::dry_run;
use crate::commands::report::{self, Report};
use crate::commands::{metrics, stdio};
use crate::console::failure::say_only;
use crate::console::progress::Terminal;
use crate::console::{counted, note};
use crate::options::Options;
use crate::options::cli::{RunArguments, Workers};
use crate::signals::Signals;

/// Whoever makes the parts, if this process does not.
type Others<'a> = Option<(&'a dyn Cluster, &'a Workers)>;

/// What a program can do for a run.
pub struct Ability {
    prepare: fn(Settings) -> anyhow::Result<Job>,
    dry_run: fn(&Job, Consent, &dyn Watch) -> anyhow::Result<()>,
    stream: fn(&Job, &dyn Watch, &mut Outcome) -> anyhow::Result<()>,
    run: fn(&Job, Consent, Value, &dyn Watch, &mut Outcome) -> anyhow::Result<()>,
}

/// That of a program that computes.
pub const COMPUTES: Ability = Ability {
    prepare: |settings| {
        let job = Job::prepare(settings)?;
        remark(&job);
        Ok(job)
    },
    dry_run,
    stream: |job, watch, outcome| Ok(strata_featurize::stream(job, std::io::stdout(), watch, outcome)?),
    run: |job, consent, remembered, watch, outcome| {
        Ok(strata_featurize::run(job, consent, remembered, watch, outcome)?)
    },
};

/// That of a program that has no libtorch, where the run is libtorch's: it looks whether anything is missing, changes
/// nothing before it knows, and leaves whatever is to be said of a run that is not finished to the other, as [`Unfinished`].
pub const LOOKS: Ability = Ability {
    prepare: |settings| Job::prepare_without_device(settings, beside::libtorch()).or(Err(Unfinished.into())),
    dry_run: |_, _, _| Err(Unfinished.into()),
    stream: |_, _, _| Err(Unfinished.into()),
    run: |job, consent, remembered, watch, outcome| {
        if !strata_featurize::is_finished(job, watch).unwrap_or(false) {
            return Err(Unfinished.into());
        }
        let result = strata_featurize::finish(job, consent, remembered, watch, outcome);
        if matches!(result, Ok(false)) {
            return Err(Unfinished.into());
        }
        remark(job);
        Ok(result.map(drop)?)
    },
};

/// A run of which more is to be done or said.
#[derive(Debug, thiserror::Error)]
#[error("the run is not finished")]
pub struct Unfinished;

/// Does what the arguments ask for, and tells about it whatever came of it.
///
/// # Errors
/// The run is refused, fails on the way, or is interrupted; the report cannot be written.
pub fn run(
    arguments: &RunArguments,
    ability: &Ability,
    others: Others<'_>,
    signals: &Signals,
    report: &mut Report,
) -> anyhow::Result<()> {
    let files = [("--report", &arguments.report), ("--metrics-file", &arguments.metrics_file)];
    for (option, path) in files {
        path.as_deref().map_or(Ok(()), |path| report::check_folder(option, path))?;
    }
    let result =
        attempt(arguments, ability, others, signals, report).map_err(|error| signals.cause_of(error));
    if result.as_ref().is_err_and(|error| error.is::<Unfinished>()) {
        return result;
    }
    report.end(&result);
    let told = tell(arguments, report);
    match (result, told) {
        (Ok(()), told) => told,
        (Err(error), told) => {
            told.unwrap_or_else(|untold| say_only(&untold));
            Err(error)
        }
    }
}

fn attempt(
    arguments: &RunArguments,
    ability: &Ability,
    others: Others<'_>,
    signals: &Signals,
    report: &mut Report,
) -> anyhow::Result<()> {
    let options = match &arguments.pipeline {
        Some(path) => arguments.options.over_file(path)?,
        None => arguments.options.clone(),
    };
    report.options = options.stated()?;
    let mut settings = Settings::try_from(options.clone())?;
    set_threads(settings.threads);
    if others.is_some() {
        refuse_streams(&settings)?;
        if settings.threads.is_some() {
            note("--threads is about this process; each worker has as many as --num-cpus says");
        }
    }
    let _stdin = stdio::spool_stdin(&mut settings, signals)?;

    let job = (ability.prepare)(settings)?;
    signals.check()?;
    let watch = Terminal::new(arguments.progress, signals, others.map(|(cluster, _)| cluster));
    let mut outcome = Outcome::default();
    let consent = Consent { overwrite: arguments.overwrite, prune: arguments.prune };
    let result = if job.settings.writes_to_stdout() {
        stdio::check_stdout(&job, arguments)?;
        (ability.stream)(&job, &watch, &mut outcome)
    } else if arguments.dry_run {
        return (ability.dry_run)(&job, consent, &watch);
    } else {
        let remembered = options.with_absolute_paths(absolute(job.checkpoint.folder())?)?.stated()?;
        match others {
            None => (ability.run)(&job, consent, remembered, &watch, &mut outcome),
            Some((cluster, workers)) => {
                let order = Order { options: options.for_workers(workers)?, workers };
                let make = |parts: &[Part]| cluster.make(&order, parts, &watch);
                Ok(strata_featurize::run_by(&job, consent, remembered, make, &watch, &mut outcome)?)
            }
        }
    };
    report.add(&outcome);
    result?;
    report.print(if job.settings.writes_to_stdout() { Path::new("stdout") } else { &job.settings.output });
    notes(&outcome, &job.settings);
    refuse_silence_about_skipped(&outcome)
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

/// What the user might not expect of the model, the device or this program.
fn remark(job: &Job) {
    job.remarks.iter().chain(job.tokenizer.notes()).for_each(note);
    if job.libtorch.is_none() && job.uses_libtorch() {
        note(format_args!(
            "this model is computed faster by libtorch, and {} is not beside this program (`make build` or `make install` puts it there)",
            beside::PROGRAM
        ));
    }
}

/// What the user might not expect.
fn notes(outcome: &Outcome, settings: &Settings) {
    let without_vector = outcome.done.counts.without_vector;
    if without_vector > 0 {
        let rows = counted(without_vector as usize, "row");
        match settings.on_null {
            OnNull::Null if settings.stored_format() == OutputFormat::Parquet => note(format_args!(
                "{rows} without a vector, which is null there: pyarrow before 26 cannot read that \
                 (--on-null nan or drop)"
            )),
            OnNull::Null => {}
            OnNull::Nan => note(format_args!("{rows} without a vector, whose values are not a number there")),
            OnNull::Drop => note(format_args!("{rows} without a vector left out")),
        }
    }
    for input in &outcome.vanished {
        note(format_args!(
            "`{input}` is no longer among the inputs; its parts are kept (--prune removes them)"
        ));
    }
    for (input, reason) in &outcome.skipped {
        note(format_args!("`{input}` was skipped: {reason}"));
    }
    if !outcome.is_whole && outcome.skipped.is_empty() {
        note(format_args!("other shards have yet to finish their parts"));
    }
}

/// A run that left files out has not done what was asked.
fn refuse_silence_about_skipped(outcome: &Outcome) -> anyhow::Result<()> {
    let skipped = &outcome.skipped;
    if skipped.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = skipped.keys().map(String::as_str).collect();
    let (files, names) = (counted(names.len(), "input file"), names.join(", "));
    Err(Refusal::bad_data(format!("{files} could not be read to the end and left out: {names}"))
        .hint("mend or remove them and run the same command again; everything else is done")
        .into())
}

/// Bounds the process's thread pool; the encoder has one of its own.
fn set_threads(threads: Option<usize>) {
    if let Some(threads) = threads {
        // Fails only if the pool has been used before, and nothing has run yet.
        let _ = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
    }
}

/// Refuses what is there for this process alone.
fn refuse_streams(settings: &Settings) -> Result<(), Refusal> {
    let is_stream = settings.writes_to_stdout() || settings.inputs.iter().any(|input| input == STDIO);
    if !is_stream {
        return Ok(());
    }
    Err(Refusal::usage(
        "- as input or output does not go with workers, who have no part in this process's streams",
    )
    .hint("name files and a folder that every machine sees at the same path"))
}

/// A path that means the same wherever one starts.
fn absolute(path: impl AsRef<Path>) -> anyhow::Result<String> {
    let path = path.as_ref();
    let absolute = if path == Path::new(STDIO) || is_address(path) {
        path.to_owned()
    } else {
        std::path::absolute(path)?
    };
    Ok(absolute.to_string_lossy().into_owned())
}

impl Options {
    /// These options with paths that mean the same wherever one starts, and this model: for whoever looks at the
    /// output later on this machine the folder in which it was found, as an id may stand for another one by then.
    fn with_absolute_paths(&self, model: String) -> anyhow::Result<Self> {
        let mut options = self.clone();
        options.input.paths =
            self.input.paths.as_ref().map(|paths| paths.iter().map(absolute).collect()).transpose()?;
        options.model.path = Some(model);
        options.output.path = self.output.path.as_ref().map(absolute).transpose()?;
        Ok(options)
    }

    /// These options for workers, on whose machines an id may stand for another folder.
    fn for_workers(&self, workers: &Workers) -> anyhow::Result<Value> {
        let model = self.model.path.clone().unwrap_or_default();
        let model = if Path::new(&model).is_dir() { absolute(model)? } else { model };
        let mut options = self.with_absolute_paths(model)?;
        options.run.threads = Some(workers.num_cpus as usize);
        options.to_value()
    }

    /// The options that were given, under their keys, as they may be written down.
    fn stated(&self) -> anyhow::Result<Value> {
        self.clone().without_secrets().to_value()
    }

    fn to_value(&self) -> anyhow::Result<Value> {
        // By way of TOML, which has no null.
        Ok(serde_json::to_value(toml::Table::try_from(self)?)?)
    }
}
