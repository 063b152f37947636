//! Progress on stderr: bars on a terminal, a plain line every few seconds elsewhere.

use std::io::{self, IsTerminal};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{HumanCount, HumanDuration, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use strata_featurize::Watch;
use tracing::Level;

use crate::cluster::Cluster;
use crate::console::say;
use crate::options::cli::ProgressMode;
use crate::signals::Signals;

const PLAIN_INTERVAL: Duration = Duration::from_secs(5);

/// Whoever started the command: sees how far it is, and stops it by a signal.
pub struct Terminal<'a> {
    mode: ProgressMode,
    signals: &'a Signals,
    /// Whoever else may stop it.
    cluster: Option<&'a dyn Cluster>,
    progress: OnceLock<Progress>,
}

impl<'a> Terminal<'a> {
    /// Shows nothing before something is to be done.
    pub fn new(mode: ProgressMode, signals: &'a Signals, cluster: Option<&'a dyn Cluster>) -> Self {
        Self { mode, signals, cluster, progress: OnceLock::new() }
    }
}

impl Watch for Terminal<'_> {
    fn begin(&self, rows: u64) {
        self.progress.get_or_init(|| Progress::start(self.mode, "rows", rows));
    }

    fn advance(&self, rows: u64, tokens: u64) {
        self.progress.get().inspect(|progress| progress.encoded(rows, tokens));
    }

    fn end(&self) {
        self.progress.get().inspect(|progress| progress.bar.finish_and_clear());
    }

    fn is_cancelled(&self) -> bool {
        self.signals.check().is_err() || self.cluster.is_some_and(Cluster::is_cancelled)
    }
}

#[cfg(feature = "probe")]
impl strata_probe::Watch for Terminal<'_> {
    fn begin(&self, probes: u64) {
        self.progress.get_or_init(|| Progress::start(self.mode, "probes", probes));
    }

    fn advance(&self, probes: u64, column: &str) {
        self.progress.get().inspect(|progress| progress.advance(probes, column.to_owned()));
    }

    fn end(&self) {
        self.progress.get().inspect(|progress| progress.bar.finish_and_clear());
    }

    fn is_cancelled(&self) -> bool {
        Watch::is_cancelled(self)
    }
}

/// Whether progress is a bar.
pub fn has_bars(mode: ProgressMode) -> bool {
    match mode {
        ProgressMode::Always => true,
        // Whoever wants to hear of errors alone wants no bar.
        ProgressMode::Auto => io::stderr().is_terminal() && tracing::enabled!(Level::INFO),
        ProgressMode::Never => false,
    }
}

/// How far a command is.
struct Progress {
    bar: ProgressBar,
    /// What is counted.
    unit: &'static str,
    tokens: AtomicU64,
    started: Instant,
    plain: Option<Plain>,
}

/// When the next plain line is due, in milliseconds since the start.
struct Plain {
    next_ms: AtomicU64,
}

impl Progress {
    /// Starts counting towards `length`.
    fn start(mode: ProgressMode, unit: &'static str, length: u64) -> Self {
        let bars = has_bars(mode);
        let target = if bars { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(length), target).with_style(style(unit));
        if bars {
            bar.enable_steady_tick(Duration::from_millis(200));
        }
        let plain = (mode == ProgressMode::Auto && !bars)
            .then(|| Plain { next_ms: AtomicU64::new(PLAIN_INTERVAL.as_millis() as u64) });
        Self { bar, unit, tokens: AtomicU64::new(0), started: Instant::now(), plain }
    }

    /// Counts rows that are encoded, with their tokens.
    fn encoded(&self, rows: u64, tokens: u64) {
        let tokens = self.tokens.fetch_add(tokens, Ordering::Relaxed) + tokens;
        let rate = tokens as f64 / self.started.elapsed().as_secs_f64().max(1e-3);
        self.advance(rows, format!("{} tokens/s", HumanCount(rate as u64)));
    }

    /// Counts what is done, and says something of it.
    fn advance(&self, count: u64, message: String) {
        self.bar.inc(count);
        self.bar.set_message(message);
        if let Some(plain) = &self.plain {
            self.print_plain(plain);
        }
    }

    fn print_plain(&self, plain: &Plain) {
        let now = self.started.elapsed().as_millis() as u64;
        let due = plain.next_ms.load(Ordering::Relaxed);
        if now < due {
            return;
        }
        plain.next_ms.store(now + PLAIN_INTERVAL.as_millis() as u64, Ordering::Relaxed);
        let (done, all) = (self.bar.position(), self.bar.length().unwrap_or_default());
        let percent = 100.0 * done as f64 / all.max(1) as f64;
        // From the average so far: indicatif estimates only what it draws.
        let left = self.started.elapsed().mul_f64(all.saturating_sub(done) as f64 / done.max(1) as f64);
        say(format_args!(
            "{} of {} {} ({percent:.0} %), {}, {} left",
            HumanCount(done),
            HumanCount(all),
            self.unit,
            self.bar.message(),
            HumanDuration(left)
        ));
    }
}

#[expect(clippy::literal_string_with_formatting_args, reason = "indicatif's own template language")]
fn style(unit: &str) -> ProgressStyle {
    let left = |state: &ProgressState, out: &mut dyn std::fmt::Write| {
        // Before the first of them there is nothing to estimate from.
        let text = if state.pos() == 0 { "…".to_owned() } else { HumanDuration(state.eta()).to_string() };
        let _ = write!(out, "{text} left");
    };
    ProgressStyle::with_template(&["{bar:30} {human_pos} of {human_len} ", unit, "  {msg}  {left}"].concat())
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .with_key("left", left)
}
