//! The objects of a JSON file: one a line, one after another, or all in one array.

use std::ops::Range;

use super::scan::{Kind, Scanner, Stop};
use crate::error::BoxError;
use crate::reader::text::bytes::Bytes;
use crate::reader::text::fault::{Fault, Place};

const HINT: &str = "a file of JSON holds objects, one a line, one after another, or all in one array; the file may be \
     incomplete, or of another format than its name says";

/// What may come next.
#[derive(Clone, Copy, PartialEq)]
enum Next {
    /// The first object, or the array of all.
    First,
    Object,
    /// The first object of the array, or its end.
    FirstOfArray,
    /// A comma, or the end of the array.
    Comma,
    ObjectOfArray,
    Nothing,
}

pub(super) struct Records {
    bytes: Bytes,
    next: Next,
    /// The place of the next record.
    row: u64,
    /// The length of the record that was given last.
    given: usize,
    /// Where its keys and values stand in the window.
    entries: Vec<(Range<usize>, Range<usize>)>,
}

/// An object as it stands in the file.
pub(super) struct Record<'a> {
    bytes: &'a Bytes,
    start: usize,
    entries: &'a [(Range<usize>, Range<usize>)],
    row: u64,
}

impl<'a> Record<'a> {
    /// Its keys, with their quotes, and its values.
    pub fn entries(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        let window = self.bytes.window();
        self.entries.iter().map(move |(key, value)| (&window[key.clone()], &window[value.clone()]))
    }

    /// Where it stands.
    pub fn place(&self) -> Place {
        Place { row: self.row, line: self.bytes.line_at(self.start) }
    }

    /// Its length, or nearly.
    pub fn bytes(&self) -> usize {
        self.entries.iter().map(|(_, value)| value.len()).sum()
    }
}

impl Records {
    pub fn new(bytes: Bytes) -> Self {
        Self { bytes, next: Next::First, row: 0, given: 0, entries: Vec::new() }
    }

    /// The rows that were given.
    pub fn rows(&self) -> u64 {
        self.row
    }

    /// The next object; none at the end of the file.
    pub fn next(&mut self) -> Result<Option<Record<'_>>, BoxError> {
        self.bytes.pass(std::mem::take(&mut self.given));
        let Some(range) = self.find()? else { return Ok(None) };
        let row = self.row;
        self.row += 1;
        self.given = range.end;
        Ok(Some(Record { bytes: &self.bytes, start: range.start, entries: &self.entries, row }))
    }

    fn find(&mut self) -> Result<Option<Range<usize>>, BoxError> {
        loop {
            let mut scanner = Scanner::new(self.bytes.window(), 0);
            let Ok(byte) = scanner.peek() else {
                let blank = scanner.at;
                self.bytes.pass(blank);
                if !self.bytes.ended() {
                    self.bytes.more()?;
                    continue;
                }
                return match self.next {
                    Next::First | Next::Object | Next::Nothing => Ok(None),
                    _ => Err(self.bad(0, "the file ends before its array does")),
                };
            };
            let start = scanner.at;
            let step = match (self.next, byte) {
                (Next::First, b'[') => Next::FirstOfArray,
                (Next::FirstOfArray | Next::Comma, b']') => Next::Nothing,
                (Next::Comma, b',') => Next::ObjectOfArray,
                (Next::Comma, _) => {
                    return Err(self.bad(start, "expected `,` or `]` behind an object of the array"));
                }
                (Next::Nothing, _) => {
                    return Err(self.bad(start, "expected nothing behind the array of all objects"));
                }
                (_, b'{') => return self.object(start).map(Some),
                _ => {
                    let found = scanner.kind().map_or("something else", Kind::name);
                    return Err(self.bad(start, &format!("expected an object, found {found}")));
                }
            };
            self.next = step;
            self.bytes.pass(start + 1);
        }
    }

    /// The extent of the object that begins at `start`, all of it in the window.
    fn object(&mut self, start: usize) -> Result<Range<usize>, BoxError> {
        self.next = match self.next {
            Next::First | Next::Object => Next::Object,
            _ => Next::Comma,
        };
        loop {
            let mut scanner = Scanner::new(self.bytes.window(), start);
            let stop = match entries(&mut scanner, &mut self.entries) {
                Ok(()) => return Ok(start..scanner.at),
                Err(stop) => stop,
            };
            let at = scanner.at;
            match stop {
                Stop::Short if self.bytes.ended() => {
                    return Err(self.bad(start, "the file ends within this object"));
                }
                Stop::Short if self.bytes.is_full() => {
                    return Err(self.bad(start, "this object does not end within 1 GiB"));
                }
                Stop::Short => self.bytes.more()?,
                Stop::Bad(reason) => return Err(self.bad(at, reason)),
            }
        }
    }

    /// What is wrong at a byte of the window.
    fn bad(&self, at: usize, reason: &str) -> BoxError {
        let before = &self.bytes.window()[..at];
        let column = at - memchr::memrchr(b'\n', before).map_or(0, |end| end + 1) + 1;
        let place = Place { row: self.row, line: self.bytes.line_at(at) };
        Fault::record(place, format!("{reason}, at character {column} of the line"), HINT).into()
    }
}

/// Passes over an object, noting where its keys and values stand.
fn entries(scanner: &mut Scanner, entries: &mut Vec<(Range<usize>, Range<usize>)>) -> Result<(), Stop> {
    entries.clear();
    let mut more = scanner.enter()?;
    while more {
        entries.push((scanner.key()?, scanner.value()?));
        more = scanner.next(Kind::Object)?;
    }
    Ok(())
}
