//! The way of the data, four stages side by side with bounded queues between them:
//!
//! ```text
//! read ──Chunk──▶ tokenize ──Tokenized──▶ encode ──Encoded──▶ write
//! ```

pub(crate) mod chunk;
pub(crate) mod counts;
mod encode;
mod read;
pub(crate) mod stages;
pub(crate) mod target;
pub(crate) mod tokenize;
mod write;

use std::collections::BTreeMap;
use std::sync::mpsc::sync_channel;
use std::thread;

use strata_bert::Extractor;

use crate::Error;
use crate::job::Job;
use crate::plan::parts::Part;
use crate::watch::Watch;
use counts::{Counts, NonFinite, Stages};
use stages::pump;
use target::Target;

/// Chunks that may wait between two stages: one ahead is enough for neither to starve.
const QUEUE: usize = 1;

/// What a pipeline did, also if it failed on the way.
#[derive(Default)]
pub struct Done {
    /// What was counted in rows.
    pub counts: Counts,
    /// Values that are infinite or not a number.
    pub non_finite: NonFinite,
    /// How the stages spent their time.
    pub stages: Stages,
    /// Parts that were ended.
    pub parts: u64,
    /// Bytes of those.
    pub bytes: u64,
    /// Input files that could not be read to their end, by name, with the reason.
    pub skipped: BTreeMap<String, String>,
}

impl Done {
    /// Counts a part that was ended.
    pub(crate) fn add_part(&mut self, counts: Counts, non_finite: NonFinite, bytes: u64) {
        self.counts += counts;
        self.parts += 1;
        self.bytes += bytes;
        for (column, count) in non_finite {
            *self.non_finite.entry(column).or_default() += count;
        }
    }
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
    watch: &dyn Watch,
    done: &mut Done,
) -> Result<(), Error> {
    let (chunks, to_tokenize) = sync_channel(QUEUE);
    let (tokenized, to_encode) = sync_channel(QUEUE);
    let (encoded, to_write) = sync_channel(QUEUE);
    thread::scope(|scope| {
        let reading = scope.spawn(move || read::read(job, parts, &chunks, watch));
        let tokenizing = scope
            .spawn(move || pump(&to_tokenize, &tokenized, |chunk| tokenize::tokenize(job, parts, chunk)));
        let batch_tokens = job.max_batch_tokens();
        let encoding = scope.spawn(move || {
            pump(&to_encode, &encoded, |chunk| encode::encode(extractor, batch_tokens, watch, chunk))
        });
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

fn joined<T>(stage: thread::ScopedJoinHandle<'_, Result<T, Error>>) -> Result<T, Error> {
    stage.join().unwrap_or_else(|panic| Err(Error::panicked(&*panic)))
}
