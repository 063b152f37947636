//! What a run did: a summary for people, figures for machines.

use std::path::Path;
use std::time::Duration;

use indicatif::{HumanBytes, HumanCount, HumanDuration};
use serde::Serialize;

use crate::console::{counted, say};
use crate::failure::Refusal;
use crate::stages::StageTimes;

/// Counts over the rows that a run encoded.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Counts {
    /// Rows, nulls counted.
    pub rows: u64,
    /// Rows without a text.
    pub nulls: u64,
    /// Texts that were cut to the greatest length.
    pub truncated: u64,
    /// Tokens of texts, special ones counted.
    pub tokens: u64,
    /// Tokens that went through the model, padding counted.
    pub padded_tokens: u64,
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        let Self { rows, nulls, truncated, tokens, padded_tokens } = other;
        self.rows += rows;
        self.nulls += nulls;
        self.truncated += truncated;
        self.tokens += tokens;
        self.padded_tokens += padded_tokens;
    }
}

/// How the stages of a run spent their time.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Stages {
    pub read: StageTimes,
    pub tokenize: StageTimes,
    pub encode: StageTimes,
    pub write: StageTimes,
}

/// The figures of a run.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// `success`, or what ended the run.
    pub outcome: String,
    pub exit_code: u8,
    #[serde(flatten)]
    pub counts: Counts,
    /// Parts that this run wrote.
    pub parts_written: u64,
    /// Parts that were already there.
    pub parts_kept: u64,
    /// Bytes of the parts that this run wrote.
    pub bytes_written: u64,
    /// Seconds from start to end.
    pub seconds: f64,
    pub stages: Stages,
    /// Largest resident memory of the process, where the system tells.
    pub peak_memory_bytes: Option<u64>,
}

impl Report {
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
        let Counts { rows, nulls, truncated, tokens, padded_tokens } = self.counts;
        let Self { parts_written, parts_kept, bytes_written, seconds, .. } = *self;
        if parts_written == 0 {
            say(format_args!("{}: all {parts_kept} parts were already there", output.display()));
            return;
        }
        let rate = |count: u64| HumanCount((count as f64 / seconds.max(1e-9)) as u64);
        let kept = if parts_kept == 0 { String::new() } else { format!(", {parts_kept} kept") };
        say(format_args!(
            "{}: {} in {}{kept}, {}",
            output.display(),
            counted(rows as usize, "row"),
            counted(parts_written as usize, "part"),
            HumanBytes(bytes_written),
        ));
        say(format_args!(
            "{} tokens ({:.1} % padding), {} truncated, {} null",
            HumanCount(tokens),
            100.0 * (padded_tokens - tokens) as f64 / padded_tokens.max(1) as f64,
            HumanCount(truncated),
            HumanCount(nulls),
        ));
        let time = Duration::from_secs_f64(seconds);
        let time =
            if seconds < 10.0 { format!("{seconds:.1} seconds") } else { HumanDuration(time).to_string() };
        say(format_args!("{time}, {} rows/s, {} tokens/s", rate(rows), rate(tokens)));
    }
}

/// Refuses a report that could not be written when the work is done.
pub fn check_folder(path: &Path) -> Result<(), Refusal> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if folder.is_dir() {
        return Ok(());
    }
    let message = format!("--report: expected a folder at {}, found none", folder.display());
    Err(Refusal::usage(message).hint("make the folder first, or name another"))
}

/// The process's largest resident memory so far.
pub fn peak_memory_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}
