//! The tokens, words and spans of a document: where each stands in the text, and in which window.

use std::ops::Range;

use crate::characters::Characters;
use crate::document::{Item, Segment};
use crate::windows::Windows;

/// How a document is divided into what becomes output rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Division {
    /// Not at all.
    #[default]
    Whole,
    /// Into its tokens, with or without those that the tokenizer adds.
    Tokens {
        /// Whether `[CLS]`, `[SEP]` and their like are among them.
        special: bool,
    },
    /// Into the words between which the tokenizer never joins pieces.
    TokenizerWords,
    /// Into what stands between white space.
    WhitespaceWords,
    /// Into the words that the input is made of.
    GivenWords,
    /// Into the ranges of characters that the input names.
    Spans,
}

/// The windows of a tokenized text, of which the first and last tokens are special.
pub(crate) struct Tokens<'a> {
    encodings: Vec<&'a tokenizers::Encoding>,
    windows: Windows,
    /// Special tokens before the text.
    before: usize,
}

impl<'a> Tokens<'a> {
    /// `encodings` are of windows of `width` tokens that share `stride`, special ones left out.
    pub(crate) fn new(encodings: Vec<&'a tokenizers::Encoding>, width: usize, stride: usize) -> Self {
        let first = encodings[0].get_special_tokens_mask();
        let before = first.iter().take_while(|&&special| special != 0).count();
        let ordinary = |encoding: &tokenizers::Encoding| {
            encoding.get_special_tokens_mask().iter().filter(|&&special| special == 0).count()
        };
        let last = ordinary(encodings[encodings.len() - 1]);
        let (width, stride) = if encodings.len() == 1 { (last.max(1), 0) } else { (width, stride) };
        let tokens = (encodings.len() - 1) * (width - stride) + last;
        Self { encodings, windows: Windows { tokens, width, stride }, before }
    }

    /// Tokens of the text, special ones counted once.
    pub(crate) fn count(&self) -> usize {
        self.windows.tokens + self.special()
    }

    fn special(&self) -> usize {
        self.encodings[0].len() - self.windows.tokens_of(0).len()
    }

