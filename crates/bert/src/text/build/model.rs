//! The vocabulary of a tokenizer, from `tokenizer.json` or from the files of its class.

use serde::Deserialize;
use serde::de::IgnoredAny;
use tokenizers::models::bpe::BPE;
use tokenizers::models::unigram::Unigram;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::{NormalizerWrapper, Precompiled};
use tokenizers::{ModelWrapper, PostProcessorWrapper, Tokenizer, TruncationDirection};

use crate::Error;
use crate::text::build::sentencepiece::Pieces;
use crate::text::build::tried;
use crate::text::class::{Class, Make};
use crate::text::files::TokenizerFiles;
use crate::text::tokens::STORED;
use crate::text::tokens::{Rules, fault};

/// What a class takes from its files, before its own rules.
pub(super) struct Vocabulary {
    /// What the file holds; of vocabularies nothing but the model.
    pub(super) tokenizer: Tokenizer,
    /// The map of a sentencepiece model.
    pub(super) charsmap: Option<NormalizerWrapper>,
    pub(super) post_processor: Option<PostProcessorWrapper>,
    /// The side on which the file says that texts are cut.
    pub(super) side: Option<TruncationDirection>,
    /// The token with which the file pads.
    pub(super) pad: Option<String>,
    /// Tokens that a sentencepiece model says are special.
    pub(super) pieces: Option<Vec<Rules>>,
}

/// The part of `tokenizer.json` that the library does not show.
#[derive(Deserialize)]
struct StoredModel {
    model: UnigramFields,
}

#[derive(Deserialize)]
struct UnigramFields {
    unk_id: Option<usize>,
    #[serde(default)]
    byte_fallback: bool,
    #[expect(dead_code, reason = "read past, not kept")]
    vocab: IgnoredAny,
}

/// What the class says of special tokens that a vocabulary depends on, by role.
pub(super) type TokenText<'a> = &'a dyn Fn(&str) -> Result<String, Error>;

impl Vocabulary {
    /// `unk_id` is what `tokenizer_config.json` says of it.
    pub(super) fn read(
        files: &TokenizerFiles,
        unk_id: Option<usize>,
        token: TokenText,
    ) -> Result<Self, Error> {
        if files.reads(STORED) { stored(files, unk_id, token) } else { from_files(files, token) }
    }

    fn of(model: impl Into<ModelWrapper>) -> Self {
        let tokenizer = Tokenizer::new(model);
        Self { tokenizer, charsmap: None, post_processor: None, side: None, pad: None, pieces: None }
    }
}

fn stored(
    files: &TokenizerFiles,
    stated_unk_id: Option<usize>,
    token: TokenText,
) -> Result<Vocabulary, Error> {
    let invalid = |reason: String| files.invalid(fault(STORED)(reason));
    let bytes = fs_err::read(files.path(STORED))?;
    let mut tokenizer = tried(|| Tokenizer::from_bytes(&bytes)).map_err(&invalid)?;
    let class = files.class;
    let model: Option<ModelWrapper> = match (class.make, tokenizer.get_model()) {
        (Make::AsStored, _) => None,
        (Make::Bert | Make::MpNet, ModelWrapper::WordPiece(model)) => {
            let mut model = model.clone();
            model.unk_token = token("unk_token")?;
            model.continuing_subword_prefix = "##".to_owned();
            model.max_input_chars_per_word = 100;
            Some(model.into())
        }
        (Make::Roberta, ModelWrapper::BPE(model)) => Some(plain(class, "", model).map_err(&invalid)?.into()),
        (Make::Herbert, ModelWrapper::BPE(model)) => {
            let mut model = plain(class, END_OF_WORD, model).map_err(&invalid)?;
            model.unk_token = Some(token("unk_token")?);
            Some(model.into())
        }
        (
            Make::XlmRoberta | Make::Camembert | Make::Albert | Make::DebertaV2,
            ModelWrapper::Unigram(model),
        ) => {
            let scores = || model.iter().map(|(piece, score)| (piece.clone(), *score)).collect::<Vec<_>>();
            let fields: StoredModel =
                serde_json::from_slice(&bytes).map_err(|error| invalid(error.to_string()))?;
            let by_text = model.iter().map(|(piece, score)| (piece.as_str(), *score));
            let unk_id = unk_id(class, by_text, stated_unk_id, token)?;
            let same = fields.model.unk_id == Some(unk_id) && !fields.model.byte_fallback;
            (!same).then(|| unigram(scores(), unk_id)).transpose().map_err(&invalid)?.map(Into::into)
        }
        (_, model) => {
            let kind = match model {
                ModelWrapper::BPE(_) => "BPE",
                ModelWrapper::WordPiece(_) => "WordPiece",
                ModelWrapper::WordLevel(_) => "WordLevel",
                ModelWrapper::Unigram(_) => "Unigram",
            };
            return Err(invalid(format!("its model is {kind}, which {} is not", class.name)));
        }
    };
    if let Some(model) = model {
        tokenizer.with_model(model);
    }
    Ok(Vocabulary {
        charsmap: tokenizer.get_normalizer().and_then(charsmap_of),
        post_processor: tokenizer.get_post_processor().cloned(),
        side: tokenizer.get_truncation().map(|truncation| truncation.direction),
        pad: tokenizer.get_padding().map(|padding| padding.pad_token.clone()),
        pieces: None,
        tokenizer,
    })
}

