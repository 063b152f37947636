//! Which files of a folder make its tokenizer, and the small ones among them.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use crate::Error;
use crate::checkpoint::instead::refuse_placeholder;
use crate::checkpoint::json;
use crate::text::class::{Class, Make, Refused};
use crate::text::json::{Json, Object};
use crate::text::tokens::{
    ADDED_TOKENS, ADDED_TOKENS_DECODER, CONFIG, Fault, SPECIAL_TOKENS_MAP, STORED, fault,
};

/// Another name of a sentencepiece model, which is taken before a class's own.
const TOKENIZER_MODEL: &str = "tokenizer.model";

/// Every file of a model's folder that a tokenizer may be made of. Which of them are read depends on
/// which are there; a folder with all that its source has of these, and `config.json`, means the same here, there and
/// in transformers.
pub const TOKENIZER_FILES: [&str; 11] = [
    STORED,
    CONFIG,
    SPECIAL_TOKENS_MAP,
    ADDED_TOKENS,
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "sentencepiece.bpe.model",
    "spiece.model",
    "spm.model",
    TOKENIZER_MODEL,
];

/// The files that one folder's tokenizer is made of.
#[derive(Debug, Clone)]
pub(crate) struct TokenizerFiles {
    folder: PathBuf,
    pub(crate) class: &'static Class,
    /// Those that are read, in the order of [`TOKENIZER_FILES`].
    names: Vec<&'static str>,
}

impl TokenizerFiles {
    /// Looks at a folder with a model of `model_type`, if its `config.json` names none.
    ///
    /// # Errors
    /// A file is missing or malformed, or its tokenizer cannot be made here.
    pub(crate) fn find(folder: &Path, model_type: &str) -> Result<Self, Error> {
        let path = folder.join(CONFIG);
        let config: Object = if path.is_file() { read(&path)? } else { Object::default() };
        let model: Object = read(&folder.join("config.json"))?;
        let model_type = model.get("model_type").and_then(Json::as_str).unwrap_or(model_type);
        let class = Class::of(model_type, &config, &model).map_err(|refused| {
            let named_here = config.get("tokenizer_class").is_some();
            unsupported(folder.join(if named_here { CONFIG } else { "config.json" }), refused)
        })?;
        let is_there = |name: &&str| folder.join(name).is_file();
        let mut read: Vec<&str> = Vec::new();
        if is_there(&STORED) {
            read.push(STORED);
        } else if class.reads_pieces() && is_there(&TOKENIZER_MODEL) {
            read.push(TOKENIZER_MODEL);
        } else if class.make == Make::AsStored || !class.vocabulary.iter().all(is_there) {
            return Err(Error::MissingFile { folder: folder.to_owned(), expected: class.expected });
        } else {
            read.extend(class.vocabulary);
        }
        read.extend(Some(CONFIG).filter(is_there));
        if config.get(ADDED_TOKENS_DECODER).is_none() {
            read.extend([SPECIAL_TOKENS_MAP, ADDED_TOKENS].iter().filter(|name| is_there(name)));
        }
        let names = TOKENIZER_FILES.into_iter().filter(|name| read.contains(name)).collect();
        let files = Self { folder: folder.to_owned(), class, names };
        refuse_what_is_not_read(&config).map_err(|fault| files.invalid(fault))?;
        Ok(files)
    }

    /// The names of those that are read, always in the same order.
    pub(crate) fn names(&self) -> &[&'static str] {
        &self.names
    }

    pub(crate) fn paths(&self) -> Vec<PathBuf> {
        self.names.iter().map(|name| self.folder.join(name)).collect()
    }

    /// The one that messages about the whole tokenizer name.
    pub(crate) fn main(&self) -> PathBuf {
        self.paths().into_iter().next().unwrap_or_else(|| self.folder.clone())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub(crate) fn reads(&self, name: &str) -> bool {
        self.names.contains(&name)
    }

    /// The sentencepiece model, where the tokenizer is made of one.
    pub(crate) fn pieces(&self) -> Option<&'static str> {
        self.names.iter().copied().find(|name| name.ends_with(".model"))
    }

    /// Parses a JSON file, if it is one of those that are read.
    pub(crate) fn json<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Error> {
        self.reads(name).then(|| read(&self.path(name))).transpose()
    }

    pub(crate) fn invalid(&self, Fault { file, reason }: Fault) -> Error {
        Error::Invalid { path: self.path(file), reason }
    }
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<T, Error> {
    refuse_placeholder(path)?;
    let invalid = |reason: String| Error::Invalid { path: path.to_owned(), reason };
    let text = String::from_utf8(fs_err::read(path)?).map_err(|error| invalid(error.to_string()))?;
    serde_json::from_str(&json::quoted(&text)).map_err(|error| invalid(error.to_string()))
}

fn unsupported(path: PathBuf, refused: Refused) -> Error {
    let (found, expected) = match refused {
        Refused::Python(name) => (name, "one that files describe: this one is a program in Python"),
        Refused::NotMade(name) => {
            (name, "PreTrainedTokenizerFast for a tokenizer.json as it is, or one of those in the README")
        }
    };
    Error::Unsupported { path, key: "tokenizer_class", found, expected: expected.to_owned() }
}

fn refuse_what_is_not_read(config: &Object) -> Result<(), Fault> {
    let fault = fault(CONFIG);
    for key in ["init_inputs", "fast_tokenizer_files"] {
        let habit = |value: &Json| match value {
            Json::Array(values) => values.iter().all(|value| value.as_str() == Some(STORED)),
            other => other.is_void(),
        };
        if let Some(value) = config.get(key).filter(|value| !habit(value)) {
            return Err(fault(format!("{key} is {value}, which is not supported; expected none")));
        }
    }
    Ok(())
}
