//! Progress of a download on stderr: a bar on a terminal, a plain line every few seconds elsewhere.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{BinaryBytes, ProgressBar, ProgressDrawTarget, ProgressStyle};
use strata_hub::Progress;

use crate::console::progress::has_bars;
use crate::console::say;
use crate::options::cli::ProgressMode;

const PLAIN_INTERVAL: Duration = Duration::from_secs(5);

/// How far a download is; clones share it.
#[derive(Clone)]
pub struct Transfer {
    bar: ProgressBar,
    started: Instant,
    /// When the next plain line is due, in milliseconds since the start.
    next_line: Option<Arc<AtomicU64>>,
}

impl Transfer {
    /// Shows nothing before something is expected.
    pub fn start(mode: ProgressMode) -> Self {
        let bars = has_bars(mode);
        let target = if bars { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(0), target).with_style(style());
        let next_line = (mode == ProgressMode::Auto && !bars)
            .then(|| Arc::new(AtomicU64::new(PLAIN_INTERVAL.as_millis() as u64)));
        Self { bar, started: Instant::now(), next_line }
    }

    /// Removes the bar.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn print_plain(&self, next: &AtomicU64) {
        let now = self.started.elapsed().as_millis() as u64;
        if now < next.load(Ordering::Relaxed) {
            return;
        }
        next.store(now + PLAIN_INTERVAL.as_millis() as u64, Ordering::Relaxed);
        let (done, all) = (self.bar.position(), self.bar.length().unwrap_or_default());
        let percent = 100.0 * done as f64 / all.max(1) as f64;
        say(format_args!("{} of {} ({percent:.0} %)", BinaryBytes(done), BinaryBytes(all)));
    }
}

impl Progress for Transfer {
    fn expect(&self, bytes: u64) {
        self.bar.inc_length(bytes);
    }

    fn advance(&self, bytes: u64) {
        self.bar.inc(bytes);
        self.next_line.as_ref().inspect(|next| self.print_plain(next));
    }

    fn take_back(&self, bytes: u64) {
        self.bar.dec(bytes);
    }
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template(
        "{bar:30} {binary_bytes} of {binary_total_bytes}  {binary_bytes_per_sec}  {eta} left",
    )
    .unwrap_or_else(|_| ProgressStyle::default_bar())
}
