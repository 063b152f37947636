//! Texts to token ids, on every core.

use std::borrow::Cow;

use rayon::prelude::*;
use tokenizers::utils::truncation::{
    TruncationDirection, TruncationParams, TruncationStrategy, truncate_encodings,
};
use tokenizers::{InputSequence, PostProcessor, PostProcessorWrapper, Tokenizer};

use crate::text::build::{Made, tried};
use crate::text::changes;
use crate::text::document::{Document, TextInput};
use crate::text::files::TokenizerFiles;
use crate::text::heads;
use crate::text::items::Tokens;
use crate::text::limits::{Embedded, Limits};
use crate::text::options::{Overflow, TokenizerOptions};
use crate::{Checkpoint, Division, Error};

/// The tokenizer of a checkpoint, with our own truncation and no padding.
pub struct TextTokenizer {
    /// Knows nothing of what stands around a text. It is not told where to cut either: the library would then stop reading
    /// near there, and no longer know which of two texts is the longer one, or that anything was cut.
    tokenizer: Tokenizer,
    around: PostProcessorWrapper,
    division: Division,
    max_length: usize,
    /// The side on which long texts are cut, and from the other one of which windows are counted.
    side: TruncationDirection,
    /// Tokens of a window that are not special.
    width: usize,
    /// Tokens that windows share; none if long texts are cut.
    stride: Option<usize>,
    /// What the model has embeddings of.
    embedded: Embedded,
    /// Whether the beginning of a long text decides what is seen of it.
    by_head: bool,
    prefix: String,
    prefix_tokens: usize,
    notes: Vec<String>,
}

impl TextTokenizer {
    /// Makes the tokenizer as transformers makes it of the checkpoint's files.
    ///
    /// # Errors
    /// A file is malformed, or says what its class cannot be; the special tokens around a text are none that the model
    /// knows; `max_length` exceeds the model's positions or leaves no room beside the special tokens; the stride
    /// leaves no step between windows; a text is to be divided, and something stands before it.
    pub fn load(checkpoint: &Checkpoint, options: &TokenizerOptions) -> Result<Self, Error> {
        Self::make(checkpoint.tokenizer(), Limits::of(&checkpoint.config), options)
    }

    pub(crate) fn make(
        files: &TokenizerFiles,
        limits: Limits,
        options: &TokenizerOptions,
    ) -> Result<Self, Error> {
        let Made {
            mut tokenizer,
            around,
            gives_token_types,
            side,
            max_length: stated,
            special_ids,
            mut notes,
        } = Made::of(files)?;
        let invalid = |reason: String| Error::Invalid { path: files.main(), reason };
        let (made_for, most) = (limits.max_tokens, limits.positions.unwrap_or(usize::MAX));
        let max_length = options.max_length.unwrap_or_else(|| stated.unwrap_or(made_for).min(most));
        let takes = if limits.positions.is_some() { "takes" } else { "was made for" };
        match stated {
            _ if options.max_length.is_some() => {}
            Some(stated) if stated < made_for => notes.push(format!(
                "texts have at most {stated} tokens, which is the tokenizer's model_max_length; the model {takes} {made_for}"
            )),
            None if limits.positions.is_none() => notes.push(format!(
                "texts have at most {made_for} tokens, for which the model was made; its tokenizer sets no limit, and with \
                 --max-length it takes more"
            )),
            _ => {}
        }
        if options.lower_case {
            changes::lower_case(&mut tokenizer).map_err(&invalid)?;
        }
        let embedded = limits.embedded(gives_token_types);
        let nothing = tried(|| {
            let second = options.pairs.then(|| tokenizer.encode_fast("", false)).transpose()?;
            around.process(tokenizer.encode_fast("", false)?, second, true)
        });
        let nothing = embedded.seen(&nothing.map_err(&invalid)?);
        embedded.check(&nothing, &tokenizer).map_err(|reason| Error::Unusable {
            path: files.main(),
            problem: format!("does not fit the model: of what it puts around every text, {reason}"),
            advice: "take the tokenizer's files and config.json from one model".to_owned(),
        })?;
        let special = nothing.len();
        if max_length > most || max_length <= special {
            let takes = match limits.positions {
                Some(most) => format!("{} to {most}", special + 1),
                None => format!("{} or more", special + 1),
            };
            return Err(Error::Combination(format!(
                "max_length is {max_length}; this model takes {takes} tokens, {special} special ones counted"
            )));
        }
        let width = max_length - special;
        let stride = match options.overflow {
            Overflow::Truncate => None,
            Overflow::Window { stride } => Some(stride.unwrap_or(width / 4)),
        };
        if let Some(stride) = stride.filter(|&stride| stride >= width) {
            return Err(Error::Combination(format!(
                "stride is {stride}; windows hold {width} tokens beside the special ones, so it can be 0 to {}",
                width - 1
            )));
        }
        if options.division == Division::GivenWords {
            changes::separate_given_words(&mut tokenizer).map_err(Error::Combination)?;
        }
        let by_head = stride.is_none() && side == TruncationDirection::Right && heads::decide(&tokenizer);
        let (division, prefix) = (options.division, options.prefix.clone());
        if division != Division::Whole && !prefix.is_empty() {
            return Err(Error::Combination(
                "nothing stands before texts that are divided: its tokens would be among theirs".to_owned(),
            ));
        }
        let mut made = Self {
            tokenizer,
            around,
            division,
            max_length,
            side,
            width,
            stride,
            embedded,
            by_head,
            prefix,
            prefix_tokens: 0,
            notes,
        };
        made.prefix_tokens =
            made.count_prefix(&special_ids).map_err(|reason| invalid(format!("of the prefix, {reason}")))?;
        Ok(made)
    }

