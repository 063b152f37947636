//! The records of a CSV file, divided into fields.

use std::ops::Range;

use memchr::{memchr2, memchr3};

use super::Dialect;
use crate::error::BoxError;
use crate::reader::text::bytes::Bytes;
use crate::reader::text::fault::{Fault, Place};

const HINT: &str = "the file may be incomplete, or written in another way than --csv-delimiter, --csv-quote and \
     --csv-escape say";

/// One field of a record.
#[derive(Debug, Clone)]
struct Piece {
    /// Where it stands, in the window or among what was unwrapped.
    range: Range<usize>,
    is_unwrapped: bool,
    /// Whether quotes stood around it.
    is_quoted: bool,
    /// Whether it is how databases that escape write null.
    is_null: bool,
}

/// The fields of the record that was split last.
#[derive(Debug, Default)]
struct Fields {
    pieces: Vec<Piece>,
    /// Fields that do not stand in the file as they are.
    unwrapped: Vec<u8>,
}

/// Why no record could be split off.
enum Stop {
    /// It does not end in the window.
    Short,
    /// It is not written as the dialect says, from a byte of the window on.
    Bad(usize, &'static str),
}

pub(super) struct Records {
    bytes: Bytes,
    dialect: Dialect,
    fields: Fields,
    /// How many fields a record has, once one was seen.
    columns: Option<usize>,
    /// The place of the next record.
    row: u64,
    given: usize,
}

/// A record as it stands in the file.
pub(super) struct Record<'a> {
    bytes: &'a Bytes,
    fields: &'a Fields,
    row: u64,
}

impl<'a> Record<'a> {
    /// The number of fields.
    pub fn len(&self) -> usize {
        self.fields.pieces.len()
    }

    /// A field's text; none if nothing stands there.
    pub fn get(&self, index: usize) -> Option<&'a [u8]> {
        let text = self.text(index);
        (!text.is_empty() && !self.fields.pieces[index].is_null).then_some(text)
    }

    /// A field's text, also an empty one.
    pub fn text(&self, index: usize) -> &'a [u8] {
        let Piece { range, is_unwrapped, .. } = &self.fields.pieces[index];
        let bytes = if *is_unwrapped { &self.fields.unwrapped } else { self.bytes.window() };
        &bytes[range.clone()]
    }

    /// Where it stands.
    pub fn place(&self) -> Place {
        Place { row: self.row, line: self.bytes.line_at(0) }
    }

    /// The text of all fields together, in bytes.
    pub fn bytes(&self) -> usize {
        self.fields.pieces.iter().map(|piece| piece.range.len()).sum()
    }
}

impl Records {
    pub fn new(bytes: Bytes, dialect: Dialect) -> Self {
        Self { bytes, dialect, fields: Fields::default(), columns: None, row: 0, given: 0 }
    }

    /// The rows that were given.
    pub fn rows(&self) -> u64 {
        self.row
    }

