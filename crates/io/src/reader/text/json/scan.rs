//! The grammar of JSON over bytes in memory, as RFC 8259 has it, and `NaN` and `Infinity`, which
//! Python writes.
//!
//! Values are passed over before they are understood, so that a value nobody asked for costs little
//! and decides nothing: of a string that is passed over, neither UTF-8 nor surrogates are checked.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memchr;

/// Why a scan ended.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The bytes end within a value.
    Short,
    /// No bytes that follow could mend it.
    Bad(&'static str),
}

/// What kind a value is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Null,
    Boolean,
    Number,
    Text,
    List,
    Object,
}

impl Kind {
    /// As messages call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "true or false",
            Self::Number => "a number",
            Self::Text => "text",
            Self::List => "a list",
            Self::Object => "an object",
        }
    }
}

pub(crate) struct Scanner<'a> {
    bytes: &'a [u8],
    pub at: usize,
}

impl<'a> Scanner<'a> {
    pub fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    /// Some of the bytes.
    pub fn slice(&self, range: Range<usize>) -> &'a [u8] {
        &self.bytes[range]
    }

    /// The next byte that is no white space.
    pub fn peek(&mut self) -> Result<u8, Stop> {
        while let Some(&byte) = self.bytes.get(self.at) {
            if !matches!(byte, b' ' | b'\n' | b'\t' | b'\r') {
                return Ok(byte);
            }
            self.at += 1;
        }
        Err(Stop::Short)
    }

    /// The kind of the next value.
    pub fn kind(&mut self) -> Result<Kind, Stop> {
        Ok(match self.peek()? {
            b'"' => Kind::Text,
            b'{' => Kind::Object,
            b'[' => Kind::List,
            b't' | b'f' => Kind::Boolean,
            b'n' => Kind::Null,
            b'-' | b'0'..=b'9' | b'N' | b'I' => Kind::Number,
            _ => return Err(Stop::Bad("expected a value")),
        })
    }

    /// Passes over a value, however deep; returns where it stands.
    pub fn value(&mut self) -> Result<Range<usize>, Stop> {
        self.peek()?;
        let start = self.at;
        let mut open: Vec<Kind> = Vec::new();
        loop {
            match self.kind()? {
                Kind::Text => {
                    self.string()?;
                }
                Kind::Number => self.number()?,
                Kind::Boolean if self.bytes[self.at] == b't' => self.word(b"true")?,
                Kind::Boolean => self.word(b"false")?,
                Kind::Null => self.word(b"null")?,
                kind @ (Kind::List | Kind::Object) => {
                    if self.enter()? {
                        open.push(kind);
                        if kind == Kind::Object {
                            self.key()?;
                        }
                        continue;
                    }
                }
            }
            loop {
                let Some(&within) = open.last() else { return Ok(start..self.at) };
                if self.next(within)? {
                    if within == Kind::Object {
                        self.key()?;
                    }
                    break;
                }
                open.pop();
            }
        }
    }

    /// Enters a list or an object; returns whether anything is in it.
    pub fn enter(&mut self) -> Result<bool, Stop> {
        let closing = if self.peek()? == b'{' { b'}' } else { b']' };
        self.at += 1;
        let is_empty = self.peek()? == closing;
        self.at += usize::from(is_empty);
        Ok(!is_empty)
    }

    /// Passes over what stands behind a value of a list or an object; returns whether another comes.
    pub fn next(&mut self, within: Kind) -> Result<bool, Stop> {
        let comes = match (self.peek()?, within) {
            (b',', _) => true,
            (b'}', Kind::Object) | (b']', Kind::List) => false,
            (_, Kind::Object) => return Err(Stop::Bad("expected `,` or `}`")),
            _ => return Err(Stop::Bad("expected `,` or `]`")),
        };
        self.at += 1;
        Ok(comes)
    }

    /// Passes over a key and the colon behind it; returns where the key stands, with its quotes.
    pub fn key(&mut self) -> Result<Range<usize>, Stop> {
        if self.peek()? != b'"' {
            return Err(Stop::Bad("expected a key in quotes"));
        }
        let key = self.string()?;
        if self.peek()? != b':' {
            return Err(Stop::Bad("expected `:` behind a key"));
        }
        self.at += 1;
        Ok(key)
    }

    /// Passes over a string.
    fn string(&mut self) -> Result<Range<usize>, Stop> {
        let start = self.at;
        let mut at = start + 1;
        loop {
            at += plain(&self.bytes[at.min(self.bytes.len())..]);
            match self.bytes.get(at).ok_or(Stop::Short)? {
                b'"' => {
                    self.at = at + 1;
                    return Ok(start..self.at);
                }
                b'\\' => {}
                _ => {
                    self.at = at;
                    return Err(Stop::Bad("a line break or another control character within a string"));
                }
            }
            let is_escape = match self.bytes.get(at + 1).ok_or(Stop::Short)? {
                b'u' => {
                    let digits = self.bytes.get(at + 2..at + 6).ok_or(Stop::Short)?;
                    at += 4;
                    digits.iter().all(u8::is_ascii_hexdigit)
                }
                byte => b"\"\\/bfnrt".contains(byte),
            };
            if !is_escape {
                self.at = at;
                return Err(Stop::Bad("an escape that JSON does not have"));
            }
            at += 2;
        }
    }

    /// Passes over a number.
    fn number(&mut self) -> Result<(), Stop> {
        let is_negative = self.bytes[self.at] == b'-';
        self.at += usize::from(is_negative);
        match self.bytes.get(self.at).ok_or(Stop::Short)? {
            b'I' => return self.word(b"Infinity"),
            b'N' if !is_negative => return self.word(b"NaN"),
            b'0' => self.at += 1,
            _ => self.digits()?,
        }
        if self.bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.bytes.get(self.at) {
            self.at += 1;
            self.at += usize::from(matches!(self.bytes.get(self.at), Some(b'+' | b'-')));
            self.digits()?;
        }
        match self.bytes.get(self.at) {
            Some(b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-') => Err(Stop::Bad("no number is written so")),
            _ => Ok(()),
        }
    }

    /// Passes over digits, of which there must be one.
    fn digits(&mut self) -> Result<(), Stop> {
        let rest = &self.bytes[self.at..];
        let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += count;
        match (count, rest.is_empty()) {
            (0, true) => Err(Stop::Short),
            (0, false) => Err(Stop::Bad("no number is written so")),
            _ => Ok(()),
        }
    }

    fn word(&mut self, word: &'static [u8]) -> Result<(), Stop> {
        let rest = &self.bytes[self.at..];
        let found = &rest[..word.len().min(rest.len())];
        if !word.starts_with(found) {
            return Err(Stop::Bad("expected a value"));
        }
        if found.len() < word.len() {
            return Err(Stop::Short);
        }
        self.at += word.len();
        Ok(())
    }
}

