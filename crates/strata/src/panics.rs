//! Panics are noted, not printed: most are caught where a foreign reader or backend may panic, and
//! become ordinary errors there. One that nobody expected is told as our bug.

use std::backtrace::Backtrace;
use std::panic::{UnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};

use anyhow::anyhow;

static LAST: Mutex<Option<String>> = Mutex::new(None);

/// Notes every panic from now on instead of printing it.
pub fn keep_quiet() {
    std::panic::set_hook(Box::new(|panic| {
        // Empty unless RUST_BACKTRACE asks for it.
        let note = format!("{panic}\n{}", Backtrace::capture());
        *LAST.lock().unwrap_or_else(PoisonError::into_inner) = Some(note);
    }));
}

/// Turns a panic that nobody expected into an error.
pub fn caught<T>(action: impl FnOnce() -> anyhow::Result<T> + UnwindSafe) -> anyhow::Result<T> {
    catch_unwind(action).unwrap_or_else(|_| Err(bug()))
}

/// The error of whoever finds that a thread has panicked.
pub fn bug() -> anyhow::Error {
    let last = LAST.lock().unwrap_or_else(PoisonError::into_inner).clone();
    anyhow!("this is a bug in strata, please report it: {}", last.unwrap_or_default().trim_end())
}
