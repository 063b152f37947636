//! `strata run --dry-run`: what a run would do. Writes nothing.

use std::time::Duration;

use indicatif::{HumanBytes, HumanCount, HumanDuration};
use strata_featurize::{Consent, Estimate, Job, Trial, Watch};

use crate::console::{counted, print_result};

/// Prints rows, parts done and to do, bytes of output, tokens and time.
///
/// # Errors
/// Whatever would make the run itself fail before it starts.
pub fn dry_run(job: &Job, consent: Consent, watch: &dyn Watch) -> anyhow::Result<()> {
    let Estimate { parts_made, parts_to_make, rows, skipped, trial } = Estimate::take(job, consent, watch)?;
    let skipped: Vec<String> =
        skipped.iter().map(|(name, reason)| format!("  to be skipped   {name}: {reason}\n")).collect();
    print_result(&format!(
        "{}: {} of {}, {} already there, {} to make\n{}  rows to encode  {}\n{}",
        job.settings.output.display(),
        counted(parts_made + parts_to_make, "part"),
        counted(job.inputs.len(), "file"),
        HumanCount(parts_made as u64),
        HumanCount(parts_to_make as u64),
        skipped.concat(),
        HumanCount(rows),
        trial.map(described).unwrap_or_default(),
    ))
}

/// The lines that rest on a sample.
fn described(trial: Trial) -> String {
    let Trial { rows, tokens_per_row, tokens, bytes, tokens_per_second } = trial;
    let time = tokens_per_second.map_or_else(
        || "unknown: the sample has no text".to_owned(),
        |rate| {
            let left = HumanDuration(Duration::from_secs_f64(tokens / rate));
            format!("about {left} ({} tokens/s in the sample)", HumanCount(rate as u64))
        },
    );
    format!(
        "  tokens          about {} ({tokens_per_row:.1} a row in a sample of {})\n  \
         vectors         about {}\n  time            {time}\n",
        HumanCount(tokens as u64),
        HumanCount(rows),
        HumanBytes(bytes as u64),
    )
}
