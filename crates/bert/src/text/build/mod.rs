//! A tokenizer as transformers makes it of a folder's files: the vocabulary, then what the class has of its own, then
//! the tokens that are found in a text before it is divided.
//!
//! Sources: `TokenizersBackend` in
//! <https://github.com/huggingface/transformers/blob/main/src/transformers/tokenization_utils_tokenizers.py>, and
//! `tokenization_bert.py` and its like for what a class has of its own.

mod model;
mod pipeline;
mod sentencepiece;

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use tokenizers::processors::template::TemplateProcessing;
use tokenizers::{AddedVocabulary, ModelWrapper, PostProcessorWrapper, Tokenizer, TruncationDirection};

use crate::Error;
use crate::text::build::model::Vocabulary;
use crate::text::class::Make;
use crate::text::files::TokenizerFiles;
use crate::text::json::{Json, Object};
use crate::text::tokens::{
    ADDED_TOKENS, ADDED_TOKENS_DECODER, CONFIG, Fault, Rules, SPECIAL_TOKENS_MAP, STORED, Sources, Stated,
    Stating,
};

/// A tokenizer, and what its files say of how it is used.
pub(crate) struct Made {
    /// Without truncation and padding, and without what stands around a text.
    pub(crate) tokenizer: Tokenizer,
    /// What puts that around it.
    pub(crate) around: PostProcessorWrapper,
    /// Whether the model is given the types of its tokens.
    pub(crate) gives_token_types: bool,
    /// The side on which long texts are cut.
    pub(crate) side: TruncationDirection,
    /// The most tokens that the files allow.
    pub(crate) max_length: Option<usize>,
    /// Tokens that have a role, or are named as special besides; `tokenizer.json` may call others special, too.
    pub(crate) special_ids: Vec<u32>,
    /// What was set aside.
    pub(crate) notes: Vec<String>,
}

/// What transformers takes for no limit.
const NO_LIMIT: f64 = 1e20;

impl Made {
    /// Makes the tokenizer of a folder.
    ///
    /// # Errors
    /// A file is malformed, or says what its class cannot be.
    pub(crate) fn of(files: &TokenizerFiles) -> Result<Self, Error> {
        let config: Option<Object> = files.json(CONFIG)?;
        // A large file is read once more only where it must be.
        let states_all = config.as_ref().is_some_and(|config| config.get(ADDED_TOKENS_DECODER).is_some());
        let stored: Option<StoredTokens> = if states_all { None } else { files.json(STORED)? };
        let sources = Sources {
            config,
            special_tokens_map: files.json(SPECIAL_TOKENS_MAP)?,
            added_tokens: files.json(ADDED_TOKENS)?,
            stored: stored.map(|stored| stored.added_tokens),
        };
        let stating = Stating::merge(sources).map_err(|fault| files.invalid(fault))?;
        let maker = Maker { files, stating };
        maker.make()
    }
}

#[derive(serde::Deserialize)]
struct StoredTokens {
    #[serde(default)]
    added_tokens: Vec<Json>,
}

/// The files of one tokenizer while it is made.
struct Maker<'a> {
    files: &'a TokenizerFiles,
    stating: Stating,
}