/// How many bytes of a string stand for themselves, up to a quote, an escape or a control character.
fn plain(bytes: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = ONES << 7;
    let (blocks, rest) = bytes.as_chunks::<8>();
    for (index, block) in blocks.iter().enumerate() {
        // The high bit of the first byte that is below a space, or equal to a mark, is set; those of
        // bytes behind it may be too.
        let word = u64::from_le_bytes(*block);
        let equal = |mark: u8| {
            let differing = word ^ (ONES * u64::from(mark));
            differing.wrapping_sub(ONES) & !differing
        };
        let control = word.wrapping_sub(ONES * 0x20) & !word;
        let found = (control | equal(b'"') | equal(b'\\')) & HIGHS;
        if found != 0 {
            return index * 8 + found.trailing_zeros() as usize / 8;
        }
    }
    let is_plain = |byte: &&u8| **byte >= 0x20 && **byte != b'"' && **byte != b'\\';
    blocks.len() * 8 + rest.iter().take_while(is_plain).count()
}

/// The text of a string that was passed over, given with its quotes.
///
/// # Errors
/// It is not UTF-8, or has half of a pair of surrogates.
pub(crate) fn decoded(string: &[u8]) -> Result<Cow<'_, str>, &'static str> {
    let inner = string.get(1..string.len().saturating_sub(1)).unwrap_or_default();
    let text = simdutf8::basic::from_utf8(inner).map_err(|_| "the text is not UTF-8")?;
    match memchr(b'\\', inner) {
        None => Ok(Cow::Borrowed(text)),
        Some(first) => {
            unescaped(text, first).map(Cow::Owned).ok_or("the text has half of a pair of surrogates")
        }
    }
}

/// A text whose first escape is at `first`; none if an escape stands for no character.
fn unescaped(text: &str, first: usize) -> Option<String> {
    let mut plain = String::with_capacity(text.len());
    plain.push_str(&text[..first]);
    let mut rest = &text[first..];
    while let Some(escape) = rest.as_bytes().get(1) {
        let mut length = 2;
        plain.push(match escape {
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let unit = |at: usize| u16::from_str_radix(rest.get(at..at + 4)?, 16).ok();
                let high = unit(2)?;
                let is_high = (0xd800..0xdc00).contains(&high);
                let low = is_high.then(|| rest.get(6..8).filter(|mark| *mark == "\\u").and_then(|_| unit(8)));
                length = if is_high { 12 } else { 6 };
                let units = [high].into_iter().chain(low.flatten());
                char::decode_utf16(units).next()?.ok()?
            }
            other => char::from(*other),
        });
        rest = &rest[length..];
        let end = memchr(b'\\', rest.as_bytes()).unwrap_or(rest.len());
        plain.push_str(&rest[..end]);
        rest = &rest[end..];
    }
    Some(plain)
}
