//! What a run did: a summary for people, figures for machines.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use indicatif::{HumanBytes, HumanCount, HumanDuration};
use serde::Serialize;
use serde_json::{Map, Value};
use strata_featurize::{Counts, Done, NonFinite, Outcome, Refusal, Stages};

use crate::console::{counted, failure, say};

/// So many columns are told by their names.
const TOLD_COLUMNS: usize = 8;

/// The figures of a run.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The version of strata.
    pub strata: &'static str,
    /// `success`, or what ended the run.
    pub outcome: String,
    pub exit_code: u8,
    /// Seconds since 1970 (UTC).
    pub started_at: f64,
    /// The options as they were given.
    pub options: Value,
    /// What decides the values of the parts; empty where the run did not come that far.
    pub fingerprint: Map<String, Value>,
    #[serde(flatten)]
    pub counts: Counts,
    /// Values that are infinite or not a number, by column.
    pub non_finite: NonFinite,
    /// Parts that this run wrote.
    pub parts_written: u64,
    /// Parts that were already there.
    pub parts_kept: u64,
    /// Bytes of the parts that this run wrote.
    pub bytes_written: u64,
    /// Input files that could not be read, with the reason.
    pub skipped: BTreeMap<String, String>,
    /// Input files that are gone and whose parts are kept.
    pub vanished: Vec<String>,
    /// Seconds from start to end.
    pub seconds: f64,
    /// Tokens of texts over all seconds, loading the model counted.
    pub tokens_per_second: f64,
    pub stages: Stages,
    /// Largest resident memory of the process, where the system tells.
    pub peak_memory_bytes: Option<u64>,
    #[serde(skip)]
    clock: Instant,
}

impl Report {
    /// A report of a run that starts now.
    pub fn begin() -> Self {
        Self {
            strata: env!("CARGO_PKG_VERSION"),
            outcome: String::new(),
            exit_code: 0,
            started_at: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64(),
            options: Value::Null,
            fingerprint: Map::new(),
            counts: Counts::default(),
            non_finite: NonFinite::new(),
            parts_written: 0,
            parts_kept: 0,
            bytes_written: 0,
            skipped: BTreeMap::new(),
            vanished: Vec::new(),
            seconds: 0.0,
            tokens_per_second: 0.0,
            stages: Stages::default(),
            peak_memory_bytes: None,
            clock: Instant::now(),
        }
    }

    /// Adds what was done.
    pub fn add(&mut self, outcome: &Outcome) {
        let Outcome { done, parts_kept, fingerprint, skipped, vanished, is_whole: _ } = outcome;
        let Done { counts, non_finite, stages, parts, bytes, skipped: _ } = done;
        self.fingerprint.clone_from(fingerprint);
        self.skipped.clone_from(skipped);
        self.vanished.clone_from(vanished);
        self.non_finite.clone_from(non_finite);
        (self.counts, self.stages, self.parts_kept) = (*counts, *stages, *parts_kept);
        (self.parts_written, self.bytes_written) = (*parts, *bytes);
        self.take_time();
    }

    /// Enters how the run ended.
    pub fn end(&mut self, result: &anyhow::Result<()>) {
        self.outcome = result.as_ref().map_or_else(|error| format!("{error:#}"), |()| "success".to_owned());
        self.exit_code = result.as_ref().err().map_or(0, failure::exit_code);
        self.take_time();
    }

    /// When the run ended, in seconds since 1970 (UTC).
    pub fn ended_at_seconds(&self) -> f64 {
        self.started_at + self.seconds
    }

    fn take_time(&mut self) {
        self.seconds = self.clock.elapsed().as_secs_f64();
        self.tokens_per_second = self.counts.tokens as f64 / self.seconds.max(1e-9);
        self.peak_memory_bytes = peak_memory_bytes();
    }

    /// Writes the figures as JSON.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&self, path: &Path) -> anyhow::Result<()> {
        let json = serde_json::to_string_pretty(self)?;
        Ok(strata_io::write_atomically(path, format!("{json}\n").as_bytes())?)
    }

    /// Tells people what was done.
    pub fn print(&self, output: &Path) {
        let Counts { rows, output_rows, nulls, truncated, tokens, .. } = self.counts;
        let Self { parts_written, parts_kept, bytes_written, seconds, .. } = *self;
        if parts_written == 0 {
            let parts = counted(parts_kept as usize, "part");
            let were = if parts_kept == 1 { "was" } else { "were" };
            say(format_args!("{}: {parts} {were} already there", output.display()));
            return;
        }
        let rate = |count: u64| HumanCount((count as f64 / seconds.max(1e-9)) as u64);
        let kept = if parts_kept == 0 { String::new() } else { format!(", {parts_kept} kept") };
        let origin =
            if output_rows == rows { String::new() } else { format!(" from {} of input", HumanCount(rows)) };
        say(format_args!(
            "{}: {}{origin} in {}{kept}, {}",
            output.display(),
            counted(output_rows as usize, "row"),
            counted(parts_written as usize, "part"),
            HumanBytes(bytes_written),
        ));
        say(format_args!(
            "{} tokens, {} truncated, {} null",
            HumanCount(tokens),
            HumanCount(truncated),
            HumanCount(nulls),
        ));
        self.print_non_finite();
        let time = Duration::from_secs_f64(seconds);
        let time =
            if seconds < 10.0 { format!("{seconds:.1} seconds") } else { HumanDuration(time).to_string() };
        say(format_args!("{time}, {} rows/s, {} tokens/s", rate(rows), rate(tokens)));
    }

    /// Tells which columns are of no use, or not all of them.
    fn print_non_finite(&self) {
        if self.non_finite.is_empty() {
            return;
        }
        let told = self.non_finite.iter().take(TOLD_COLUMNS);
        let mut columns: Vec<String> =
            told.map(|(column, count)| format!("{column} ({})", HumanCount(*count))).collect();
        if let Some(others) = self.non_finite.len().checked_sub(TOLD_COLUMNS).filter(|others| *others > 0) {
            columns.push(format!("and {others} more"));
        }
        say(format_args!(
            "values that are infinite or not a number in {}: {}",
            counted(self.non_finite.len(), "column"),
            columns.join(", ")
        ));
    }
}

/// Refuses a file, asked for by `option`, that could not be written when the work is done.
pub fn check_folder(option: &str, path: &Path) -> Result<(), Refusal> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if folder.is_dir() {
        return Ok(());
    }
    let message = format!("{option}: expected a folder at {}, found none", folder.display());
    Err(Refusal::usage(message).hint("make the folder first, or name another"))
}

/// The process's largest resident memory so far.
fn peak_memory_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}
