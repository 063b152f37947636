//! What people read: stdout for results, stderr for everything else. A reader that has gone away,
//! as `head` does, is no failure.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};

use indicatif::HumanCount;

/// Says a line on stderr.
pub fn say(line: impl Display) {
    // Whoever closed stderr does not want to read it.
    let _ = writeln!(io::stderr().lock(), "{line}");
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
