//! What the user reads when something goes wrong, and the exit code that scripts read.

use std::fmt;

use strata_bert::ErrorKind as ModelErrorKind;
use strata_io::ErrorKind as DataErrorKind;

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

/// A run that cannot be what the user asked for.
#[derive(Debug)]
pub struct Refusal {
    message: String,
    hint: Option<String>,
    code: u8,
}

impl Refusal {
    /// An option, or a combination of options, that cannot be used with this data.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, code: code::USAGE }
    }

    /// A pipeline file or an output folder that does not allow the run.
    pub fn configuration(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, code: code::CONFIGURATION }
    }

    /// Something that was asked for by name and is not there.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, code: code::NO_INPUT }
    }

    /// Something that may well succeed later.
    pub fn try_again(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, code: code::TRY_AGAIN }
    }

    /// Input files that do not go together, or bytes that are not those that were promised.
    pub fn bad_data(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, code: code::BAD_DATA }
    }

    /// Says what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refusal {}

/// A run that a signal stopped.
#[derive(Debug, thiserror::Error)]
#[error("interrupted by {}; what is finished is kept, the same command goes on from here", name(*.signal))]
pub struct Interrupted {
    /// The signal's number.
    pub signal: usize,
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
    let (causes, hint) = (causes.join("\n"), hint(error).unwrap_or_default());
    tracing::error!(causes = causes.as_str(), hint = hint.as_str(), exit_code = exit_code(error), "{error}");
}

/// An error with its causes, for a report or a manifest.
pub fn in_one_line(error: &(dyn std::error::Error + 'static)) -> String {
    let chain = std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string);
    let mut messages: Vec<String> = chain.collect();
    messages.dedup_by(|cause, message| message.contains(cause.as_str()));
    messages.join(": ")
}

/// The exit code of the contract for an error.
pub fn exit_code(error: &anyhow::Error) -> u8 {
    let of_cause = |cause: &(dyn std::error::Error + 'static)| {
        if let Some(refusal) = cause.downcast_ref::<Refusal>() {
            Some(refusal.code)
        } else if let Some(interrupted) = cause.downcast_ref::<Interrupted>() {
            u8::try_from(128 + interrupted.signal).ok()
        } else if let Some(error) = cause.downcast_ref::<strata_io::Error>() {
            Some(match error.kind() {
                DataErrorKind::NoInput => code::NO_INPUT,
                DataErrorKind::BadData => code::BAD_DATA,
                DataErrorKind::Usage => code::USAGE,
                DataErrorKind::Io => code::IO,
                DataErrorKind::Locked => code::TRY_AGAIN,
                DataErrorKind::Manifest => code::CONFIGURATION,
                _ => code::BUG,
            })
        } else if let Some(error) = cause.downcast_ref::<strata_bert::Error>() {
            Some(match error.kind() {
                ModelErrorKind::Usage => code::USAGE,
                ModelErrorKind::Model => code::CONFIGURATION,
                ModelErrorKind::OutOfMemory => code::TRY_AGAIN,
                ModelErrorKind::Text => code::BAD_DATA,
                ModelErrorKind::Io => code::IO,
                ModelErrorKind::Bug => code::BUG,
            })
        } else {
            cause.downcast_ref::<std::io::Error>().map(|_| code::IO)
        }
    };
    error.chain().find_map(of_cause).unwrap_or(code::BUG)
}

fn hint(error: &anyhow::Error) -> Option<String> {
    error.chain().find_map(|cause| {
        if let Some(refusal) = cause.downcast_ref::<Refusal>() {
            refusal.hint.clone()
        } else if let Some(error) = cause.downcast_ref::<strata_io::Error>() {
            error.hint()
        } else {
            cause.downcast_ref::<strata_bert::Error>()?.hint().map(str::to_owned)
        }
    })
}