    /// Looks an ordinary token up where it is at home.
    fn at<T: Clone + 'a>(&self, token: usize, of: impl Fn(&'a tokenizers::Encoding) -> &'a [T]) -> T {
        // Every window has the same; the first that holds it is found without a search.
        let window = (token / (self.windows.width - self.windows.stride)).min(self.encodings.len() - 1);
        of(self.encodings[window])[self.position(window, token)].clone()
    }

    fn position(&self, window: usize, token: usize) -> usize {
        self.before + token - self.windows.tokens_of(window).start
    }

    fn bytes(&self, token: usize) -> Range<usize> {
        let (start, end) = self.at(token, |encoding| encoding.get_offsets());
        start..end
    }

    /// Where the model sees neighbouring tokens: in one window where one holds them all, else each
    /// token where it has most context.
    fn place(&self, tokens: Range<usize>) -> Vec<Segment> {
        if tokens.is_empty() {
            return Vec::new();
        }
        let in_window = |window: usize, tokens: &Range<usize>| Segment {
            window,
            tokens: self.position(window, tokens.start)..self.position(window, tokens.end - 1) + 1,
        };
        if let Some(window) = self.windows.best_for(&tokens) {
            return vec![in_window(window, &tokens)];
        }
        let mut segments: Vec<Segment> = Vec::new();
        for token in tokens {
            let one = token..token + 1;
            let Some(window) = self.windows.best_for(&one) else { continue };
            match segments.last_mut() {
                Some(last) if last.window == window => last.tokens.end += 1,
                _ => segments.push(in_window(window, &one)),
            }
        }
        segments
    }

    /// Every token, in order.
    pub(crate) fn tokens(&self, text: &str, special: bool) -> Vec<Item> {
        let characters = Characters::of(text);
        let ordinary = (0..self.windows.tokens).map(|token| Item {
            index: (self.before + token) as u32,
            text: Some(self.at(token, |encoding| encoding.get_tokens())),
            characters: Some(characters.of_bytes(self.bytes(token))),
            segments: self.place(token..token + 1),
        });
        let last = self.encodings.len() - 1;
        let after = self.before + self.windows.tokens_of(last).len();
        let added = |window: usize, position: usize, index: usize| Item {
            index: index as u32,
            text: Some(self.encodings[window].get_tokens()[position].clone()),
            characters: None,
            segments: vec![Segment { window, tokens: position..position + 1 }],
        };
        let leading = (0..self.before).map(|position| added(0, position, position));
        let trailing = (after..self.encodings[last].len())
            .map(|position| added(last, position, self.before + self.windows.tokens + position - after));
        if special { leading.chain(ordinary).chain(trailing).collect() } else { ordinary.collect() }
    }

    /// The tokenizer's own words.
    pub(crate) fn tokenizer_words(&self, text: &str) -> Vec<Item> {
        let characters = Characters::of(text);
        let word = |token: usize| self.at(token, |encoding| encoding.get_word_ids());
        let mut words = Vec::new();
        let mut first = 0;
        while first < self.windows.tokens {
            let id = word(first);
            let more = (first + 1..self.windows.tokens).take_while(|&token| word(token) == id).count();
            let tokens = first..first + 1 + more;
            first = tokens.end;
            if let Some(index) = id {
                let bytes = self.bytes(tokens.start).start..self.bytes(tokens.end - 1).end;
                words.push(Item {
                    index,
                    text: text.get(bytes.clone()).map(str::to_owned),
                    characters: Some(characters.of_bytes(bytes)),
                    segments: self.place(tokens),
                });
            }
        }
        words
    }

    /// What stands between white space; words that were cut off with the end of the text are not
    /// known.
    pub(crate) fn whitespace_words(&self, text: &str, truncated: bool) -> Vec<Item> {
        let characters = Characters::of(text);
        let start_of = |word: &str| word.as_ptr() as usize - text.as_ptr() as usize;
        let seen = match self.windows.tokens.checked_sub(1) {
            Some(last) if truncated => self.bytes(last).end,
            None if truncated => 0,
            _ => text.len(),
        };
        text.split_whitespace()
            .map(|word| start_of(word)..start_of(word) + word.len())
            .take_while(|bytes| bytes.start < seen)
            .enumerate()
            .map(|(index, bytes)| self.piece(index, text, &characters, bytes))
            .collect()
    }

    /// Words that were tokenized as such, missing and empty ones left out.
    pub(crate) fn given_words(&self, words: &[Option<&str>]) -> Vec<Item> {
        let (mut token, mut tokenized) = (0, 0);
        let item = |(index, word): (usize, &Option<&str>)| {
            let first = token;
            if word.is_some_and(|word| !word.is_empty()) {
                let id = Some(tokenized);
                tokenized += 1;
                let is_of = |token| self.at(token, |encoding| encoding.get_word_ids()) == id;
                while token < self.windows.tokens && is_of(token) {
                    token += 1;
                }
            }
            Item {
                index: index as u32,
                text: word.map(str::to_owned),
                characters: None,
                segments: self.place(first..token),
            }
        };
        words.iter().enumerate().map(item).collect()
    }

    /// Ranges of characters.
    pub(crate) fn spans(&self, text: &str, spans: &[Option<Range<u32>>]) -> Vec<Item> {
        let characters = Characters::of(text);
        let item = |(index, span): (usize, &Option<Range<u32>>)| match span {
            None => Item { index: index as u32, text: None, characters: None, segments: Vec::new() },
            Some(span) => self.piece(index, text, &characters, characters.to_bytes(span)),
        };
        spans.iter().enumerate().map(item).collect()
    }

    /// The tokens that overlap some bytes of the text.
    fn piece(&self, index: usize, text: &str, characters: &Characters, bytes: Range<usize>) -> Item {
        let first = self.first_token(|token| token.end > bytes.start);
        let end = self.first_token(|token| token.start >= bytes.end).max(first);
        Item {
            index: index as u32,
            text: text.get(bytes.clone()).map(str::to_owned),
            characters: Some(characters.of_bytes(bytes.clone())),
            segments: self.place(if bytes.is_empty() { 0..0 } else { first..end }),
        }
    }

    /// The first token from which on `holds`; tokens stand in the order of the text.
    fn first_token(&self, holds: impl Fn(Range<usize>) -> bool) -> usize {
        let (mut low, mut high) = (0, self.windows.tokens);
        while low < high {
            let middle = low + (high - low) / 2;
            if holds(self.bytes(middle)) { high = middle } else { low = middle + 1 }
        }
        low
    }
}
