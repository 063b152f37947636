//! What people and log collectors read: stdout for results, stderr for everything else. A reader that
//! has gone away, as `head` does, is no failure.

pub mod color;
pub mod failure;
pub mod progress;
pub mod transfer;

use std::fmt::{self, Display, Write as _};
use std::io::{self, ErrorKind, Write};

use clap::ValueEnum;
use clap::builder::styling::{AnsiColor, Style};
use indicatif::HumanCount;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, filter};

/// What a line of the log looks like: plain, or a JSON object with the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    Text,
    Json,
}

/// From now on, what is said goes to stderr in this format, up to `level`.
pub fn start_log(format: LogFormat, level: LevelFilter) {
    // Libraries have their own opinion of what is worth telling.
    let own = filter::filter_fn(move |metadata: &Metadata<'_>| {
        *metadata.level() <= level && metadata.target().starts_with("strata")
    })
    .with_max_level_hint(level);
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr).with_ansi(color::on_stderr());
    let layer: Box<dyn Layer<_> + Send + Sync> = match format {
        LogFormat::Text => lines.log_internal_errors(false).event_format(Lines).boxed(),
        LogFormat::Json => lines.log_internal_errors(false).json().flatten_event(true).boxed(),
    };
    // Fails only if a log has been started before.
    let _ =
        tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer.with_filter(own)));
}

/// Says a line on stderr.
pub fn say(line: impl Display) {
    tracing::info!("{line}");
}

/// Says what the user might not expect.
pub fn note(line: impl Display) {
    tracing::warn!("{line}");
}

/// Prints a command's result on stdout.
///
/// # Errors
/// stdout cannot be written, other than by a reader that has gone.
pub fn print_result(text: &str) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => Ok(result?),
    }
}

/// `1 part`, `2 parts`.
pub fn counted(count: usize, noun: &str) -> String {
    let count_text = HumanCount(count as u64);
    if count == 1 { format!("1 {noun}") } else { format!("{count_text} {noun}s") }
}

/// The message of an event, and a line for its cause and its hint.
struct Lines;

impl<S: Subscriber + for<'a> LookupSpan<'a>, N: for<'a> FormatFields<'a> + 'static> FormatEvent<S, N>
    for Lines
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut told = Told::default();
        event.record(&mut told);
        match *event.metadata().level() {
            Level::ERROR => write_word(&mut out, AnsiColor::Red, "error:")?,
            Level::WARN => write_word(&mut out, AnsiColor::Yellow, "note:")?,
            _ => {}
        }
        writeln!(out, "{}", told.message)?;
        for cause in told.causes.lines() {
            writeln!(out, "  cause: {cause}")?;
        }
        if !told.hint.is_empty() {
            write_word(&mut out, AnsiColor::Green, "hint:")?;
            writeln!(out, "{}", told.hint)?;
        }
        Ok(())
    }
}

/// Writes the word that a line begins with.
fn write_word(out: &mut Writer<'_>, color: AnsiColor, word: &str) -> fmt::Result {
    let style = if out.has_ansi_escapes() { color.on_default().bold() } else { Style::new() };
    write!(out, "{style}{word}{style:#} ")
}

/// The fields of an event that are for people.
#[derive(Default)]
struct Told {
    message: String,
    causes: String,
    hint: String,
}

impl Visit for Told {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "causes" => value.clone_into(&mut self.causes),
            "hint" => value.clone_into(&mut self.hint),
            _ => {}
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            let _ = write!(self.message, "{value:?}");
        }
    }
}
