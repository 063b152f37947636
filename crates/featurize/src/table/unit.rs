//! The options about what is encoded and what an output row stands for: which of them go together.

use serde::{Deserialize, Serialize};
use strata_bert::{Division, Overflow, Unit};
use strum::{Display, EnumString, VariantNames};

use crate::error::Refusal;

/// The input columns that are encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A column of texts.
    Text(String),
    /// Two columns of texts, seen together.
    Pair(String, String),
    /// A column of lists of words, and those of what stands beside each word.
    Words(String, Vec<String>),
    /// A column of texts, and one of spans in them.
    Spans(String, String),
}

/// What an encoded column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Texts.
    Text,
    /// Second texts.
    TextPair,
    /// Lists of words.
    Words,
    /// Lists of what stands beside each word.
    Aligned,
    /// Spans in texts.
    Spans,
}

impl Role {
    /// The option that names the column.
    pub fn option(self) -> &'static str {
        match self {
            Self::Text => "--text",
            Self::TextPair => "--text-pair",
            Self::Words => "--words",
            Self::Aligned => "--align",
            Self::Spans => "--spans",
        }
    }
}

impl Subject {
    /// Each encoded column, by name.
    pub fn columns(&self) -> Vec<(Role, &str)> {
        match self {
            Self::Text(text) => vec![(Role::Text, text)],
            Self::Pair(first, second) => vec![(Role::Text, first), (Role::TextPair, second)],
            Self::Words(words, aligned) => {
                let aligned = aligned.iter().map(|column| (Role::Aligned, column.as_str()));
                std::iter::once((Role::Words, words.as_str())).chain(aligned).collect()
            }
            Self::Spans(text, spans) => vec![(Role::Text, text), (Role::Spans, spans)],
        }
    }

    /// The columns that hold texts.
    pub fn texts(&self) -> Vec<String> {
        let columns = self.columns().into_iter();
        let texts = columns.filter(|(role, _)| !matches!(role, Role::Spans | Role::Aligned));
        texts.map(|(_, name)| name.to_owned()).collect()
    }
}

/// What the user said.
#[derive(Debug, Default)]
pub struct Asked {
    /// The column of texts.
    pub text: Option<String>,
    /// The column of second texts.
    pub text_pair: Option<String>,
    /// The column of spans.
    pub spans: Option<String>,
    /// What a word is: `tokenizer`, `whitespace`, or a column.
    pub words: Option<String>,
    /// The columns of what stands beside each given word.
    pub align: Vec<String>,
    /// Whether special tokens count.
    pub special_tokens: Option<bool>,
}

/// What is encoded, and how it is divided.
///
/// # Errors
/// Options that do not go together.
pub fn settle(unit: Unit, asked: Asked) -> Result<(Subject, Division), Refusal> {
    let Asked { text, text_pair, spans, words, align, special_tokens } = asked;
    let refuse = |option: &str, reason: &str| {
        Err(Refusal::usage(format!("{option} does not go with --unit {unit}: {reason}")))
    };
    if text_pair.is_some() && unit != Unit::Row {
        return refuse("--text-pair", "the places of its tokens would be in either of two texts");
    }
    if words.is_some() && unit != Unit::Word {
        return refuse("--words", "it says what a word is");
    }
    let are_given = words.as_deref().is_some_and(|words| !["tokenizer", "whitespace"].contains(&words));
    if !align.is_empty() && unit == Unit::Word && !are_given {
        return Err(Refusal::usage("--align goes with a column of --words alone".to_owned())
            .hint("its lists have a value for each word of that column's lists"));
    }
    if !align.is_empty() && unit != Unit::Word {
        return refuse("--align", "it names what stands beside given words");
    }
    if spans.is_some() && unit != Unit::Span {
        return refuse("--spans", "it names the spans that are encoded");
    }
    if special_tokens.is_some() && matches!(unit, Unit::Word | Unit::Span) {
        return refuse("--special-tokens", "no special token is part of a word or span");
    }
    let has_text = text.is_some();
    let text = text.unwrap_or_else(|| "text".to_owned());
    Ok(match unit {
        Unit::Row => match text_pair {
            Some(pair) => (Subject::Pair(text, pair), Division::Whole),
            None => (Subject::Text(text), Division::Whole),
        },
        Unit::Token => {
            let special = special_tokens != Some(false);
            (Subject::Text(text), Division::Tokens { special })
        }
        Unit::Word => match words.as_deref().unwrap_or("tokenizer") {
            "tokenizer" => (Subject::Text(text), Division::TokenizerWords),
            "whitespace" => (Subject::Text(text), Division::WhitespaceWords),
            _ if has_text => {
                return Err(Refusal::usage("--text does not go with a column of --words".to_owned())
                    .hint("the words are what is encoded; leave --text out, or say --words whitespace"));
            }
            column => (Subject::Words(column.to_owned(), align), Division::GivenWords),
        },
        Unit::Span => match spans {
            Some(spans) => (Subject::Spans(text, spans), Division::Spans),
            None => {
                return Err(Refusal::usage("--spans is missing".to_owned())
                    .hint("with --unit span, name the column of the spans: structs with start and end"));
            }
        },
    })
}

/// Refuses what would stand before texts that are divided, or be said twice.
///
/// # Errors
/// Options that do not go together.
pub fn check_prefix(unit: Unit, prefix: Option<&str>, prompt: Option<&str>) -> Result<(), Refusal> {
    if prefix.is_some() && prompt.is_some() {
        return Err(Refusal::usage("--prompt does not go with --prefix".to_owned())
            .hint("either says what stands before each text; leave one out"));
    }
    let given = prefix.map(|_| "--prefix").or(prompt.map(|_| "--prompt"));
    match given.filter(|_| unit != Unit::Row) {
        None => Ok(()),
        Some(option) => Err(Refusal::usage(format!(
            "{option} does not go with --unit {unit}: its own tokens would be among the text's"
        ))),
    }
}

/// What becomes of a text that the model cannot see at once.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, EnumString, Display, VariantNames, Serialize, Deserialize,
)]
#[strum(serialize_all = "lowercase")]
#[serde(rename_all = "lowercase")]
pub enum LongTexts {
    /// It is cut.
    #[default]
    Truncate,
    /// It is seen through windows that overlap.
    Window,
    /// The run ends.
    Error,
}

/// How the tokenizer treats texts that the model cannot see at once.
///
/// # Errors
/// A stride without windows; windows over pairs.
pub fn overflow(choice: LongTexts, stride: Option<usize>, pairs: bool) -> Result<Overflow, Refusal> {
    match choice {
        LongTexts::Window if pairs => Err(Refusal::usage("--overflow window does not go with --text-pair")
            .hint("windows over two texts have no agreed meaning; cut them, or say --overflow error")),
        LongTexts::Window => Ok(Overflow::Window { stride }),
        LongTexts::Truncate | LongTexts::Error if stride.is_some() => {
            Err(Refusal::usage(format!("--stride does not go with --overflow {choice}"))
                .hint("it is what windows share; say --overflow window"))
        }
        LongTexts::Truncate | LongTexts::Error => Ok(Overflow::Truncate),
    }
}