    /// The header, which is no row.
    pub fn header(&mut self) -> Result<Option<Record<'_>>, BoxError> {
        // What stands before it says nothing.
        while let Some(end) = self.split()? {
            if !self.is_blank() {
                self.given = end;
                self.columns = Some(self.fields.pieces.len());
                return Ok(Some(self.record()));
            }
            self.bytes.pass(end);
        }
        Ok(None)
    }

    /// The next row; none at the end of the file.
    pub fn next(&mut self) -> Result<Option<Record<'_>>, BoxError> {
        self.bytes.pass(std::mem::take(&mut self.given));
        let mut is_single = None;
        let end = loop {
            let Some(end) = self.split()? else { return Ok(None) };
            // A blank line is a row of a single column, and nothing where there are several.
            let is_row = !self.is_blank()
                || match self.columns {
                    Some(columns) => columns == 1,
                    None => *is_single.get_or_insert_with(|| self.begins_single()),
                };
            if is_row {
                break end;
            }
            self.bytes.pass(end);
        };
        let found = self.fields.pieces.len();
        let expected = *self.columns.get_or_insert(found);
        if found != expected {
            let reason = format!("expected {}, found {found}", counted(expected));
            return Err(Fault::record(self.place(0), reason, HINT).into());
        }
        self.given = end;
        self.row += 1;
        Ok(Some(self.record()))
    }

    fn record(&self) -> Record<'_> {
        Record { bytes: &self.bytes, fields: &self.fields, row: self.row.saturating_sub(1) }
    }

    fn place(&self, at: usize) -> Place {
        Place { row: self.row, line: self.bytes.line_at(at) }
    }

    fn is_blank(&self) -> bool {
        matches!(self.fields.pieces.as_slice(), [Piece { range, is_quoted: false, .. }] if range.is_empty())
    }

    /// Whether the first line that is not blank has a single field, in a file without a header that
    /// begins with blank lines.
    fn begins_single(&self) -> bool {
        let window = self.bytes.window();
        let start = window.iter().take_while(|byte| matches!(byte, b'\n' | b'\r')).count();
        let mut fields = Fields::default();
        let first = self.dialect.split(&window[start..], true, &mut fields);
        matches!(first, Ok(Some(_))) && fields.pieces.len() == 1
    }

    /// What is wrong with a record that fills the window and goes on.
    fn too_long(&self) -> BoxError {
        // It would be whole, if nothing were open in it.
        let (at, reason) = match self.dialect.split(self.bytes.window(), true, &mut Fields::default()) {
            Err(Stop::Bad(at, reason)) => (at, format!("{reason} within 1 GiB")),
            _ => (0, "the record is longer than 1 GiB".to_owned()),
        };
        Fault::record(self.place(at), reason, HINT).into()
    }

    /// Splits off a record, all of it in the window; returns its length. None at the end of the file.
    fn split(&mut self) -> Result<Option<usize>, BoxError> {
        loop {
            match self.dialect.split(self.bytes.window(), self.bytes.ended(), &mut self.fields) {
                Ok(end) => return Ok(end),
                Err(Stop::Short) if self.bytes.is_full() => return Err(self.too_long()),
                Err(Stop::Short) => self.bytes.more()?,
                Err(Stop::Bad(at, reason)) => return Err(Fault::record(self.place(at), reason, HINT).into()),
            }
        }
    }
}

fn counted(fields: usize) -> String {
    if fields == 1 { "1 field".to_owned() } else { format!("{fields} fields") }
}

impl Dialect {
    /// Splits a record off the front; returns its length with its line end. `is_last` says that
    /// nothing comes after the bytes.
    fn split(&self, bytes: &[u8], is_last: bool, fields: &mut Fields) -> Result<Option<usize>, Stop> {
        fields.pieces.clear();
        fields.unwrapped.clear();
        if bytes.is_empty() {
            return if is_last { Ok(None) } else { Err(Stop::Short) };
        }
        let mut at = 0;
        loop {
            at = match bytes.get(at) {
                Some(&byte) if Some(byte) == self.quote => self.quoted(bytes, at, is_last, fields)?,
                None if !is_last => return Err(Stop::Short),
                _ => self.plain(bytes, at, is_last, fields)?,
            };
            match bytes.get(at) {
                None => return Ok(Some(at)),
                Some(b'\n') => return Ok(Some(at + 1)),
                Some(b'\r') => {
                    return match &bytes[at + 1..] {
                        [b'\n', ..] => Ok(Some(at + 2)),
                        // Where a line end was written as text, its `\n` became `\r\n` once more.
                        [b'\r', b'\n', ..] => Ok(Some(at + 3)),
                        [] | [b'\r'] if !is_last => Err(Stop::Short),
                        _ => Ok(Some(at + 1)),
                    };
                }
                Some(_) => at += 1,
            }
        }
    }

    /// Whether a byte ends a field that nothing wraps.
    fn is_end(&self, byte: u8) -> bool {
        matches!(byte, b'\n' | b'\r') || Some(byte) == self.delimiter
    }

    /// Reads a field without quotes from `start` on; returns where it ends.
    fn plain(&self, bytes: &[u8], start: usize, is_last: bool, fields: &mut Fields) -> Result<usize, Stop> {
        let rest = &bytes[start..];
        let Some(escape) = self.escape else {
            let end = match self.delimiter {
                Some(delimiter) => memchr3(delimiter, b'\n', b'\r', rest),
                None => memchr2(b'\n', b'\r', rest),
            };
            let end = match end {
                Some(end) => start + end,
                None if is_last => bytes.len(),
                None => return Err(Stop::Short),
            };
            fields.pieces.push(Piece {
                range: start..end,
                is_unwrapped: false,
                is_quoted: false,
                is_null: false,
            });
            return Ok(end);
        };
        let first = fields.unwrapped.len();
        let mut at = start;
        let mut is_null = false;
        loop {
            match bytes.get(at) {
                None if !is_last => return Err(Stop::Short),
                Some(&byte) if byte == escape => {
                    at += 1;
                    // Null is the one field that is nothing but an escaped letter.
                    let ends = bytes.get(at + 1).is_none_or(|&byte| self.is_end(byte));
                    is_null = at == start + 1 && bytes.get(at) == Some(&b'N') && ends;
                    fields.unwrapped.push(if is_null { b'N' } else { self.escaped(bytes, at, is_last)? });
                }
                Some(&byte) if !self.is_end(byte) => fields.unwrapped.push(byte),
                _ => break,
            }
            at += 1;
        }
        let range = first..fields.unwrapped.len();
        fields.pieces.push(Piece { range, is_unwrapped: true, is_quoted: false, is_null });
        Ok(at)
    }

