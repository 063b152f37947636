//! `strata fetch`: a model from the hub into the cache.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use indicatif::BinaryBytes;
use strata_bert::{SENTENCE_FILES, TOKENIZER_FILES};
use strata_hub::Fetched;

use crate::console::transfer::Transfer;
use crate::console::{counted, print_result, say};
use crate::options::cli::FetchArguments;
use crate::panics;
use crate::signals::Signals;

/// How soon a signal is noticed.
const POLL: Duration = Duration::from_millis(50);

/// Fetches what the cache lacks of a model, and prints the model's folder.
///
/// # Errors
/// There is no such model, it is no model for us, or it cannot be fetched now; a signal has come.
pub fn fetch(arguments: &FetchArguments) -> anyhow::Result<()> {
    let signals = Signals::listen()?;
    let (id, progress) = (arguments.model.clone(), Transfer::start(arguments.progress));
    let shared = progress.clone();
    let result = until_signal(&signals, move || {
        let optional = [TOKENIZER_FILES.as_slice(), &SENTENCE_FILES].concat();
        Ok(strata_hub::fetch(&id, &optional, &shared)?)
    });
    progress.finish();
    let Fetched { folder, files, bytes, .. } = result?;
    let id = &arguments.model;
    match files {
        0 => say(format_args!("{id} is there already")),
        files => say(format_args!("{id}: {}, {}", counted(files, "file"), BinaryBytes(bytes))),
    }
    print_result(&format!("{}\n", folder.display()))
}

/// Does something on a thread, as nothing wakes a thread that waits for the network. On a signal it is
/// left to itself: whatever it is at, the next attempt goes on from there.
fn until_signal<T: Send + 'static>(
    signals: &Signals,
    action: impl FnOnce() -> anyhow::Result<T> + Send + 'static,
) -> anyhow::Result<T> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || sender.send(action()));
    loop {
        match receiver.recv_timeout(POLL) {
            Ok(result) => return result,
            Err(RecvTimeoutError::Timeout) => signals.check()?,
            Err(RecvTimeoutError::Disconnected) => return Err(panics::bug()),
        }
    }
}