fn charsmap_of(normalizer: &NormalizerWrapper) -> Option<NormalizerWrapper> {
    let is_map = |normalizer: &&NormalizerWrapper| matches!(normalizer, NormalizerWrapper::Precompiled(_));
    match normalizer {
        NormalizerWrapper::Sequence(steps) => steps.as_ref().iter().find(is_map).cloned(),
        one => Some(one).filter(is_map).cloned(),
    }
}

fn from_files(files: &TokenizerFiles, token: TokenText) -> Result<Vocabulary, Error> {
    let class = files.class;
    let name = files.pieces().unwrap_or(class.vocabulary[0]);
    let invalid = |reason: String| files.invalid(fault(name)(reason));
    let text_path = |name: &str| files.path(name).to_string_lossy().into_owned();
    match class.make {
        Make::Bert | Make::MpNet => {
            let unk = token("unk_token")?;
            let model = tried(|| WordPiece::from_file(&text_path(name)).unk_token(unk).build());
            Ok(Vocabulary::of(model.map_err(invalid)?))
        }
        Make::Roberta | Make::Herbert => {
            let merges = text_path(class.vocabulary[1]);
            let builder = BPE::from_file(&text_path(name), &merges);
            let builder = match class.make {
                Make::Herbert => {
                    builder.end_of_word_suffix(END_OF_WORD.to_owned()).unk_token(token("unk_token")?)
                }
                _ => builder,
            };
            Ok(Vocabulary::of(tried(|| builder.build()).map_err(invalid)?))
        }
        Make::XlmRoberta | Make::Camembert | Make::Albert | Make::DebertaV2 | Make::AsStored => {
            let pieces = Pieces::parse(&fs_err::read(files.path(name))?).map_err(&invalid)?;
            if class.make == Make::Camembert && !pieces.is_unigram {
                return Err(invalid("its model is not Unigram, which CamembertTokenizer is".to_owned()));
            }
            let scores = arranged(class, pieces.scores, token)?;
            let by_text = scores.iter().map(|(piece, score)| (piece.as_str(), *score));
            let unk_id = unk_id(class, by_text, Some(pieces.unk_id), token)?;
            let charsmap = pieces.charsmap.as_deref().map(Precompiled::from).transpose();
            let charsmap = charsmap.map_err(|error| invalid(error.to_string()))?.map(Into::into);
            let model = unigram(scores, unk_id).map_err(&invalid)?;
            Ok(Vocabulary { charsmap, pieces: Some(pieces.special), ..Vocabulary::of(model) })
        }
    }
}

/// Pieces under the ids that the class gives them: some were trained with others than they have in the model's file.
fn arranged(
    class: &Class,
    pieces: Vec<(String, f64)>,
    token: TokenText,
) -> Result<Vec<(String, f64)>, Error> {
    let (roles, dropped): (&[&str], usize) = match class.make {
        Make::XlmRoberta => (&["bos_token", "pad_token", "eos_token", "unk_token"], 3),
        Make::Camembert => (&["<s>NOTUSED", "pad_token", "</s>NOTUSED", "unk_token", "<unk>NOTUSED"], 1),
        _ => return Ok(pieces),
    };
    let first = |role: &&str| match role.strip_suffix("NOTUSED") {
        Some("<unk>") => Ok(((*role).to_owned(), -100.0)),
        Some(_) => Ok(((*role).to_owned(), 0.0)),
        None => Ok((token(role)?, 0.0)),
    };
    let mut arranged = roles.iter().map(first).collect::<Result<Vec<_>, Error>>()?;
    arranged.extend(pieces.into_iter().skip(dropped));
    arranged.push((token("mask_token")?, 0.0));
    Ok(arranged)
}

/// Which piece stands for what no piece does, as the class has it.
fn unk_id<'a>(
    class: &Class,
    mut pieces: impl Iterator<Item = (&'a str, f64)>,
    stated: Option<usize>,
    token: TokenText,
) -> Result<usize, Error> {
    Ok(match class.make {
        Make::XlmRoberta => 3,
        Make::Albert => 1,
        Make::DebertaV2 => {
            let unk = token("unk_token")?;
            pieces.position(|piece| piece == (unk.as_str(), 0.0)).or(stated).unwrap_or(1)
        }
        _ => {
            let unk = token("unk_token")?;
            pieces.position(|(piece, _)| piece == unk).unwrap_or(0)
        }
    })
}

fn unigram(scores: Vec<(String, f64)>, unk_id: usize) -> Result<Unigram, String> {
    tried(|| Unigram::from(scores, Some(unk_id), false))
}

/// What Herbert's pieces have at the end of a word.
const END_OF_WORD: &str = "</w>";

/// BPE as a class has it, with such a `suffix`, without an unknown token, and with nothing left to chance.
fn plain(class: &Class, suffix: &str, model: &BPE) -> Result<BPE, String> {
    for (what, found, own) in [
        ("continuing_subword_prefix", &model.continuing_subword_prefix, ""),
        ("end_of_word_suffix", &model.end_of_word_suffix, suffix),
    ] {
        let found = found.as_deref().unwrap_or_default();
        if found != own {
            return Err(format!("{what} is `{found}`, which that of {} is not", class.name));
        }
    }
    let mut model = model.clone();
    (model.dropout, model.unk_token) = (None, None);
    (model.fuse_unk, model.byte_fallback, model.ignore_merges) = (false, false, false);
    Ok(model)
}
