//! Texts as they come, and as the model sees them.

use std::ops::Range;

/// What is to be encoded of one input row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TextInput<'a> {
    /// A text.
    Text(&'a str),
    /// Two texts that the model sees together.
    Pair(&'a str, &'a str),
    /// A text that somebody has divided into words; a missing word keeps its place.
    Words(Vec<Option<&'a str>>),
    /// A text, and ranges of its characters; a missing range keeps its place.
    Spans(&'a str, Vec<Option<Range<u32>>>),
}

impl TextInput<'_> {
    /// # Errors
    /// A span is no range of its text's characters.
    pub(crate) fn check(&self) -> Result<(), String> {
        let Self::Spans(text, spans) = self else { return Ok(()) };
        let characters = text.chars().count();
        let is_bad = |span: &&Range<u32>| span.start > span.end || span.end as usize > characters;
        match spans.iter().flatten().find(is_bad) {
            None => Ok(()),
            Some(Range { start, end }) => {
                Err(format!("the span {start} to {end} is not in its {characters} characters"))
            }
        }
    }
}

impl<'a> From<&'a str> for TextInput<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

/// What goes through the model in one piece. The three lists have one entry per token.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Encoding {
    /// Rows of the word embeddings.
    pub input_ids: Vec<u32>,
    /// Which text of a pair a token belongs to.
    pub token_type_ids: Vec<u32>,
    /// Whether the tokenizer added the token, as it does `[CLS]` and `[SEP]`.
    pub special_tokens_mask: Vec<bool>,
}

impl Encoding {
    /// How many tokens the model sees, special ones counted.
    pub fn len(&self) -> usize {
        self.input_ids.len()
    }

    /// Whether there is no token at all.
    pub fn is_empty(&self) -> bool {
        self.input_ids.is_empty()
    }

    /// How many tokens were not added by the tokenizer.
    pub(crate) fn ordinary_tokens(&self) -> usize {
        self.special_tokens_mask.iter().filter(|special| !**special).count()
    }
}

/// One input row, tokenized.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// One, or several that overlap where the text is longer than the model can see at once.
    pub windows: Vec<Encoding>,
    /// Tokens of the text, special ones counted, none counted twice.
    pub n_tokens: usize,
    /// Whether tokens were cut off.
    pub truncated: bool,
    /// The tokens, words or spans that become output rows; empty where the row as a whole does.
    pub items: Vec<Item>,
}

impl Document {
    /// Tokens that go through the model, those of overlapping windows as often as they do.
    pub fn encoded_tokens(&self) -> usize {
        self.windows.iter().map(Encoding::len).sum()
    }

    /// Whether any token was not added by the tokenizer.
    pub fn has_ordinary_tokens(&self) -> bool {
        self.windows.iter().any(|window| window.ordinary_tokens() > 0)
    }
}

/// A token, word or span of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Its number among the document's tokens, words or spans.
    pub index: u32,
    /// The token as the vocabulary has it; the word or span as the text has it.
    pub text: Option<String>,
    /// Its characters (Unicode scalar values) in the text; none where it does not come from a text.
    pub characters: Option<Range<u32>>,
    /// Its tokens, in order; none if the model sees nothing of it.
    pub(crate) segments: Vec<Segment>,
}

impl Item {
    /// Whether it has tokens, and so a vector.
    pub fn has_vector(&self) -> bool {
        !self.segments.is_empty()
    }
}

/// Neighbouring tokens of one window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) window: usize,
    /// Positions in the window.
    pub(crate) tokens: Range<usize>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_beyond_its_text_is_refused() {
        let check = |span: Range<u32>| TextInput::Spans("naïve", vec![None, Some(span)]).check();
        assert_eq!((check(0..5), check(5..5)), (Ok(()), Ok(())));
        assert_eq!(check(2..6).unwrap_err(), "the span 2 to 6 is not in its 5 characters");
        #[expect(clippy::reversed_empty_ranges, reason = "that is what is refused")]
        let reversed = check(3..2);
        assert!(reversed.is_err());
    }
}