    /// The byte that stands behind an escape.
    fn escaped(&self, bytes: &[u8], at: usize, is_last: bool) -> Result<u8, Stop> {
        match bytes.get(at) {
            Some(&byte) if Some(byte) == self.quote || Some(byte) == self.escape || self.is_end(byte) => {
                Ok(byte)
            }
            None if !is_last => Err(Stop::Short),
            _ => Err(Stop::Bad(at, "an escape stands before something that needs none")),
        }
    }

    /// Reads a field within quotes, the first of which stands at `start`; returns where it ends.
    fn quoted(&self, bytes: &[u8], start: usize, is_last: bool, fields: &mut Fields) -> Result<usize, Stop> {
        let quote = self.quote.unwrap_or_default();
        let escape = self.escape.unwrap_or(quote);
        let open = || {
            if is_last { Stop::Bad(start, "a quote is opened here and never closed") } else { Stop::Short }
        };
        let first = fields.unwrapped.len();
        let mut is_unwrapped = false;
        let (mut from, mut at) = (start + 1, start + 1);
        let end = loop {
            at += bytes.get(at..).and_then(|rest| memchr2(quote, escape, rest)).ok_or_else(open)?;
            if bytes[at] == quote && bytes.get(at + 1) != Some(&quote) {
                if at + 1 == bytes.len() && !is_last {
                    return Err(Stop::Short);
                }
                break at;
            }
            let kept = if bytes[at] == quote {
                quote
            } else {
                bytes.get(at + 1).ok_or_else(open)?;
                self.escaped(bytes, at + 1, is_last)?
            };
            fields.unwrapped.extend_from_slice(&bytes[from..at]);
            fields.unwrapped.push(kept);
            is_unwrapped = true;
            at += 2;
            from = at;
        };
        let range = if is_unwrapped {
            fields.unwrapped.extend_from_slice(&bytes[from..end]);
            first..fields.unwrapped.len()
        } else {
            from..end
        };
        fields.pieces.push(Piece { range, is_unwrapped, is_quoted: true, is_null: false });
        match bytes.get(end + 1) {
            Some(&byte) if !self.is_end(byte) => {
                Err(Stop::Bad(end + 1, "text stands behind a closing quote"))
            }
            _ => Ok(end + 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of a file whose records may have a few megabytes.
    fn said(text: &str, quote: Option<u8>) -> String {
        let dialect = Dialect { delimiter: Some(b','), quote, escape: None, header: false, is_lines: false };
        let mut records = Records::new(Bytes::at_most(4 << 20, text), dialect);
        let fault = loop {
            match records.next() {
                Ok(Some(_)) => {}
                Ok(None) => panic!("every record was read"),
                Err(error) => break *error.downcast::<Fault>().unwrap(),
            }
        };
        let Fault::Record { place: Place { row, line }, reason, .. } = fault else { panic!("{fault}") };
        format!("row {row}, line {line}: {reason}")
    }

    #[test]
    fn a_record_too_long_is_told_with_its_row_and_the_quote_that_explains_it() {
        let rows = "a,b\n\"c\nd\",e\n";
        let many = "x,y\n".repeat(2 << 20);
        let quoted = said(&format!("{rows}f,\"g\nh,\"\"i{many}"), Some(b'"'));
        assert_eq!(quoted, "row 2, line 4: a quote is opened here and never closed within 1 GiB");
        let long = said(&format!("{rows}f,{}\n", "z".repeat(8 << 20)), Some(b'"'));
        assert_eq!(long, "row 2, line 4: the record is longer than 1 GiB");
        let unquoted = said(&format!("a,b\n\"c,{}", "z".repeat(8 << 20)), None);
        assert_eq!(unquoted, "row 1, line 2: the record is longer than 1 GiB");
    }
}