impl Maker<'_> {
    fn make(&self) -> Result<Made, Error> {
        let class = self.files.class;
        let unk_id = match self.stating.object.get("unk_id") {
            Some(Json::Number(id)) => Some(*id as usize),
            _ => None,
        };
        let vocabulary = Vocabulary::read(self.files, unk_id, &|role| self.text(role))?;
        let Vocabulary { mut tokenizer, charsmap, post_processor, side, pad, pieces } = vocabulary;
        let mut notes = Vec::new();
        if let ModelWrapper::BPE(model) = tokenizer.get_model()
            && let Some(dropout) = model.dropout.filter(|&dropout| dropout > 0.0)
        {
            let mut model = model.clone();
            model.dropout = None;
            tokenizer.with_model(model);
            notes.push(format!(
                "{STORED} says that {dropout} of all merges are dropped by chance, as for training; none is dropped here"
            ));
        }
        let mut around = post_processor;
        if class.make != Make::AsStored {
            tokenizer.with_added_vocabulary(AddedVocabulary::new());
            self.set_pipeline(&mut tokenizer, charsmap)?;
            let own = self.own_post_processor(&tokenizer)?;
            around = around.or(own);
        }
        let stated = |key: &str| self.stating.object.get(key).is_some();
        // Both keys are left out of account where `tokenizer.json` knows better.
        let by_keys = !self.files.reads(STORED) && (stated("add_bos_token") || stated("add_eos_token"));
        tokenizer.set_encode_special_tokens(self.flag("split_special_tokens", false)?);
        let special_ids = self.add_tokens(&mut tokenizer, pad.as_deref(), pieces.as_deref())?;
        let around = match (self.last_post_processor(&tokenizer)?, around) {
            (Some(last), _) => last,
            (None, Some(around)) if !by_keys => around,
            (None, _) => self.ends(&tokenizer, by_keys)?.into(),
        };
        tokenizer.with_post_processor(None::<PostProcessorWrapper>);
        tokenizer.with_padding(None);
        tokenizer.with_truncation(None).map_err(|error| self.invalid(error.to_string()))?;
        Ok(Made {
            tokenizer,
            around,
            gives_token_types: self.gives_token_types()?,
            side: self.side(side)?,
            max_length: self.max_length()?,
            special_ids,
            notes,
        })
    }

    /// Adds the tokens that are found in a text before it is divided, in the order in which they get new ids, and returns
    /// those that have a role or are named as special besides.
    fn add_tokens(
        &self,
        tokenizer: &mut Tokenizer,
        pad: Option<&str>,
        pieces: Option<&[Rules]>,
    ) -> Result<Vec<u32>, Error> {
        let invalid = |reason: String| self.invalid(reason);
        let token = |role: &str| match (self.files.class.make, role) {
            // A file that pads says with what.
            (Make::AsStored, "pad_token") => self.stating.role(role, pad),
            _ => self.token(role),
        };
        let special = self.stating.special(token).map_err(invalid)?;
        let extra = self.stating.extra(pieces, self.extra_tokens()).map_err(invalid)?;
        let known: HashSet<String> =
            tokenizer.get_added_tokens_decoder().into_values().map(|token| token.content).collect();
        let stated = |text: &str| {
            known.contains(text) || self.stating.added.values().any(|token| token.content == text)
        };
        let mut tokens: Vec<Stated> = self.stating.added.values().cloned().map(Stated::Token).collect();
        for token in special.iter().chain(&extra) {
            if !stated(token.content()) && !tokens.contains(token) {
                tokens.push(token.clone());
            }
        }
        let named: HashSet<&str> = special.iter().map(Stated::content).collect();
        let added = tokens.into_iter().map(|token| match token {
            Stated::Text(text) => Rules::of(text, true).added(),
            Stated::Token(rules) => {
                Rules { special: rules.special || named.contains(rules.content.as_str()), ..rules }.added()
            }
        });
        let added: Vec<_> = added.collect();
        tried(|| tokenizer.add_tokens(added)).map_err(|reason| self.invalid(reason))?;
        Ok(special.iter().chain(&extra).filter_map(|token| tokenizer.token_to_id(token.content())).collect())
    }

    /// What surrounds a text where neither a file nor the class knows: nothing, unless the configuration says so.
    fn ends(&self, tokenizer: &Tokenizer, by_keys: bool) -> Result<TemplateProcessing, Error> {
        let end = |key: &str, role: &str| -> Result<Option<(String, u32)>, Error> {
            let token = self.token(role).map_err(|reason| self.invalid(reason))?;
            let wanted = by_keys && self.flag(key, false)?;
            token.filter(|_| wanted).map(|token| self.with_id(tokenizer, token.content())).transpose()
        };
        let (bos, eos) = (end("add_bos_token", "bos_token")?, end("add_eos_token", "eos_token")?);
        let side = |sequence: &str, kind: u32| {
            let [before, after] =
                [&bos, &eos].map(|end| end.as_ref().map(|(text, _)| format!("{text}:{kind}")));
            [before, Some(format!("{sequence}:{kind}")), after]
                .into_iter()
                .flatten()
                .collect::<Vec<_>>()
                .join(" ")
        };
        let (first, second) = (side("$A", 0), side("$B", 1));
        self.template(&first, &format!("{first} {second}"), bos.into_iter().chain(eos).collect())
    }

    fn template(
        &self,
        single: &str,
        pair: &str,
        tokens: Vec<(String, u32)>,
    ) -> Result<TemplateProcessing, Error> {
        let mut builder = TemplateProcessing::builder();
        let builder = builder.try_single(single).and_then(|builder| builder.try_pair(pair));
        let built = builder
            .and_then(|builder| builder.special_tokens(tokens).build().map_err(|error| error.to_string()));
        built.map_err(|reason| self.invalid(format!("special tokens cannot stand around a text: {reason}")))
    }

    /// The id of a special token, which is that of the unknown token where it has none.
    fn with_id(&self, tokenizer: &Tokenizer, text: &str) -> Result<(String, u32), Error> {
        let id = tokenizer
            .token_to_id(text)
            .ok_or_else(|| self.invalid(format!("no id for the token `{text}`")))?;
        Ok((text.to_owned(), id))
    }

    /// The token of a role, as the class has it.
    fn token(&self, role: &str) -> Result<Option<Stated>, String> {
        let token = self.stating.role(role, self.files.class.token(role))?;
        // Some classes let their mask swallow the space before it.
        let rules =
            |lstrip: bool, special: bool| move |text: String| Rules { lstrip, ..Rules::of(text, special) };
        Ok(match (self.files.class.make, role) {
            (Make::MpNet, _) => token.map(|token| token.or_rules(rules(role == "mask_token", false))),
            (Make::Camembert, "mask_token") => token.map(|token| token.or_rules(rules(true, true))),
            _ => token,
        })
    }

    /// The text of a special token that the class cannot do without.
    fn text(&self, role: &str) -> Result<String, Error> {
        let token = self.token(role).map_err(|reason| self.invalid(reason))?;
        let token = token
            .ok_or_else(|| self.invalid(format!("{role} is null, which {} needs", self.files.class.name)))?;
        Ok(token.content().to_owned())
    }

    fn flag(&self, key: &str, default: bool) -> Result<bool, Error> {
        match self.stating.object.get(key) {
            None => Ok(default),
            Some(Json::Bool(value)) => Ok(*value),
            Some(other) => Err(self.invalid(format!("{key} is {other}, expected true or false"))),
        }
    }

    fn gives_token_types(&self) -> Result<bool, Error> {
        match self.stating.object.get("model_input_names") {
            None => Ok(self.files.class.gives_token_types),
            Some(Json::Array(names)) => Ok(names.iter().any(|name| name.as_str() == Some("token_type_ids"))),
            Some(other) => Err(self.invalid(format!("model_input_names is {other}, expected a list"))),
        }
    }

    fn side(&self, stored: Option<TruncationDirection>) -> Result<TruncationDirection, Error> {
        match self.stating.object.get("truncation_side") {
            None => Ok(stored.unwrap_or_default()),
            Some(side) => match side.as_str() {
                Some("right") => Ok(TruncationDirection::Right),
                Some("left") => Ok(TruncationDirection::Left),
                _ => Err(self.invalid(format!("truncation_side is {side}, expected left or right"))),
            },
        }
    }

    fn max_length(&self) -> Result<Option<usize>, Error> {
        let object = &self.stating.object;
        let Some((key, stated)) =
            ["model_max_length", "max_len"].into_iter().find_map(|key| Some((key, object.get(key)?)))
        else {
            return Ok(None);
        };
        match stated {
            Json::Null => Ok(None),
            Json::Number(most) if *most > NO_LIMIT => Ok(None),
            Json::Number(most) if *most >= 1.0 && most.fract() == 0.0 => Ok(Some(*most as usize)),
            other => Err(self.invalid(format!("{key} is {other}, expected a number of tokens"))),
        }
    }

    fn invalid(&self, reason: String) -> Error {
        let stating = [CONFIG, SPECIAL_TOKENS_MAP, STORED].into_iter().find(|name| self.files.reads(name));
        let file = stating.or(self.files.names().first().copied()).unwrap_or(CONFIG);
        self.files.invalid(Fault { file, reason })
    }
}

/// The library panics on some files that are JSON but no tokenizer, some of them only at the first
/// text.
pub(crate) fn tried<T>(action: impl FnOnce() -> tokenizers::Result<T>) -> Result<T, String> {
    let result = catch_unwind(AssertUnwindSafe(action));
    let result = result.map_err(|_| "it is not a tokenizer as the tokenizers library writes them")?;
    result.map_err(|error| error.to_string())
}