    /// The prefix alone, as sentence-transformers counts it: with the special tokens before it, and after it those that
    /// the tokenizer does not know as special.
    fn count_prefix(&self, special_ids: &[u32]) -> Result<usize, String> {
        if self.prefix.is_empty() {
            return Ok(0);
        }
        let Cut { encoding, .. } = self.encode_whole(self.prefix.as_str())?;
        let ends_special = encoding.get_ids().last().is_some_and(|id| special_ids.contains(id));
        Ok(encoding.len() - usize::from(ends_special))
    }

    /// What of the files was set aside, or bounds what is seen, in sentences for the user.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The greatest number of tokens of an encoding, special ones counted.
    pub fn max_length(&self) -> usize {
        self.max_length
    }

    /// How many tokens the windows of a long text share; none if long texts are cut.
    pub fn stride(&self) -> Option<usize> {
        self.stride
    }

    /// What stands before each text.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// How many tokens that has, with the special ones before it; 0 if nothing stands there.
    pub fn prefix_tokens(&self) -> usize {
        self.prefix_tokens
    }

    /// Encodes every text, in order, on rayon's current thread pool.
    ///
    /// # Errors
    /// [`Error::Text`] of the first text that the tokenizer fails on, or that has a token without an embedding.
    pub fn encode(&self, inputs: &[TextInput]) -> Result<Vec<Document>, Error> {
        let documents: Vec<Result<Document, String>> =
            inputs.par_iter().map(|input| self.encode_one(input)).collect();
        let with_index = |(index, document): (usize, Result<Document, String>)| {
            document.map_err(|reason| Error::Text { index, reason })
        };
        documents.into_iter().enumerate().map(with_index).collect()
    }

    fn encode_one(&self, input: &TextInput) -> Result<Document, String> {
        input.check()?;
        let cut = match input {
            TextInput::Text(text) | TextInput::Spans(text, _) => {
                self.encode_text(&self.after_prefix(text))?
            }
            TextInput::Pair(first, second) => self.encode_pair(&self.after_prefix(first), second)?,
            TextInput::Words(words) => {
                let words: Vec<&str> = words.iter().flatten().copied().filter(|w| !w.is_empty()).collect();
                self.encode_whole(InputSequence::PreTokenized(Cow::Owned(words)))?
            }
        };
        let document = self.document(&cut, input);
        document.windows.iter().try_for_each(|window| self.embedded.check(window, &self.tokenizer))?;
        Ok(document)
    }

