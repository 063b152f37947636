//! What each class has of its own: how it normalizes a text, divides it, and which tokens it puts around it.

use tokenizers::normalizers::replace::ReplacePattern;
use tokenizers::normalizers::{
    BertNormalizer, Lowercase, NFC, NFKD, NormalizerWrapper, Replace, Sequence, Strip, StripAccents,
};
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::metaspace::{Metaspace, PrependScheme};
use tokenizers::pre_tokenizers::punctuation::Punctuation;
use tokenizers::pre_tokenizers::sequence::Sequence as PreTokenizers;
use tokenizers::pre_tokenizers::whitespace::WhitespaceSplit;
use tokenizers::processors::bert::BertProcessing;
use tokenizers::processors::roberta::RobertaProcessing;
use tokenizers::{PostProcessorWrapper, SplitDelimiterBehavior, Tokenizer};

use crate::Error;
use crate::text::build::Maker;
use crate::text::class::Make;
use crate::text::json::Json;

impl Maker<'_> {
    pub(super) fn set_pipeline(
        &self,
        tokenizer: &mut Tokenizer,
        charsmap: Option<NormalizerWrapper>,
    ) -> Result<(), Error> {
        let normalizer = self.normalizer(charsmap)?;
        tokenizer.with_normalizer(normalizer).map_err(|error| self.invalid(error.to_string()))?;
        tokenizer.with_pre_tokenizer(Some(self.pre_tokenizer()?));
        Ok(())
    }

    fn normalizer(&self, charsmap: Option<NormalizerWrapper>) -> Result<Option<NormalizerWrapper>, Error> {
        let replace = |pattern: ReplacePattern, content: &str| {
            Replace::new(pattern, content).map_err(|error| self.invalid(error.to_string()))
        };
        let steps: Vec<NormalizerWrapper> = match self.files.class.make {
            Make::AsStored | Make::Roberta => return Ok(None),
            Make::XlmRoberta | Make::Camembert => return Ok(charsmap),
            Make::Bert | Make::MpNet => {
                let strip_accents = match self.stating.object.get("strip_accents") {
                    None | Some(Json::Null) => None,
                    Some(_) => Some(self.flag("strip_accents", false)?),
                };
                let chinese = self.flag("tokenize_chinese_chars", true)?;
                let lowercase = self.flag("do_lower_case", true)?;
                return Ok(Some(BertNormalizer::new(true, chinese, strip_accents, lowercase).into()));
            }
            Make::Albert => {
                let mut steps = vec![replace("``".into(), "\"")?.into(), replace("''".into(), "\"")?.into()];
                if !self.flag("keep_accents", false)? {
                    steps.extend([NFKD.into(), StripAccents.into()]);
                }
                if self.flag("do_lower_case", true)? {
                    steps.push(Lowercase.into());
                }
                steps.extend(charsmap);
                steps
            }
            Make::Herbert => return Ok(Some(BertNormalizer::new(true, true, Some(false), false).into())),
            // The map of the sentencepiece model is not among them.
            Make::DebertaV2 => {
                let lowercase = self.flag("do_lower_case", false)?.then(|| Lowercase.into());
                let white_space = ReplacePattern::Regex(r"\s{2,}|[\n\r\t]".to_owned());
                let others = [replace(white_space, " ")?.into(), NFC.into(), Strip::new(false, true).into()];
                lowercase.into_iter().chain(others).collect()
            }
        };
        Ok(Some(Sequence::new(steps).into()))
    }

    fn pre_tokenizer(&self) -> Result<PreTokenizerWrapper, Error> {
        let spaces = |scheme: PrependScheme| Metaspace::new('▁', scheme, true);
        Ok(match self.files.class.make {
            Make::Bert | Make::MpNet | Make::Herbert => BertPreTokenizer.into(),
            Make::AsStored | Make::Roberta => {
                ByteLevel::new(self.flag("add_prefix_space", false)?, true, true).into()
            }
            Make::XlmRoberta | Make::Camembert | Make::Albert => {
                let first = self.flag("add_prefix_space", true)?;
                let scheme = if first { PrependScheme::Always } else { PrependScheme::Never };
                PreTokenizers::new(vec![WhitespaceSplit.into(), spaces(scheme).into()]).into()
            }
            Make::DebertaV2 => {
                let always = self.flag("add_prefix_space", true)?;
                let scheme = if always { PrependScheme::Always } else { PrependScheme::First };
                let punctuation = self.flag("split_by_punct", false)?;
                let punctuation =
                    punctuation.then(|| Punctuation::new(SplitDelimiterBehavior::Isolated).into());
                PreTokenizers::new(punctuation.into_iter().chain([spaces(scheme).into()]).collect()).into()
            }
        })
    }

    /// Special tokens of a class that are not found in a text by a role.
    pub(super) fn extra_tokens(&self) -> &'static [&'static str] {
        match self.files.class.make {
            Make::Camembert => &["<s>NOTUSED", "</s>NOTUSED", "<unk>NOTUSED"],
            _ => &[],
        }
    }

    /// What the class puts around a text, unless `tokenizer.json` has something else.
    pub(super) fn own_post_processor(
        &self,
        tokenizer: &Tokenizer,
    ) -> Result<Option<PostProcessorWrapper>, Error> {
        if self.files.class.make != Make::Albert {
            return Ok(None);
        }
        // Whatever the tokens are called.
        let end = |role: &str, name: &str| -> Result<(String, u32), Error> {
            Ok((name.to_owned(), self.with_id(tokenizer, &self.text(role)?)?.1))
        };
        let tokens = vec![end("cls_token", "[CLS]")?, end("sep_token", "[SEP]")?];
        let template = self.template("[CLS]:0 $A:0 [SEP]:0", "[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1", tokens)?;
        Ok(Some(template.into()))
    }

    /// What the class puts around a text, whatever `tokenizer.json` has; `None` where it leaves that as it is.
    pub(super) fn last_post_processor(
        &self,
        tokenizer: &Tokenizer,
    ) -> Result<Option<PostProcessorWrapper>, Error> {
        let end = |role: &str| self.with_id(tokenizer, &self.text(role)?);
        let same = |first: &str, last: &str| -> Result<_, Error> {
            let (first, last) = (end(first)?, end(last)?);
            let (a, b) = (first.0.clone(), last.0.clone());
            let template =
                self.template(&format!("{a} $A {b}"), &format!("{a} $A {b} {b} $B {b}"), vec![first, last])?;
            Ok(Some(template.into()))
        };
        match self.files.class.make {
            Make::AsStored | Make::Albert => Ok(None),
            Make::XlmRoberta | Make::Camembert => same("bos_token", "eos_token"),
            Make::Bert | Make::DebertaV2 => {
                let (cls, sep) = (end("cls_token")?, end("sep_token")?);
                let (a, b) = (cls.0.clone(), sep.0.clone());
                let template = self.template(
                    &format!("{a}:0 $A:0 {b}:0"),
                    &format!("{a}:0 $A:0 {b}:0 $B:1 {b}:1"),
                    vec![cls, sep],
                )?;
                Ok(Some(template.into()))
            }
            // Under these ids whatever the tokens are.
            Make::Herbert => {
                let (cls, sep) = (self.text("cls_token")?, self.text("sep_token")?);
                Ok(Some(BertProcessing::new((sep, 2), (cls, 0)).into()))
            }
            Make::Roberta | Make::MpNet => {
                let roberta = self.files.class.make == Make::Roberta;
                let trim = !roberta || self.flag("trim_offsets", true)?;
                let first = roberta && self.flag("add_prefix_space", false)?;
                let processing = RobertaProcessing::new(end("sep_token")?, end("cls_token")?);
                Ok(Some(processing.trim_offsets(trim).add_prefix_space(first).into()))
            }
        }
    }
}
