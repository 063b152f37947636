//! Text of another encoding, as UTF-8.

use std::io::{self, Read};

use encoding_rs::{Decoder, DecoderResult, Encoding};

const PIECE_BYTES: usize = 64 * 1024;

/// Reads what another reader gives, decoded. A byte order mark wins over the encoding.
pub(super) struct Decoded {
    source: Box<dyn Read + Send>,
    decoder: Decoder,
    encoded: Vec<u8>,
    /// What of `encoded` is still to be decoded.
    rest: std::ops::Range<usize>,
    /// UTF-8 that is still to be given.
    plain: Vec<u8>,
    given: usize,
    state: State,
}

#[derive(PartialEq)]
enum State {
    Reading,
    /// The source has ended; the decoder may hold something back.
    Ended,
    Done,
}

impl Decoded {
    pub fn new(source: Box<dyn Read + Send>, encoding: &'static Encoding) -> Self {
        Self {
            source,
            decoder: encoding.new_decoder(),
            encoded: vec![0; PIECE_BYTES],
            rest: 0..0,
            plain: Vec::new(),
            given: 0,
            state: State::Reading,
        }
    }

    /// Decodes the next piece.
    fn refill(&mut self) -> io::Result<()> {
        if self.rest.is_empty() && self.state == State::Reading {
            let count = self.source.read(&mut self.encoded)?;
            self.rest = 0..count;
            if count == 0 {
                self.state = State::Ended;
            }
        }
        // Room for any piece: the decoder says how much it may need.
        let most = self.decoder.max_utf8_buffer_length_without_replacement(self.rest.len());
        self.plain.resize(most.unwrap_or(4 * PIECE_BYTES), 0);
        let last = self.state == State::Ended;
        let encoded = &self.encoded[self.rest.clone()];
        let (result, read, written) =
            self.decoder.decode_to_utf8_without_replacement(encoded, &mut self.plain, last);
        self.plain.truncate(written);
        self.given = 0;
        self.rest.start += read;
        match result {
            DecoderResult::Malformed(..) => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("the text is not {}", self.decoder.encoding().name()),
            )),
            DecoderResult::InputEmpty if last => {
                self.state = State::Done;
                Ok(())
            }
            DecoderResult::InputEmpty | DecoderResult::OutputFull => Ok(()),
        }
    }
}

impl Read for Decoded {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.given == self.plain.len() && self.state != State::Done {
            self.refill()?;
        }
        let count = (&self.plain[self.given..]).read(into)?;
        self.given += count;
        Ok(count)
    }
}