    fn after_prefix<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if self.prefix.is_empty() { text.into() } else { (self.prefix.clone() + text).into() }
    }

    /// Of a text far longer than the model can see, only as much is read as decides what it sees.
    fn encode_text(&self, text: &str) -> Result<Cut, String> {
        let mut look = self.max_length.saturating_mul(BYTES_OF_A_TOKEN);
        while self.by_head
            && let Some(head) = heads::whole_words(text, look)
        {
            let cut = self.encode_whole(head)?;
            if cut.truncated {
                return Ok(cut);
            }
            look *= 8;
        }
        self.encode_whole(text)
    }

    fn encode_whole<'s>(&self, text: impl Into<InputSequence<'s>>) -> Result<Cut, String> {
        let mut tokens = self.tokens(text)?;
        tokens.truncate(self.width, self.stride.unwrap_or(0), self.side);
        let is_long = !tokens.get_overflowing().is_empty();
        if self.stride.is_none() {
            tokens.take_overflowing();
        }
        Ok(Cut { encoding: self.process(tokens, None)?, truncated: is_long && self.stride.is_none() })
    }

    fn encode_pair(&self, first: &str, second: &str) -> Result<Cut, String> {
        let (first, mut second) = (self.tokens(first)?, self.tokens(second)?);
        second.set_type_ids(vec![1; second.len()]);
        let truncated = first.len() + second.len() > self.width;
        let params = TruncationParams {
            max_length: self.width,
            stride: 0,
            strategy: TruncationStrategy::LongestFirst,
            direction: self.side,
        };
        let cut = truncate_encodings(first, Some(second), &params);
        let (mut first, mut second) = cut.map_err(|error| error.to_string())?;
        first.take_overflowing();
        second.iter_mut().for_each(|second| drop(second.take_overflowing()));
        Ok(Cut { encoding: self.process(first, second)?, truncated })
    }

    /// The tokens of a text alone.
    fn tokens<'s>(&self, text: impl Into<InputSequence<'s>>) -> Result<tokenizers::Encoding, String> {
        let tokens = match self.division {
            Division::Whole => self.tokenizer.encode_fast(text.into(), false),
            // With the place of every token in the text.
            _ => self.tokenizer.encode(text.into(), false),
        };
        tokens.map_err(|error| error.to_string())
    }

    /// Puts around a text, or two, what stands there.
    fn process(
        &self,
        first: tokenizers::Encoding,
        second: Option<tokenizers::Encoding>,
    ) -> Result<tokenizers::Encoding, String> {
        self.around.process(first, second, true).map_err(|error| error.to_string())
    }

    fn document(&self, cut: &Cut, input: &TextInput) -> Document {
        let Cut { encoding, truncated } = cut;
        let (mut windows, truncated) = (vec![encoding], *truncated);
        windows.extend(encoding.get_overflowing());
        // From the first in the text to the last, wherever they are counted from.
        let from_end = self.side == TruncationDirection::Left;
        if from_end {
            windows.reverse();
        }
        // Without special tokens, an empty text has no token that the model could see.
        let seen = windows
            .iter()
            .map(|window| self.embedded.seen(window))
            .filter(|window| !window.is_empty())
            .collect();
        let tokens = Tokens::new(windows, self.width, self.stride.unwrap_or(0), from_end);
        let items = match (self.division, input) {
            (Division::Tokens { special }, TextInput::Text(text)) => {
                tokens.tokens(text, special, |id| self.tokenizer.id_to_token(id))
            }
            (Division::TokenizerWords, TextInput::Text(text)) => tokens.tokenizer_words(text),
            (Division::WhitespaceWords, TextInput::Text(text)) => tokens.whitespace_words(text, truncated),
            (Division::GivenWords, TextInput::Words(words)) => tokens.given_words(words),
            (Division::Spans, TextInput::Spans(text, spans)) => tokens.spans(text, spans),
            _ => Vec::new(),
        };
        Document { windows: seen, n_tokens: tokens.count(), truncated, items }
    }
}

/// A text with special tokens around it, cut to what the model takes at once; where it is seen through windows, the
/// others are what the library calls overflowing.
struct Cut {
    encoding: tokenizers::Encoding,
    truncated: bool,
}

