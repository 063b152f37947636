//! The plain bytes of a text file, as a window that moves over them.

use std::io::Read;

use memchr::memchr_iter;

use super::fault::{ENCODING_HINT, Fault, Place};
use super::{decode, decompress};
use crate::Source;
use crate::error::BoxError;

/// What a window holds at first; it grows where a record is longer.
const WINDOW_BYTES: usize = 1 << 20;

/// The longest record that is read: what grows beyond has lost its end.
const MOST_BYTES: usize = 1 << 30;

pub(super) struct Bytes {
    source: Box<dyn Read + Send>,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    ended: bool,
    /// The line of the file that the buffer begins in.
    line: u64,
    /// The longest record that is read.
    most: usize,
}

impl Bytes {
    /// Opens a file: unwrapped, decoded, without a byte order mark.
    pub fn open(source: &Source, encoding: Option<&'static encoding_rs::Encoding>) -> Result<Self, BoxError> {
        let plain = decompress::open(source)?;
        let mut bytes = Self::over(match encoding {
            Some(encoding) => Box::new(decode::Decoded::new(plain, encoding)),
            None => plain,
        });
        bytes.more()?;
        match bytes.window() {
            [0xef, 0xbb, 0xbf, ..] => bytes.start += 3,
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => {
                let reason = "the text is not UTF-8: it begins with the byte order mark of UTF-16";
                return Err(Fault::record(Place { row: 0, line: 1 }, reason, ENCODING_HINT).into());
            }
            _ => {}
        }
        Ok(bytes)
    }

    fn over(source: Box<dyn Read + Send>) -> Self {
        let buffer = vec![0; WINDOW_BYTES];
        Self { source, buffer, start: 0, end: 0, ended: false, line: 1, most: MOST_BYTES }
    }

    /// Those of a text, of which no record may be longer than `most`.
    #[cfg(test)]
    pub fn at_most(most: usize, text: impl Into<Vec<u8>>) -> Self {
        Self { most, ..Self::over(Box::new(std::io::Cursor::new(text.into()))) }
    }

    /// What has been read and not passed over.
    pub fn window(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Whether nothing comes after the window.
    pub fn ended(&self) -> bool {
        self.ended
    }

    /// The line of a byte of the window. Counted when asked for, which few records are.
    pub fn line_at(&self, at: usize) -> u64 {
        self.line + memchr_iter(b'\n', &self.buffer[..self.start + at]).count() as u64
    }

    /// Passes over the first `count` bytes of the window.
    pub fn pass(&mut self, count: usize) {
        self.start += count;
    }

    /// Whether the window has as much as the longest record that is read.
    pub fn is_full(&self) -> bool {
        self.window().len() >= self.most
    }

    /// Makes the window longer, up to the end of the file.
    pub fn more(&mut self) -> Result<(), BoxError> {
        self.line = self.line_at(0);
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.end == self.buffer.len() {
            self.buffer.resize(self.end * 2, 0);
        }
        // Filled whole, so that a long record is looked at a few times only.
        while self.end < self.buffer.len() && !self.ended {
            match self.source.read(&mut self.buffer[self.end..]) {
                Ok(0) => self.ended = true,
                Ok(count) => self.end += count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}
