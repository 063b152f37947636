//! What the model takes: how many tokens, and which. Nothing else may reach its tables.

use tokenizers::Tokenizer;

use crate::Config;
use crate::text::document::Encoding;

/// How much a model takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Tokens of a text that it was made for, special ones counted.
    pub(crate) max_tokens: usize,
    /// Those that it can take; any number where there is none.
    pub(crate) positions: Option<usize>,
    /// Rows of the embeddings of tokens.
    pub(crate) tokens: usize,
    /// Rows of the embeddings of their types; 0 where it has none.
    pub(crate) types: usize,
}

impl Limits {
    pub(crate) fn of(config: &Config) -> Self {
        Self {
            max_tokens: config.max_tokens(),
            positions: config.positions(),
            tokens: config.vocab_size,
            types: config.type_vocab_size,
        }
    }

    pub(crate) fn embedded(self, gives_token_types: bool) -> Embedded {
        Embedded {
            tokens: self.tokens,
            types: Some(self.types).filter(|&types| gives_token_types && types > 0),
        }
    }
}

/// What a model has embeddings of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Embedded {
    tokens: usize,
    /// None where the model has no types, or the tokenizer gives none: every token is then of the first.
    types: Option<usize>,
}

impl Embedded {
    /// An encoding as the model is given it.
    pub(crate) fn seen(self, encoding: &tokenizers::Encoding) -> Encoding {
        Encoding {
            input_ids: encoding.get_ids().to_vec(),
            token_type_ids: match self.types {
                Some(_) => encoding.get_type_ids().to_vec(),
                None => vec![0; encoding.len()],
            },
            special_tokens_mask: encoding.get_special_tokens_mask().iter().map(|&mask| mask != 0).collect(),
        }
    }

