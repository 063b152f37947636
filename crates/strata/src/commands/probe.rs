//! `strata probe`: what each layer knows of a label.

use strata_probe::{Error, Report, Settings, probe as study};

use crate::console::print_result;
use crate::console::progress::Terminal;
use crate::options::cli::ProbeArguments;
use crate::signals::Signals;

/// Trains probes on the columns of an output, prints what they found, and writes the report.
///
/// # Errors
/// There is no such output or label; nothing can be learned of it; the report cannot be written; a signal came.
pub fn probe(arguments: ProbeArguments, signals: &Signals) -> anyhow::Result<()> {
    let keys = arguments.options.with(arguments.what.as_deref())?.probe;
    let output = keys.output.clone();
    let settings = Settings::try_from(keys)?;
    if let Some(folder) = &output {
        // Before an hour of training.
        Report::check_folder(folder)?;
    }
    let watch = Terminal::new(arguments.progress, signals, None);
    let report = study(&settings, &watch).map_err(|error| match error {
        Error::Cancelled => signals.end().map_or_else(|| error.into(), anyhow::Error::from),
        _ => error.into(),
    })?;
    // First of all: whatever becomes of the folder, what was found is known.
    print_result(&if arguments.json {
        serde_json::to_string_pretty(&report)? + "\n"
    } else {
        report.text()
    })?;
    if let Some(folder) = output {
        report.write(&folder)?;
        tracing::info!("the report is in {}", folder.display());
    }
    Ok(())
}
