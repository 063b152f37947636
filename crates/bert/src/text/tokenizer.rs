//! Texts to token ids, on every core.

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use rayon::prelude::*;
use tokenizers::normalizers::{Lowercase, NormalizerWrapper, Sequence as NormalizerSequence};
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::utils::truncation::{TruncationDirection, TruncationParams, TruncationStrategy};
use tokenizers::{EncodeInput, InputSequence, Tokenizer};

use crate::text::document::{Document, Encoding, TextInput};
use crate::text::items::Tokens;
use crate::{Checkpoint, Division, Error};

/// How texts are tokenized.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TokenizerOptions {
    /// The most tokens the model sees at once, special ones counted; none is the model's own limit.
    pub max_length: Option<usize>,
    /// What becomes of longer texts.
    pub overflow: Overflow,
    /// What of a text becomes output rows.
    pub division: Division,
    /// Whether two texts are seen together, with more special tokens.
    pub pairs: bool,
    /// What stands before each text, or before the first of two.
    pub prefix: String,
    /// Whether texts are lower-cased, whatever the tokenizer does to them.
    pub lower_case: bool,
}

/// What becomes of a text that the model cannot see at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Overflow {
    /// It is cut; of a pair, the longer text first.
    #[default]
    Truncate,
    /// It is seen through windows that share some tokens: none is a quarter of a window.
    Window {
        /// How many tokens neighbouring windows share.
        stride: Option<usize>,
    },
}

/// The tokenizer of a checkpoint, with our own truncation and no padding.
pub struct TextTokenizer {
    tokenizer: Tokenizer,
    division: Division,
    max_length: usize,
    /// Tokens of a window that are not special.
    width: usize,
    /// Tokens that windows share; none if long texts are cut.
    stride: Option<usize>,
    prefix: String,
    prefix_tokens: usize,
}