/// Most tokens are shorter: of a long text, as many bytes are tokenized first as so long tokens would have.
const BYTES_OF_A_TOKEN: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::path::Path;

    fn tokenizer(max_length: usize) -> TextTokenizer {
        tokenizer_of("tiny-bert", max_length)
    }

    fn tokenizer_of(model: &str, max_length: usize) -> TextTokenizer {
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures").join(model);
        TextTokenizer::load(&Checkpoint::open(&fixture).unwrap(), &at_most(max_length)).unwrap()
    }

    fn at_most(max_length: usize) -> TokenizerOptions {
        TokenizerOptions { max_length: Some(max_length), ..TokenizerOptions::default() }
    }

    proptest! {
        #[test]
        fn any_text_gives_at_most_the_greatest_length(text in ".*", max_length in 3usize..48) {
            let document = tokenizer(max_length).encode(&[text.as_str().into()]).unwrap().remove(0);
            prop_assert_eq!(document.windows.len(), 1);
            prop_assert!((2..=max_length).contains(&document.n_tokens));
            prop_assert_eq!(document.encoded_tokens(), document.n_tokens);
        }

        #[test]
        fn the_head_of_a_text_decides_what_is_seen_of_it(
            model in prop::sample::select(&["tiny-bert", "tiny-roberta", "tiny-xlm-roberta", "tiny-camembert"][..]),
            text in "([a-zé世😀.,]{0,9}[ \t\n]{0,5}){0,40}",
            end in 0usize..200,
        ) {
            let tokenizer = tokenizer_of(model, 12);
            if let Some(head) = heads::whole_words(&text, end) {
                let [head, whole] = [head, &text].map(|text| tokenizer.encode_whole(text).unwrap());
                let same = head.encoding.get_ids() == whole.encoding.get_ids();
                prop_assert!(!head.truncated || same && whole.truncated);
            }
        }
    }

    #[test]
    fn a_text_of_many_megabytes_is_cut_like_a_short_one() {
        let tokenizer = tokenizer(48);
        let encode =
            |words: usize| tokenizer.encode(&["the cat sat ".repeat(words).as_str().into()]).unwrap();
        assert_eq!(encode(4_000_000), encode(40));
    }

    #[test]
    fn what_is_cut_is_known_where_nothing_stands_around_a_text() {
        let folder = tempfile::tempdir().unwrap();
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/tiny-bert");
        for name in ["config.json", "model.safetensors"] {
            fs_err::copy(fixture.join(name), folder.path().join(name)).unwrap();
        }
        let text = fs_err::read_to_string(fixture.join("tokenizer.json")).unwrap();
        let mut json: serde_json::Value = serde_json::from_str(&text).unwrap();
        json["post_processor"] = serde_json::Value::Null;
        fs_err::write(folder.path().join("tokenizer.json"), json.to_string()).unwrap();
        let config = r#"{"tokenizer_class": "PreTrainedTokenizerFast"}"#;
        fs_err::write(folder.path().join("tokenizer_config.json"), config).unwrap();
        let tokenizer = TextTokenizer::load(&Checkpoint::open(folder.path()).unwrap(), &at_most(4)).unwrap();
        for (text, truncated) in [("cat cat cat cat", false), ("cat cat cat cat cat", true)] {
            let document = tokenizer.encode(&[text.into()]).unwrap().remove(0);
            assert_eq!((document.n_tokens, document.truncated), (4, truncated));
        }
    }

    #[test]
    fn padding_that_the_file_asks_for_takes_no_room() {
        let folder = tempfile::tempdir().unwrap();
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/tiny-bert");
        for name in ["config.json", "model.safetensors"] {
            fs_err::copy(fixture.join(name), folder.path().join(name)).unwrap();
        }
        let text = fs_err::read_to_string(fixture.join("tokenizer.json")).unwrap();
        let mut json: serde_json::Value = serde_json::from_str(&text).unwrap();
        json["padding"] = serde_json::json!({
            "strategy": {"Fixed": 40}, "direction": "Right", "pad_to_multiple_of": null,
            "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]",
        });
        fs_err::write(folder.path().join("tokenizer.json"), json.to_string()).unwrap();
        let tokenizer = TextTokenizer::load(&Checkpoint::open(folder.path()).unwrap(), &at_most(4)).unwrap();
        assert_eq!(tokenizer.encode(&["cat".into()]).unwrap()[0].n_tokens, 3);
    }

    #[test]
    fn a_greatest_length_the_model_cannot_take_is_refused() {
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/tiny-bert");
        let checkpoint = Checkpoint::open(&fixture).unwrap();
        for max_length in [0, 2, 49, usize::MAX] {
            assert!(TextTokenizer::load(&checkpoint, &at_most(max_length)).is_err(), "{max_length}");
        }
    }
}
