//! `-` as input or output: data on stdin, an Arrow IPC stream on stdout.

use std::io::{self, ErrorKind, IsTerminal, Read, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use fs_err::File;
use strata_featurize::{Job, OnBadFile, Refusal, STDIO, Settings};
use tempfile::TempDir;

use crate::options::cli::RunArguments;
use crate::signals::Signals;

/// What a part of stdin is called, and what its format is known by if nothing is said of it.
const STDIN_FILE: &str = "stdin.arrows";

/// How much of stdin is read at once.
const PIECE_BYTES: usize = 1 << 20;

/// How long a signal may wait to be seen while stdin is silent.
const SIGNALS_SEEN: Duration = Duration::from_millis(100);

/// Copies stdin to a temporary file where it is the input, and names that file instead: rows are
/// counted before they are encoded, and hashed to tell what is already there. The file goes with
/// what is returned.
///
/// # Errors
/// stdin is a terminal, or one of several inputs; it cannot be read or the file not be written; a
/// signal has come.
pub fn spool_stdin(settings: &mut Settings, signals: &Signals) -> anyhow::Result<Option<TempDir>> {
    let inputs = &mut settings.inputs;
    if !inputs.iter().any(|input| input == STDIO) {
        return Ok(None);
    }
    let [input] = inputs.as_mut_slice() else {
        return Err(Refusal::usage("--input - is stdin, and does not go with other inputs".to_owned()).into());
    };
    if io::stdin().is_terminal() {
        return Err(Refusal::usage("--input - reads data from stdin, and stdin is a terminal".to_owned())
            .hint("pipe the data into strata, or name a file")
            .into());
    }
    let folder = private_folder()?;
    let path = folder.path().join(STDIN_FILE);
    let mut file = File::create(&path)?;
    let pieces = pieces_of_stdin();
    loop {
        match pieces.recv_timeout(SIGNALS_SEEN) {
            Ok(piece) => file.write_all(&piece?)?,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        signals.check()?;
    }
    *input = path.to_string_lossy().into_owned();
    settings.reads_stdin = true;
    Ok(Some(folder))
}

/// A temporary folder that nobody else can look into: whoever pipes data in has not made a file of it.
fn private_folder() -> io::Result<TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix("strata-");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
    builder.tempdir()
}

/// What comes from stdin, read on a thread of its own: one that waits for more sees no signal.
fn pieces_of_stdin() -> Receiver<io::Result<Vec<u8>>> {
    let (sender, pieces) = sync_channel(1);
    thread::spawn(move || {
        let mut stdin = io::stdin().lock();
        loop {
            let mut piece = vec![0; PIECE_BYTES];
            let piece = match stdin.read(&mut piece) {
                Ok(0) => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                read => read.map(|count| piece[..count].to_vec()),
            };
            if sender.send(piece).is_err() {
                break;
            }
        }
    });
    pieces
}

/// Refuses what cannot be written to stdout.
///
/// # Errors
/// stdout is a terminal; options that need a folder.
pub fn check_stdout(job: &Job, arguments: &RunArguments) -> Result<(), Refusal> {
    let needs_folder = [
        ("--dry-run", arguments.dry_run),
        ("--overwrite", arguments.overwrite),
        ("--prune", arguments.prune),
        ("--shard", job.settings.shard.is_some()),
        ("--rows-per-part", job.settings.rows_per_part.is_some()),
        ("--on-bad-file skip", job.settings.on_bad_file == OnBadFile::Skip),
    ];
    if let Some((option, _)) = needs_folder.iter().find(|(_, given)| *given) {
        let message = format!("{option} does not go with --output -: it is about a folder of parts");
        return Err(Refusal::usage(message).hint("leave it out, or name a folder"));
    }
    if io::stdout().is_terminal() {
        return Err(Refusal::usage("--output - writes binary data, and stdout is a terminal")
            .hint("pipe it into a program that reads Arrow IPC streams, or name a folder"));
    }
    Ok(())
}
