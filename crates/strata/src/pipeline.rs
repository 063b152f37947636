//! The way of the data, four stages side by side with bounded queues between them:
//!
//! ```text
//! read ──Window──▶ tokenize ──Tokenized──▶ encode ──Encoded──▶ write
//! ```

mod encode;
mod read;
pub mod target;
pub mod tokenize;
mod write;

use std::collections::BTreeMap;
use std::sync::mpsc::sync_channel;
use std::thread;

use strata_bert::Extractor;

use crate::job::Job;
use crate::panics;
use crate::plan::Part;
use crate::progress::Progress;
use crate::report::{Counts, NonFinite, Stages};
use crate::signals::Signals;
use crate::stages::pump;
use target::Target;

/// Windows that may wait between two stages: one ahead is enough for neither to starve.
const QUEUE: usize = 1;

/// What a pipeline did, also if it failed on the way.
#[derive(Default)]
pub struct Done {
    pub counts: Counts,
    pub non_finite: NonFinite,
    pub stages: Stages,
    pub parts: u64,
    pub bytes: u64,
    /// Input files that could not be read to their end, by name, with the reason.
    pub skipped: BTreeMap<String, String>,
}

/// Makes `parts` and gives them to `target`.
///
/// # Errors
/// The first failure on the data's way; parts that were committed before it stay, the open one is
/// dropped.
pub fn run(
    job: &Job,
    parts: &[Part],
    target: &mut dyn Target,
    extractor: &Extractor,
    progress: &Progress,
    signals: &Signals,
    done: &mut Done,
) -> anyhow::Result<()> {
    let (windows, to_tokenize) = sync_channel(QUEUE);
    let (tokenized, to_encode) = sync_channel(QUEUE);
    let (encoded, to_write) = sync_channel(QUEUE);
    thread::scope(|scope| {
        let reading = scope.spawn(move || read::read(job, parts, &windows, signals));
        let tokenizing = scope
            .spawn(move || pump(&to_tokenize, &tokenized, |window| tokenize::tokenize(job, parts, window)));
        let encoder =
            encode::Encoder { extractor, max_batch_tokens: job.max_batch_tokens(), progress, signals };
        let encoding = scope.spawn(move || pump(&to_encode, &encoded, |window| encoder.encode(window)));
        let writing = write::write(job, parts, target, to_write, done);

        // A stage that ends early starves its neighbours; the cause is with whoever failed first on
        // the data's way.
        let read = joined(reading);
        let tokenize = joined(tokenizing);
        let encode = joined(encoding);
        let (read, skipped) = read?;
        done.skipped = skipped;
        done.stages = Stages { read, tokenize: tokenize?, encode: encode?, write: writing? };
        Ok(())
    })
}

fn joined<T>(stage: thread::ScopedJoinHandle<'_, anyhow::Result<T>>) -> anyhow::Result<T> {
    stage.join().unwrap_or_else(|_| Err(panics::bug()))
}
