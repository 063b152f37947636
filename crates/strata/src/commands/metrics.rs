//! A run's figures for Prometheus, as node_exporter's textfile collector reads them.

use std::path::Path;

use crate::commands::report::Report;

const LAST_SUCCESS: &str = "strata_last_success_timestamp_seconds";

/// Replaces the metrics file at once. The time of the last success outlives runs that fail.
///
/// # Errors
/// The file cannot be written.
pub fn save(report: &Report, path: &Path) -> anyhow::Result<()> {
    // Reading a pipe would wait for what nobody writes.
    let before =
        if path.is_file() { fs_err::read_to_string(path).unwrap_or_default() } else { String::new() };
    let last_success = match report.exit_code {
        0 => Some(report.ended_at_seconds()),
        _ => value_of(LAST_SUCCESS, &before),
    };
    Ok(strata_io::write_atomically(path, text(report, last_success).as_bytes())?)
}

/// The metrics in the Prometheus text format.
fn text(report: &Report, last_success: Option<f64>) -> String {
    let counts = &report.counts;
    let rate = counts.tokens as f64 / report.seconds.max(1e-9);
    let metrics = [
        ("strata_rows", "Rows encoded by the last run.", Some(counts.rows as f64)),
        (
            "strata_tokens",
            "Tokens encoded by the last run, special ones counted.",
            Some(counts.tokens as f64),
        ),
        ("strata_truncated_rows", "Texts of the last run that were cut.", Some(counts.truncated as f64)),
        ("strata_null_rows", "Rows of the last run without a text.", Some(counts.nulls as f64)),
        ("strata_skipped_files", "Input files that could not be read.", Some(report.skipped.len() as f64)),
        ("strata_parts_written", "Parts that the last run wrote.", Some(report.parts_written as f64)),
        ("strata_parts_kept", "Parts that were already there.", Some(report.parts_kept as f64)),
        ("strata_run_seconds", "Duration of the last run.", Some(report.seconds)),
        ("strata_tokens_per_second", "Tokens of the last run over its duration.", Some(rate)),
        ("strata_exit_code", "Exit code of the last run.", Some(f64::from(report.exit_code))),
        ("strata_last_run_timestamp_seconds", "When the last run ended.", Some(report.ended_at_seconds())),
        (LAST_SUCCESS, "When a run last succeeded.", last_success),
    ];
    let line = |(name, help, value): (&str, &str, Option<f64>)| {
        value.map(|value| format!("# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}\n"))
    };
    metrics.into_iter().filter_map(line).collect()
}

fn value_of(name: &str, text: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_success_is_found_again() {
        let text = text(&Report::begin(), Some(1_800_000_000.25));
        assert_eq!(value_of(LAST_SUCCESS, &text), Some(1_800_000_000.25));
        assert_eq!(value_of("strata_rows", &text), Some(0.0));
        assert_eq!(value_of(LAST_SUCCESS, "nothing of the kind"), None);
    }
}
