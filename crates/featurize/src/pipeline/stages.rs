//! A stage of the pipeline: takes from one bounded queue, gives to the next, and knows how long it
//! worked and how long it waited.

use crate::Error;
use std::sync::mpsc::{Receiver, SyncSender};
use std::time::{Duration, Instant};

use serde::Serialize;

/// How a stage spent its time.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct StageTimes {
    /// Seconds at work.
    #[serde(rename = "busy_seconds", serialize_with = "seconds")]
    pub busy: Duration,
    /// Seconds spent waiting for the stage before or after it.
    #[serde(rename = "waiting_seconds", serialize_with = "seconds")]
    pub waiting: Duration,
}

impl StageTimes {
    /// Counts what `work` takes as time at work.
    pub fn busy<T>(&mut self, work: impl FnOnce() -> T) -> T {
        clocked(&mut self.busy, work)
    }

    /// Counts what `wait` takes as time spent waiting.
    pub fn waiting<T>(&mut self, wait: impl FnOnce() -> T) -> T {
        clocked(&mut self.waiting, wait)
    }
}

fn clocked<T>(total: &mut Duration, action: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = action();
    *total += start.elapsed();
    result
}

fn seconds<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((duration.as_secs_f64() * 1e3).round() / 1e3)
}

/// Works on every item of a queue, handing on what becomes of it, until the stage before or the stage
/// after it has gone.
///
/// # Errors
/// The first failure of `work`; the stage after it then finds the queue ended.
pub fn pump<I, O, R: IntoIterator<Item = O>>(
    source: &Receiver<I>,
    sink: &SyncSender<O>,
    mut work: impl FnMut(I) -> Result<R, Error>,
) -> Result<StageTimes, Error> {
    let mut times = StageTimes::default();
    while let Ok(item) = times.waiting(|| source.recv()) {
        for result in times.busy(|| work(item))? {
            if times.waiting(|| sink.send(result)).is_err() {
                return Ok(times);
            }
        }
    }
    Ok(times)
}