impl TextTokenizer {
    /// Loads `tokenizer.json`.
    ///
    /// # Errors
    /// The file is malformed or has tokens the model does not know; `max_length` exceeds the
    /// model's positions or leaves no room beside the special tokens; the stride leaves no step
    /// between windows; a text is to be divided, and something stands before it.
    pub fn load(checkpoint: &Checkpoint, options: &TokenizerOptions) -> Result<Self, Error> {
        let path = checkpoint.tokenizer();
        let invalid = |reason: String| Error::Invalid { path: path.clone(), reason };
        let bytes = fs_err::read(&path)?;
        let mut tokenizer = tried(|| Tokenizer::from_bytes(&bytes)).map_err(&invalid)?;

        let known = checkpoint.config.vocab_size;
        if let Some((token, id)) = tokenizer.get_vocab(true).into_iter().find(|(_, id)| *id as usize >= known)
        {
            return Err(invalid(format!(
                "token `{token}` has id {id}, but the model has {known} word embeddings"
            )));
        }

        if options.lower_case {
            lower_case(&mut tokenizer).map_err(&invalid)?;
        }
        // What the file says of truncation and padding is somebody's habit, not the model's.
        tokenizer.with_padding(None);
        tokenizer.with_truncation(None).map_err(|e| invalid(e.to_string()))?;
        let positions = checkpoint.config.max_tokens();
        let max_length = options.max_length.unwrap_or(positions);
        let special = tried(|| match options.pairs {
            true => tokenizer.encode_fast(("", ""), true),
            false => tokenizer.encode_fast("", true),
        });
        let special = special.map_err(&invalid)?.len();
        if max_length > positions || max_length <= special {
            return Err(Error::Combination(format!(
                "max_length is {max_length}; this model takes {} to {positions} tokens, {special} special ones counted",
                special + 1
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
        if stride.is_none() {
            let params = TruncationParams {
                max_length,
                stride: 0,
                strategy: TruncationStrategy::LongestFirst,
                direction: TruncationDirection::Right,
            };
            tokenizer.with_truncation(Some(params)).map_err(|e| invalid(e.to_string()))?;
        }
        if options.division == Division::GivenWords {
            separate_given_words(&mut tokenizer);
        }
        let (division, prefix) = (options.division, options.prefix.clone());
        if division != Division::Whole && !prefix.is_empty() {
            return Err(Error::Combination(
                "nothing stands before texts that are divided: its tokens would be among theirs".to_owned(),
            ));
        }
        let mut loaded = Self { tokenizer, division, max_length, width, stride, prefix, prefix_tokens: 0 };
        loaded.prefix_tokens = loaded.count_prefix()?;
        Ok(loaded)
    }

    /// The prefix alone, as sentence-transformers counts it: with the special tokens before it.
    fn count_prefix(&self) -> Result<usize, Error> {
        if self.prefix.is_empty() {
            return Ok(0);
        }
        let encoding = self.encode_all(self.prefix.as_str())?;
        let added = self.tokenizer.get_added_vocabulary();
        let ends_special = encoding.get_tokens().last().is_some_and(|token| added.is_special_token(token));
        Ok(encoding.len() - usize::from(ends_special))
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
    /// The tokenizer fails on a text.
    pub fn encode(&self, inputs: &[TextInput]) -> Result<Vec<Document>, Error> {
        inputs.par_iter().map(|input| self.encode_one(input)).collect()
    }

    fn encode_one(&self, input: &TextInput) -> Result<Document, Error> {
        let encoding = match input {
            TextInput::Text(text) | TextInput::Spans(text, _) => {
                self.encode_text(&self.after_prefix(text))?
            }
            TextInput::Pair(first, second) => self.encode_all((self.after_prefix(first), *second))?,
            TextInput::Words(words) => {
                let words: Vec<&str> = words.iter().flatten().copied().filter(|w| !w.is_empty()).collect();
                self.encode_all(InputSequence::PreTokenized(Cow::Owned(words)))?
            }
        };
        Ok(self.document(&encoding, input))
    }

    fn after_prefix<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if self.prefix.is_empty() { text.into() } else { (self.prefix.clone() + text).into() }
    }

    /// Of a text far longer than the model can see, only as much is read as decides what it sees.
    fn encode_text(&self, text: &str) -> Result<tokenizers::Encoding, Error> {
        if self.stride.is_none() {
            let mut look = FIRST_LOOK;
            while let Some(head) = whole_words(text, look) {
                let encoding = self.encode_all(head)?;
                if !encoding.get_overflowing().is_empty() {
                    return Ok(encoding);
                }
                look *= 8;
            }
        }
        self.encode_all(text)
    }

    fn encode_all<'s>(&self, input: impl Into<EncodeInput<'s>>) -> Result<tokenizers::Encoding, Error> {
        let encode = |special| match self.division {
            Division::Whole => self.tokenizer.encode_fast(input, special),
            // With the place of every token in the text.
            _ => self.tokenizer.encode(input, special),
        };
        let encoding = match self.stride {
            None => encode(true),
            // The library itself reads no further than one window.
            Some(stride) => encode(false).and_then(|mut encoding| {
                encoding.truncate(self.width, stride, TruncationDirection::Right);
                self.tokenizer.post_process(encoding, None, true)
            }),
        };
        encoding.map_err(|e| Error::Tokenize(e.to_string()))
    }

    fn document(&self, encoding: &tokenizers::Encoding, input: &TextInput) -> Document {
        let mut windows = vec![encoding];
        if self.stride.is_some() {
            windows.extend(encoding.get_overflowing());
        }
        let truncated = self.stride.is_none() && !encoding.get_overflowing().is_empty();
        // Without special tokens, an empty text has no token that the model could see.
        let seen = windows.iter().map(|window| as_seen(window)).filter(|window| !window.is_empty()).collect();
        let tokens = Tokens::new(windows, self.width, self.stride.unwrap_or(0));
        let items = match (self.division, input) {
            (Division::Tokens { special }, TextInput::Text(text)) => tokens.tokens(text, special),
            (Division::TokenizerWords, TextInput::Text(text)) => tokens.tokenizer_words(text),
            (Division::WhitespaceWords, TextInput::Text(text)) => tokens.whitespace_words(text, truncated),
            (Division::GivenWords, TextInput::Words(words)) => tokens.given_words(words),
            (Division::Spans, TextInput::Spans(text, spans)) => tokens.spans(text, spans),
            _ => Vec::new(),
        };
        Document { windows: seen, n_tokens: tokens.count(), truncated, items }
    }
}

fn as_seen(window: &tokenizers::Encoding) -> Encoding {
    Encoding {
        input_ids: window.get_ids().to_vec(),
        token_type_ids: window.get_type_ids().to_vec(),
        special_tokens_mask: window.get_special_tokens_mask().iter().map(|&mask| mask != 0).collect(),
    }
}

/// Puts lower-casing before all else that is done to a text, if it is not done already: as
/// sentence-transformers does.
fn lower_case(tokenizer: &mut Tokenizer) -> Result<(), String> {
    let is_lower_case = |step: &NormalizerWrapper| matches!(step, NormalizerWrapper::Lowercase(_));
    let steps = match tokenizer.get_normalizer().cloned() {
        None => Vec::new(),
        Some(NormalizerWrapper::Sequence(steps)) => steps.as_ref().to_vec(),
        Some(one) => vec![one],
    };
    if steps.iter().any(is_lower_case) {
        return Ok(());
    }
    let first = NormalizerWrapper::Lowercase(Lowercase);
    let steps = std::iter::once(first).chain(steps).collect();
    tokenizer.with_normalizer(Some(NormalizerSequence::new(steps))).map(drop).map_err(|e| e.to_string())
}

/// Byte-level tokenizers know a word by the space before it, which given words lack.
fn separate_given_words(tokenizer: &mut Tokenizer) {
    let separate = |pre_tokenizer: &mut PreTokenizerWrapper| {
        if let PreTokenizerWrapper::ByteLevel(bytes) = pre_tokenizer {
            bytes.add_prefix_space = true;
        }
    };
    let mut pre_tokenizer = tokenizer.get_pre_tokenizer().cloned();
    match &mut pre_tokenizer {
        Some(PreTokenizerWrapper::Sequence(steps)) => steps.as_mut().iter_mut().for_each(separate),
        Some(one) => separate(one),
        None => {}
    }
    tokenizer.with_pre_tokenizer(pre_tokenizer);
}

/// Bytes of a text that are tokenized before asking for more; most texts are shorter.
const FIRST_LOOK: usize = 32 * 1024;

/// The beginning of a longer text, up to white space before byte `end`: words on either side of it
/// are tokenized independently, though not always the parts of the white space. `None` if the text is not longer, or has no such place.
fn whole_words(text: &str, end: usize) -> Option<&str> {
    let head = text.get(..text.floor_char_boundary(end)).filter(|head| head.len() < text.len())?;
    head.rfind(char::is_whitespace).map(|space| head[..space].trim_end())
}

/// The library panics on some files that are JSON but no tokenizer, some of them only at the first
/// text.
fn tried<T>(action: impl FnOnce() -> tokenizers::Result<T>) -> Result<T, String> {
    let result = catch_unwind(AssertUnwindSafe(action));
    let result = result.map_err(|_| "it is not a tokenizer as the tokenizers library writes them")?;
    result.map_err(|error| error.to_string())
}

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
            if let Some(head) = whole_words(&text, end) {
                let (head, whole) = (tokenizer.encode_all(head).unwrap(), tokenizer.encode_all(text.as_str()).unwrap());
                let cut = !head.get_overflowing().is_empty();
                prop_assert!(!cut || head.get_ids() == whole.get_ids() && !whole.get_overflowing().is_empty());
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
