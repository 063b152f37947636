//! The tokens, words and spans of a document: where each stands in the text, and in which window.

use std::ops::Range;

use crate::text::characters::Characters;
use crate::text::document::{Item, Segment};
use crate::text::windows::Windows;

/// The windows of a tokenized text, of which the first and last tokens are special.
pub(crate) struct Tokens<'a> {
    encodings: Vec<&'a tokenizers::Encoding>,
    windows: Windows,
    /// Special tokens before the text.
    before: usize,
}

impl<'a> Tokens<'a> {
    /// `encodings` are of windows of `width` tokens that share `stride`, special ones left out, in the order of the
    /// text, counted from its end or its start.
    pub(crate) fn new(
        encodings: Vec<&'a tokenizers::Encoding>,
        width: usize,
        stride: usize,
        from_end: bool,
    ) -> Self {
        let first = encodings[0].get_special_tokens_mask();
        let before = first.iter().take_while(|&&special| special != 0).count();
        let ordinary = |encoding: &tokenizers::Encoding| {
            encoding.get_special_tokens_mask().iter().filter(|&&special| special == 0).count()
        };
        let short = ordinary(encodings[if from_end { 0 } else { encodings.len() - 1 }]);
        let (width, stride) = if encodings.len() == 1 { (short.max(1), 0) } else { (width, stride) };
        let tokens = (encodings.len() - 1) * (width - stride) + short;
        Self { encodings, windows: Windows { tokens, width, stride, from_end }, before }
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
        // Every window has the same; one that holds it is found without a search.
        let window = self.windows.holding(token);
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

    /// Every token, in order; `name` is what the vocabulary calls an id, which of an unknown piece is not
    /// what the text has there.
    pub(crate) fn tokens(
        &self,
        text: &str,
        special: bool,
        name: impl Fn(u32) -> Option<String>,
    ) -> Vec<Item> {
        let characters = Characters::of(text);
        let ordinary = (0..self.windows.tokens).map(|token| Item {
            index: (self.before + token) as u32,
            text: name(self.at(token, |encoding| encoding.get_ids())),
            characters: Some(characters.of_bytes(self.bytes(token))),
            segments: self.place(token..token + 1),
        });
        let last = self.encodings.len() - 1;
        let after = self.before + self.windows.tokens_of(last).len();
        let added = |window: usize, position: usize, index: usize| Item {
            index: index as u32,
            text: name(self.encodings[window].get_ids()[position]),
            characters: None,
            segments: vec![Segment { window, tokens: position..position + 1 }],
        };
        let leading = (0..self.before).map(|position| added(0, position, position));
        let trailing = (after..self.encodings[last].len())
            .map(|position| added(last, position, self.before + self.windows.tokens + position - after));
        if special { leading.chain(ordinary).chain(trailing).collect() } else { ordinary.collect() }
    }

    /// The tokenizer's own words, without the white space that some tokenizers count to the word after
    /// it; what is white space alone is no word.
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
            let bytes = self.bytes(tokens.start).start..self.bytes(tokens.end - 1).end;
            let bytes = without_white_space(text, bytes);
            if id.is_some() && !bytes.is_empty() {
                words.push(Item {
                    index: words.len() as u32,
                    text: text.get(bytes.clone()).map(str::to_owned),
                    characters: Some(characters.of_bytes(bytes)),
                    segments: self.place(tokens),
                });
            }
        }
        words
    }

    /// What stands between white space; words that were cut off with an end of the text are not
    /// known.
    pub(crate) fn whitespace_words(&self, text: &str, truncated: bool) -> Vec<Item> {
        let characters = Characters::of(text);
        let start_of = |word: &str| word.as_ptr() as usize - text.as_ptr() as usize;
        let seen = match self.windows.tokens.checked_sub(1) {
            Some(_) if truncated && self.windows.from_end => self.bytes(0).start..text.len(),
            Some(last) if truncated => 0..self.bytes(last).end,
            None if truncated => 0..0,
            _ => 0..text.len(),
        };
        text.split_whitespace()
            .map(|word| start_of(word)..start_of(word) + word.len())
            .enumerate()
            .take_while(|(_, bytes)| bytes.start < seen.end)
            .filter(|(_, bytes)| bytes.end > seen.start)
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

/// A range of the text's bytes, from its first character to its last that is no white space.
fn without_white_space(text: &str, bytes: Range<usize>) -> Range<usize> {
    let Some(word) = text.get(bytes.clone()) else { return bytes };
    let start = bytes.start + word.len() - word.trim_start().len();
    start..start + word.trim().len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::parity::fixture;
    use crate::{Checkpoint, Division, Document, Overflow, TextTokenizer, TokenizerOptions};

    /// What all of the fixture models can see at once.
    const WIDEST: usize = 19;

    fn document(
        model: &str,
        text: &str,
        division: Division,
        overflow: Overflow,
        max_length: usize,
    ) -> Document {
        let checkpoint = Checkpoint::open(&fixture(model)).unwrap();
        let options = TokenizerOptions {
            division,
            overflow,
            max_length: Some(max_length),
            ..TokenizerOptions::default()
        };
        let tokenizer = TextTokenizer::load(&checkpoint, &options).unwrap();
        tokenizer.encode(&[text.into()]).unwrap().remove(0)
    }

    fn model() -> impl Strategy<Value = &'static str> {
        prop::sample::select(&["tiny-bert", "tiny-roberta", "tiny-xlm-roberta", "tiny-camembert"][..])
    }

    /// Any characters at all, and those that are combined, wide, joined or written from the right.
    fn text() -> impl Strategy<Value = String> {
        prop::collection::vec(
            prop_oneof![
                any::<char>(),
                prop::sample::select(vec!['a', ' ', 'é', '\u{301}', '世', '😀', '\u{200d}', 'ש', 'م', '\n'])
            ],
            0..40,
        )
        .prop_map(String::from_iter)
    }

    type Said<'a> = (u32, Option<&'a str>, Option<Range<u32>>);

    /// What an item says of itself, wherever the model sees it.
    fn said(document: &Document) -> Vec<Said<'_>> {
        let items = document.items.iter();
        items.map(|item| (item.index, item.text.as_deref(), item.characters.clone())).collect()
    }

    proptest! {
        #[test]
        fn tokens_of_any_text_stand_in_it_in_order(model in model(), text in text()) {
            let document = document(model, &text, Division::Tokens { special: true }, Overflow::Truncate, WIDEST);
            let mut last = 0;
            for item in document.items.iter().filter(|item| item.characters.is_some()) {
                let Range { start, end } = item.characters.clone().unwrap();
                prop_assert!(last <= start && start <= end && end as usize <= text.chars().count());
                last = start;
            }
            let indices: Vec<u32> = document.items.iter().map(|item| item.index).collect();
            prop_assert_eq!(indices, (0..document.n_tokens as u32).collect::<Vec<_>>());
        }

        #[test]
        fn words_between_white_space_are_what_the_text_has_there(model in model(), text in text()) {
            let windows = Overflow::Window { stride: Some(2) };
            let document = document(model, &text, Division::WhitespaceWords, windows, 8);
            let found: Vec<String> = document
                .items
                .iter()
                .map(|item| {
                    let Range { start, end } = item.characters.clone().unwrap();
                    text.chars().skip(start as usize).take((end - start) as usize).collect()
                })
                .collect();
            prop_assert_eq!(&found, &text.split_whitespace().collect::<Vec<_>>());
            prop_assert!(document.items.iter().zip(&found).all(|(item, word)| item.text.as_ref() == Some(word)));
        }

        #[test]
        fn windows_miss_no_token_or_word_and_show_none_twice(
            model in model(),
            text in text(),
            (max_length, stride) in (5..WIDEST).prop_flat_map(|most| (Just(most), 0..most - 3)),
        ) {
            let windows = Overflow::Window { stride: Some(stride) };
            for division in [Division::Tokens { special: true }, Division::TokenizerWords] {
                let seen = document(model, &text, division, windows, max_length);
                let apart = Overflow::Window { stride: Some(0) };
                let whole = document(model, &text, division, apart, WIDEST);
                prop_assert_eq!(said(&seen), said(&whole));
                let cut = document(model, &text, division, Overflow::Truncate, WIDEST);
                prop_assert!(cut.truncated || said(&cut) == said(&whole));
                prop_assert_eq!(seen.n_tokens, whole.n_tokens);
                for (item, of_whole) in seen.items.iter().zip(&whole.items) {
                    let ids = |document: &Document, item: &Item| -> Vec<u32> {
                        let of = |s: &Segment| document.windows[s.window].input_ids[s.tokens.clone()].to_vec();
                        item.segments.iter().flat_map(of).collect()
                    };
                    prop_assert_eq!(ids(&seen, item), ids(&whole, of_whole));
                }
            }
        }
    }
}
