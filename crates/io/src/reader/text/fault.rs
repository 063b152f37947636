//! What is wrong with a record of a text file, and where.

use arrow::error::ArrowError;

use crate::Unfit;

/// Where a record stands in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// Counted from 0, as rows are.
    pub row: u64,
    /// Counted from 1, as editors do.
    pub line: u64,
}

/// A fault without its file's name.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// The record is not written as its format says.
    #[error("{reason}")]
    Record { place: Place, reason: String, hint: &'static str },
    /// A value would not survive in its column.
    #[error("expected {} in column `{}`, found {}", unfit.expected, unfit.column, unfit.found)]
    Value { place: Place, unfit: Box<Unfit> },
}

/// What to do about a file that is no UTF-8.
pub(crate) const ENCODING_HINT: &str = "say how it is encoded with --encoding, such as latin1, windows-1251, shift_jis \
     or utf-16, or convert it with iconv";

impl Fault {
    pub fn record(place: Place, reason: impl Into<String>, hint: &'static str) -> Self {
        Self::Record { place, reason: reason.into(), hint }
    }

    /// Text that is not UTF-8 and not said to be anything else.
    pub fn encoding(place: Place, bytes: &[u8]) -> Self {
        let valid = std::str::from_utf8(bytes).map_or_else(|error| error.valid_up_to(), str::len);
        let byte = bytes.get(valid).copied().unwrap_or_default();
        Self::record(place, format!("the text is not UTF-8: byte 0x{byte:02x}"), ENCODING_HINT)
    }
}

impl From<Fault> for ArrowError {
    fn from(fault: Fault) -> Self {
        Self::ExternalError(Box::new(fault))
    }
}

/// A value as a message shows it: short, and in one line.
pub(super) fn shown(text: &str) -> String {
    const MOST: usize = 60;
    let end = text.floor_char_boundary(MOST);
    let mut shown = String::new();
    for character in text[..end].chars() {
        match character.is_control() {
            true => shown.extend(character.escape_debug()),
            false => shown.push(character),
        }
    }
    if end < text.len() { shown + "…" } else { shown }
}
