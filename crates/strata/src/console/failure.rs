//! What the user reads when something goes wrong, and the exit code that scripts read.

use strata_featurize::{Error, ErrorKind, Refusal, in_one_line};

/// Exit codes, after BSD's sysexits.
mod code {
    pub const USAGE: u8 = 2;
    pub const BAD_DATA: u8 = 65;
    pub const NO_INPUT: u8 = 66;
    pub const BUG: u8 = 70;
    pub const IO: u8 = 74;
    pub const TRY_AGAIN: u8 = 75;
    pub const CONFIGURATION: u8 = 78;
}

/// A run that a signal stopped.
#[derive(Debug, thiserror::Error)]
#[error("interrupted by {}; {left}", name(*.signal))]
pub struct Interrupted {
    /// The signal's number.
    pub signal: usize,
    /// What is left of the work.
    pub left: &'static str,
}

fn name(signal: usize) -> &'static str {
    match i32::try_from(signal) {
        Ok(signal_hook::consts::SIGINT) => "SIGINT",
        Ok(signal_hook::consts::SIGTERM) => "SIGTERM",
        _ => "a signal",
    }
}

/// Tells an error with its causes and, where there is one, a hint; returns its exit code.
pub fn explain(error: &anyhow::Error) -> u8 {
    say_only(error);
    exit_code(error)
}

/// An error with its causes, its kind and its hint.
pub fn as_refusal(error: &anyhow::Error) -> Refusal {
    let known = error.chain().find_map(known);
    let is_io = || error.chain().any(|cause| cause.is::<std::io::Error>());
    let (kind, hint) = known.unwrap_or_else(|| (if is_io() { ErrorKind::Io } else { ErrorKind::Bug }, None));
    let refusal = Refusal::new(kind, in_one_line(error.as_ref()));
    hint.into_iter().fold(refusal, Refusal::hint)
}

/// Tells an error that does not decide about the exit code.
pub fn say_only(error: &anyhow::Error) {
    let mut causes: Vec<String> = Vec::new();
    let mut last = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        // Some libraries repeat their cause in their own message.
        if !last.contains(&cause) {
            causes.push(cause.replace('\n', " "));
        }
        last = cause;
    }
    let hint = error.chain().find_map(|cause| known(cause)?.1).unwrap_or_default();
    let causes = causes.join("\n");
    tracing::error!(causes = causes.as_str(), hint = hint.as_str(), exit_code = exit_code(error), "{error}");
}

/// The exit code of the contract for an error.
pub fn exit_code(error: &anyhow::Error) -> u8 {
    let of_cause = |cause: &(dyn std::error::Error + 'static)| {
        if let Some(interrupted) = cause.downcast_ref::<Interrupted>() {
            return u8::try_from(128 + interrupted.signal).ok();
        }
        if cause.downcast_ref::<std::io::Error>().is_some() {
            return Some(code::IO);
        }
        Some(match known(cause)?.0 {
            ErrorKind::Usage => code::USAGE,
            ErrorKind::BadData => code::BAD_DATA,
            ErrorKind::NoInput => code::NO_INPUT,
            ErrorKind::Io => code::IO,
            ErrorKind::TryAgain => code::TRY_AGAIN,
            ErrorKind::Configuration => code::CONFIGURATION,
            // Its cause may be another's fault.
            _ => return None,
        })
    };
    error.chain().find_map(of_cause).unwrap_or(code::BUG)
}

/// What an error of one of the libraries means, and what to do about it.
fn known(cause: &(dyn std::error::Error + 'static)) -> Option<(ErrorKind, Option<String>)> {
    if let Some(error) = cause.downcast_ref::<Error>() {
        Some((error.kind(), error.hint()))
    } else if let Some(refusal) = cause.downcast_ref::<Refusal>() {
        Some((refusal.kind(), refusal.advice().map(str::to_owned)))
    } else if let Some(error) = cause.downcast_ref::<strata_io::Error>() {
        Some((error.kind().into(), error.hint()))
    } else if let Some(known) = of_probe(cause) {
        Some(known)
    } else {
        let error = cause.downcast_ref::<strata_hub::Error>()?;
        Some((error.kind().into(), error.hint().map(str::to_owned)))
    }
}

#[cfg(feature = "probe")]
fn of_probe(cause: &(dyn std::error::Error + 'static)) -> Option<(ErrorKind, Option<String>)> {
    let error = cause.downcast_ref::<strata_probe::Error>()?;
    Some((error.kind().map_or(ErrorKind::Bug, Into::into), error.hint()))
}

#[cfg(not(feature = "probe"))]
fn of_probe(_: &(dyn std::error::Error + 'static)) -> Option<(ErrorKind, Option<String>)> {
    None
}