    /// # Errors
    /// The text says which token has no embedding.
    pub(crate) fn check(self, seen: &Encoding, tokenizer: &Tokenizer) -> Result<(), String> {
        let told = |place: usize| {
            let id = seen.input_ids[place];
            format!("token `{}` ({id})", tokenizer.id_to_token(id).unwrap_or_default())
        };
        if let Some(place) = seen.input_ids.iter().position(|&id| id as usize >= self.tokens) {
            return Err(format!("{} has no embedding: the model has {}", told(place), self.tokens));
        }
        let types = self.types.unwrap_or(usize::MAX);
        match seen.token_type_ids.iter().position(|&kind| kind as usize >= types) {
            Some(place) => Err(format!(
                "{} is of type {}, which has no embedding: the model has {types}",
                told(place),
                seen.token_type_ids[place]
            )),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::{Value, json};
    use tempfile::TempDir;

    use super::Limits;
    use crate::parity::fixture;
    use crate::text::files::TokenizerFiles;
    use crate::{Error, TextInput, TextTokenizer, TokenizerOptions};

    const LIMITS: Limits = Limits { max_tokens: 16, positions: Some(16), tokens: 1000, types: 2 };

    /// A folder with the tokenizer of tiny-bert, as changed.
    fn folder(config: Option<Value>, change: impl FnOnce(&mut Value)) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        let stored = fs_err::read(fixture("tiny-bert").join("tokenizer.json")).unwrap();
        let mut stored: Value = serde_json::from_slice(&stored).unwrap();
        change(&mut stored);
        fs_err::write(folder.path().join("tokenizer.json"), stored.to_string()).unwrap();
        fs_err::write(folder.path().join("config.json"), r#"{"model_type": "bert"}"#).unwrap();
        if let Some(config) = config {
            fs_err::write(folder.path().join("tokenizer_config.json"), config.to_string()).unwrap();
        }
        folder
    }

    fn load(folder: &Path, limits: Limits) -> Result<TextTokenizer, Error> {
        TextTokenizer::make(&TokenizerFiles::find(folder, "bert")?, limits, &TokenizerOptions::default())
    }

    fn as_stored() -> Option<Value> {
        Some(json!({"tokenizer_class": "PreTrainedTokenizerFast"}))
    }

    fn size(stored: &Value) -> usize {
        stored["model"]["vocab"].as_object().unwrap().len()
    }

    fn failing(tokenizer: &TextTokenizer, inputs: &[TextInput]) -> (usize, String) {
        match tokenizer.encode(inputs) {
            Err(Error::Text { index, reason }) => (index, reason),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_token_beyond_the_model_s_rows_is_refused_only_in_the_text_that_has_it() {
        let mut rows = 0;
        let folder =
            folder(Some(json!({"additional_special_tokens": ["<ent>"]})), |stored| rows = size(stored));
        let tokenizer = load(folder.path(), Limits { tokens: rows, ..LIMITS }).unwrap();
        assert_eq!(tokenizer.encode(&["cat".into(), "dog".into()]).unwrap().len(), 2);
        let (index, reason) = failing(&tokenizer, &["cat".into(), "a <ent>".into(), "<ent>".into()]);
        assert_eq!(index, 1);
        assert_eq!(reason, format!("token `<ent>` ({rows}) has no embedding: the model has {rows}"));
        // What is cut off does not matter.
        assert!(tokenizer.encode(&[("cat ".repeat(20) + "<ent>").as_str().into()]).is_ok());
    }

    #[test]
    fn special_tokens_that_the_model_lacks_are_refused_before_any_text() {
        let folder = folder(as_stored(), |stored| {
            stored["post_processor"]["special_tokens"]["[SEP]"]["ids"] = json!([5000]);
        });
        let error = load(folder.path(), LIMITS).err().unwrap();
        assert!(matches!(&error, Error::Unusable { problem, .. } if problem.contains("5000")), "{error}");
    }

    #[test]
    fn types_that_the_model_lacks_are_refused() {
        let one = Limits { types: 1, ..LIMITS };
        let folder = folder(Some(json!({"model_input_names": ["input_ids", "token_type_ids"]})), |_| ());
        let tokenizer = load(folder.path(), one).unwrap();
        let pair = [TextInput::Text("cat"), TextInput::Pair("cat", "dog")];
        let (index, reason) = failing(&tokenizer, &pair);
        assert!(
            index == 1 && reason.contains("is of type 1, which has no embedding: the model has 1"),
            "{reason}"
        );
        // A model without types is given none.
        let tokenizer = load(folder.path(), Limits { types: 0, ..LIMITS }).unwrap();
        assert_eq!(tokenizer.encode(&pair).unwrap()[1].windows[0].token_type_ids, [0; 5]);
    }

    #[test]
    fn a_model_without_a_table_of_positions_takes_what_its_tokenizer_says_or_what_is_asked_for() {
        let endless = Limits { positions: None, ..LIMITS };
        let made = |stated: Option<Value>, limits: Limits, max_length: Option<usize>| {
            let mut config = json!({"tokenizer_class": "PreTrainedTokenizerFast"});
            config["model_max_length"] = stated.unwrap_or(Value::Null);
            let folder = folder(Some(config), |_| ());
            let options = TokenizerOptions { max_length, ..TokenizerOptions::default() };
            TextTokenizer::make(&TokenizerFiles::find(folder.path(), "bert").unwrap(), limits, &options)
        };
        for (stated, limits, asked, expected, notes) in [
            (Some(json!(40)), LIMITS, None, 16, 0),
            (Some(json!(40)), endless, None, 40, 0),
            (Some(json!(8)), endless, None, 8, 1),
            (Some(json!(1e30)), endless, None, 16, 1),
            (None, endless, None, 16, 1),
            (None, endless, Some(1000), 1000, 0),
            (Some(json!(40)), endless, Some(1000), 1000, 0),
        ] {
            let tokenizer = made(stated.clone(), limits, asked).unwrap();
            assert_eq!(
                (tokenizer.max_length(), tokenizer.notes().len()),
                (expected, notes),
                "{stated:?} {asked:?}"
            );
            let long = tokenizer.encode(&["cat ".repeat(2000).as_str().into()]).unwrap().remove(0);
            assert_eq!((long.n_tokens, long.truncated), (expected, true));
        }
        assert!(made(None, LIMITS, Some(17)).err().unwrap().to_string().contains("takes 3 to 16 tokens"));
        assert!(made(None, endless, Some(2)).err().unwrap().to_string().contains("takes 3 or more tokens"));
    }

    #[test]
    fn a_vocabulary_without_its_unknown_token_fails_on_the_first_unknown_word() {
        let folder = folder(as_stored(), |stored| stored["model"]["unk_token"] = json!("[NEVER]"));
        let tokenizer = load(folder.path(), LIMITS).unwrap();
        let (index, reason) = failing(&tokenizer, &["cat".into(), "dog".into(), "☃".into(), "☃".into()]);
        assert_eq!(index, 2);
        assert!(reason.contains("[UNK]"), "{reason}");
    }

    #[test]
    fn a_tokenizer_that_is_a_program_is_refused_by_name() {
        for class in ["BertJapaneseTokenizer", "BertweetTokenizer", "PhobertTokenizerFast", "T5Tokenizer"] {
            let folder = folder(Some(json!({"tokenizer_class": class})), |_| ());
            let error = load(folder.path(), LIMITS).err().unwrap();
            let name = class.trim_end_matches("Fast");
            assert!(
                matches!(&error, Error::Unsupported { key: "tokenizer_class", found, .. } if found == name),
                "{error}"
            );
        }
    }

    #[test]
    fn a_file_that_says_what_cannot_be_is_named() {
        for (key, value) in [
            ("truncation_side", json!("middle")),
            ("do_lower_case", json!("yes")),
            ("model_max_length", json!(-1)),
            ("cls_token", json!(null)),
            ("sep_token", json!({"content": "[SEP]"})),
            ("additional_special_tokens", json!([{"content": "<ent>"}])),
            ("added_tokens_decoder", json!({"first": {"content": "[CLS]"}})),
            ("split_special_tokens", json!(null)),
            ("init_inputs", json!([1])),
        ] {
            let folder = folder(Some(json!({key: value})), |_| ());
            let error = load(folder.path(), LIMITS).err().unwrap_or_else(|| panic!("{key} is not refused"));
            let of_config = |path: &Path| path.ends_with("tokenizer_config.json");
            assert!(
                matches!(&error, Error::Invalid { path, reason } if of_config(path) && reason.contains(key)
                    || reason.contains("token")),
                "{key}: {error}"
            );
        }
    }
}
