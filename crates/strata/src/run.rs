//! `strata run`: settings → job → plan → pipeline → report.

use std::time::Instant;

use strata_bert::Extractor;

use crate::cli::RunArguments;
use crate::console::say;
use crate::failure;
use crate::job::Job;
use crate::output::Output;
use crate::pipeline::{self, Done};
use crate::progress::Progress;
use crate::report::{self, Report};
use crate::settings::Settings;
use crate::signals::Signals;

/// Does what the arguments ask for.
///
/// # Errors
/// The run is refused, fails on the way, or is interrupted.
pub fn run(arguments: &RunArguments) -> anyhow::Result<()> {
    let started = Instant::now();
    let options = match &arguments.pipeline {
        Some(path) => arguments.options.over_file(path)?,
        None => arguments.options.clone(),
    };
    let settings = Settings::try_from(options)?;
    if let Some(path) = &arguments.report {
        report::check_folder(path)?;
    }
    let signals = Signals::listen()?;
    set_threads(settings.threads);

    let job = Job::prepare(settings)?;
    let mut output = Output::open(&job, arguments.overwrite)?;
    let shard = job.settings.shard.unwrap_or((0, 1));
    let missing = output.missing(shard)?;
    let planned = output.plan.iter().filter(|part| part.belongs_to(shard)).count();

    let mut done = Done::default();
    let result = if missing.is_empty() {
        Ok(())
    } else {
        let extractor = Extractor::load(&job.checkpoint, job.features.clone(), job.settings.device)?;
        let rows = missing.iter().map(|part| part.rows.end - part.rows.start).sum();
        let progress = Progress::start(arguments.progress, rows);
        let result = pipeline::run(&job, &missing, &mut output, &extractor, &progress, &signals, &mut done);
        progress.finish();
        result
    };
    let result = result.and_then(|()| output.complete());

    let report = Report {
        outcome: result.as_ref().map_or_else(|error| format!("{error:#}"), |_| "success".to_owned()),
        exit_code: result.as_ref().err().map_or(0, failure::exit_code),
        counts: done.counts,
        parts_written: done.parts,
        parts_kept: (planned - missing.len()) as u64,
        bytes_written: done.bytes,
        seconds: started.elapsed().as_secs_f64(),
        stages: done.stages,
        peak_memory_bytes: report::peak_memory_bytes(),
    };
    if let Some(path) = &arguments.report {
        report.save(path)?;
    }
    let whole = result?;
    report.print(&output.folder);
    notes(&output, whole);
    Ok(())
}

/// What the user might not expect.
fn notes(output: &Output, whole: bool) {
    for input in output.vanished_inputs() {
        say(format_args!("note: `{input}` is no longer among the inputs; its parts are kept"));
    }
    if !whole {
        say(format_args!("note: other shards have yet to finish their parts"));
    }
}

/// Bounds both thread pools of the process.
fn set_threads(threads: Option<usize>) {
    if let Some(threads) = threads {
        // More than there are would only wait for each other, and thousands take minutes to start.
        let available = std::thread::available_parallelism().map_or(threads, usize::from);
        let threads = threads.min(available);
        strata_bert::set_compute_threads(threads);
        // Fails only if the pool has been used before, and nothing has run yet.
        let _ = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
    }
}
