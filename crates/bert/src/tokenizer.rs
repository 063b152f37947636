//! Texts to token ids, on every core.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rayon::prelude::*;
use tokenizers::utils::truncation::{TruncationDirection, TruncationParams, TruncationStrategy};

use crate::{Checkpoint, Error};

/// One text as the model sees it. The three lists have one entry per token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoding {
    /// Rows of the word embeddings.
    pub input_ids: Vec<u32>,
    /// Which text of a pair a token belongs to.
    pub token_type_ids: Vec<u32>,
    /// Whether the tokenizer added the token, as it does `[CLS]` and `[SEP]`.
    pub special_tokens_mask: Vec<bool>,
    /// Whether tokens were cut off to keep to the greatest length.
    pub truncated: bool,
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

    /// Whether any token was not added by the tokenizer.
    pub fn has_ordinary_tokens(&self) -> bool {
        self.special_tokens_mask.iter().any(|special| !special)
    }
}

/// The tokenizer of a checkpoint, with our own truncation and no padding.
pub struct TextTokenizer {
    tokenizer: tokenizers::Tokenizer,
    max_length: usize,
}

impl TextTokenizer {
    /// Loads `tokenizer.json`. Texts are cut at `max_length` tokens, special ones counted; without
    /// it at the model's number of positions.
    ///
    /// # Errors
    /// The file is malformed or has tokens the model does not know; `max_length` exceeds the
    /// model's positions or leaves no room beside the special tokens.
    pub fn load(checkpoint: &Checkpoint, max_length: Option<usize>) -> Result<Self, Error> {
        let path = checkpoint.tokenizer();
        let invalid = |reason: String| Error::Invalid { path: path.clone(), reason };
        let bytes = fs_err::read(&path)?;
        let mut tokenizer = tried(|| tokenizers::Tokenizer::from_bytes(&bytes)).map_err(&invalid)?;

        let known = checkpoint.config.vocab_size;
        if let Some((token, id)) = tokenizer.get_vocab(true).into_iter().find(|(_, id)| *id as usize >= known)
        {
            return Err(invalid(format!(
                "token `{token}` has id {id}, but the model has {known} word embeddings"
            )));
        }

        // What the file says of truncation and padding is somebody's habit, not the model's.
        tokenizer.with_padding(None);
        tokenizer.with_truncation(None).map_err(|e| invalid(e.to_string()))?;
        let positions = checkpoint.config.max_tokens();
        let max_length = max_length.unwrap_or(positions);
        let special = tried(|| tokenizer.encode_fast("", true)).map_err(invalid)?.len();
        if max_length > positions || max_length <= special {
            return Err(Error::Combination(format!(
                "max_length is {max_length}; this model takes {} to {positions} tokens, {special} special ones counted",
                special + 1
            )));
        }
        tokenizer
            .with_truncation(Some(TruncationParams {
                max_length,
                stride: 0,
                strategy: TruncationStrategy::LongestFirst,
                direction: TruncationDirection::Right,
            }))
            .map_err(|e| invalid(e.to_string()))?;
        Ok(Self { tokenizer, max_length })
    }

    /// The greatest number of tokens of an encoding, special ones counted.
    pub fn max_length(&self) -> usize {
        self.max_length
    }

    /// Encodes every text, in order, on rayon's current thread pool.
    ///
    /// # Errors
    /// The tokenizer fails on a text.
    pub fn encode(&self, texts: &[&str]) -> Result<Vec<Encoding>, Error> {
        texts.par_iter().map(|text| self.encode_one(text)).collect()
    }

    /// Of a text far longer than the model can see, only as much is read as decides what it sees.
    fn encode_one(&self, text: &str) -> Result<Encoding, Error> {
        let mut look = FIRST_LOOK;
        while let Some(head) = whole_words(text, look) {
            let encoding = self.encode_all(head)?;
            if encoding.truncated {
                return Ok(encoding);
            }
            look *= 8;
        }
        self.encode_all(text)
    }

    fn encode_all(&self, text: &str) -> Result<Encoding, Error> {
        let encoding = self.tokenizer.encode_fast(text, true).map_err(|e| Error::Tokenize(e.to_string()))?;
        Ok(Encoding {
            input_ids: encoding.get_ids().to_vec(),
            token_type_ids: encoding.get_type_ids().to_vec(),
            special_tokens_mask: encoding.get_special_tokens_mask().iter().map(|&mask| mask != 0).collect(),
            truncated: !encoding.get_overflowing().is_empty(),
        })
    }
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
        TextTokenizer::load(&Checkpoint::open(&fixture).unwrap(), Some(max_length)).unwrap()
    }

    proptest! {
        #[test]
        fn any_text_gives_at_most_the_greatest_length(text in ".*", max_length in 3usize..48) {
            let encoding = tokenizer(max_length).encode(&[&text]).unwrap().remove(0);
            prop_assert!((2..=max_length).contains(&encoding.len()));
        }

        #[test]
        fn the_head_of_a_text_decides_what_is_seen_of_it(
            model in prop::sample::select(&["tiny-bert", "tiny-roberta", "tiny-xlm-roberta", "tiny-camembert"][..]),
            text in "([a-zé世😀.,]{0,9}[ \t\n]{0,5}){0,40}",
            end in 0usize..200,
        ) {
            let tokenizer = tokenizer_of(model, 12);
            if let Some(head) = whole_words(&text, end) {
                let (head, whole) = (tokenizer.encode_all(head).unwrap(), tokenizer.encode_all(&text).unwrap());
                prop_assert!(!head.truncated || head == whole);
            }
        }
    }

    #[test]
    fn a_text_of_many_megabytes_is_cut_like_a_short_one() {
        let tokenizer = tokenizer(48);
        let encode = |words: usize| tokenizer.encode(&["the cat sat ".repeat(words).as_str()]).unwrap();
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
        let tokenizer = TextTokenizer::load(&Checkpoint::open(folder.path()).unwrap(), Some(4)).unwrap();
        assert_eq!(tokenizer.encode(&["cat"]).unwrap()[0].len(), 3);
    }

    #[test]
    fn a_greatest_length_the_model_cannot_take_is_refused() {
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/tiny-bert");
        let checkpoint = Checkpoint::open(&fixture).unwrap();
        for max_length in [0, 2, 49, usize::MAX] {
            assert!(TextTokenizer::load(&checkpoint, Some(max_length)).is_err(), "{max_length}");
        }
    }
}
