//! What a sentence-transformers folder says beyond its encoder: what becomes of a text before it, and
//! of its states after it.
//!
//! Source: `BaseModel._load_config_modules` and the modules' own `load` of sentence-transformers 6.2,
//! <https://github.com/huggingface/sentence-transformers>.

mod files;
mod step;

pub(crate) use step::{Dense, ModuleActivation, PoolingMode, State, Step};

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use crate::checkpoint::files::WeightFiles;
use crate::checkpoint::instead::refuse_placeholder;
use crate::checkpoint::sentence::files::{
    DenseFile, LayerNormFile, Listed, NormalizeFile, PoolingFile, Reader, SentenceFile, TransformerFile,
};
use crate::{Config, Error};

/// The modules of a sentence-transformers folder, and how texts come to them.
#[derive(Debug, Clone, PartialEq)]
pub struct Modules {
    folder: PathBuf,
    encoder: PathBuf,
    pub(crate) steps: Vec<Step>,
    lower_case: bool,
    /// What the folder states of the encoder's module, and of the tokenizer if nothing.
    stated_limit: Option<usize>,
    tokenizer_limit: Option<usize>,
    prompts: BTreeMap<String, String>,
    default_prompt: Option<String>,
    truncate_dim: Option<usize>,
    files: Vec<PathBuf>,
}

const LIST: &str = SENTENCE_FILES[0];
const OF_ALL: &str = SENTENCE_FILES[1];
/// The files of a model that say what sentence-transformers makes of it: its modules, what is said of all
/// of them, and what is said of the encoder, where the first that is there and not empty counts.
pub const SENTENCE_FILES: [&str; 9] = [
    "modules.json",
    "config_sentence_transformers.json",
    "sentence_bert_config.json",
    "sentence_roberta_config.json",
    "sentence_distilbert_config.json",
    "sentence_camembert_config.json",
    "sentence_albert_config.json",
    "sentence_xlm-roberta_config.json",
    "sentence_xlnet_config.json",
];
const SUPPORTED: &str =
    "Transformer, Pooling, Dense, Normalize, LayerNorm or Dropout of sentence_transformers";

impl Modules {
    /// Reads `modules.json` and what it names. Without one, as sentence-transformers has it, the mean
    /// of the last layer's tokens is the sentence's vector, or the last of them if `config.json` names a causal class.
    ///
    /// # Errors
    /// The folder is missing; a file is malformed or cannot be read; a module is not computed here, or
    /// one of its settings is not honoured: the message names it.
    pub fn read(folder: &Path) -> Result<Self, Error> {
        if !folder.is_dir() {
            return Err(Error::NoFolder(folder.to_owned()));
        }
        let mut reader = Reader::new(folder);
        let Some(listed) = reader.json::<Vec<Listed>>(LIST.as_ref())? else {
            return Self::usual(folder, &reader);
        };
        let path = folder.join(LIST);
        check_list(&listed, &path)?;
        let mut steps = Vec::new();
        let (mut encoder, mut transformer) = (folder.to_owned(), TransformerFile::default());
        for (place, module) in listed.iter().enumerate() {
            let inside = Path::new(&module.path);
            match (module.class(), place) {
                (Some("Transformer"), 0) => {
                    transformer = reader.transformer(inside)?;
                    encoder = if module.path.is_empty() { encoder } else { folder.join(inside) };
                }
                (Some("Pooling"), 1..) => {
                    steps.push(reader.required::<PoolingFile>(inside)?.step(&folder.join(inside))?);
                }
                (Some("Dense"), 1..) => {
                    reader.weights(inside)?;
                    steps.push(reader.required::<DenseFile>(inside)?.step(&folder.join(inside))?);
                }
                (Some("LayerNorm"), 1..) => {
                    reader.weights(inside)?;
                    let LayerNormFile { dimension } = reader.required(inside)?;
                    steps.push(Step::LayerNorm { folder: folder.join(inside), dimension });
                }
                (Some("Normalize"), 1..) => {
                    let file: NormalizeFile = reader.json(&inside.join("config.json"))?.unwrap_or_default();
                    steps.push(file.step(&folder.join(inside))?);
                }
                // Does nothing to a model that is not trained.
                (Some("Dropout"), 1..) => {}
                _ => return Err(module.unsupported(place, &path)),
            }
        }
        let of_all: SentenceFile = reader.json(OF_ALL.as_ref())?.unwrap_or_default();
        let of_all = of_all.checked(&folder.join(OF_ALL))?;
        Ok(Self {
            folder: folder.to_owned(),
            encoder,
            steps,
            lower_case: transformer.lower_case(),
            stated_limit: transformer.limit(),
            tokenizer_limit: reader.tokenizer_limit(Path::new(&listed[0].path))?,
            prompts: of_all.prompts,
            default_prompt: of_all.default_prompt,
            truncate_dim: of_all.truncate_dim,
            files: reader.files,
        })
    }

    /// What is made of a model without a list of modules.
    fn usual(folder: &Path, reader: &Reader) -> Result<Self, Error> {
        if let Some(file) = reader.chat_template()? {
            return Err(Error::Unsupported {
                path: folder.join(file),
                key: "chat_template",
                found: "one, into which sentence-transformers puts every text where there is no modules.json"
                    .to_owned(),
                expected: "none, or a modules.json".to_owned(),
            });
        }
        let mode = if reader.is_causal()? { PoolingMode::LastToken } else { PoolingMode::Mean };
        Ok(Self {
            folder: folder.to_owned(),
            encoder: folder.to_owned(),
            steps: vec![Step::Pooling { modes: vec![mode], include_prompt: true, dimension: None }],
            lower_case: false,
            stated_limit: None,
            tokenizer_limit: reader.tokenizer_limit("".as_ref())?,
            prompts: BTreeMap::new(),
            default_prompt: None,
            truncate_dim: None,
            files: Vec::new(),
        })
    }

    /// In words, what the vector is where no file says so; none where one does.
    pub fn usual_pooling(&self) -> Option<&'static str> {
        let words =
            |last| if last { "the last layer's last token" } else { "the mean of the last layer's tokens" };
        self.files.is_empty().then(|| words(self.is_usually_last()))
    }

    /// Whether no file says what the vector is, and it is the last token.
    pub fn is_usually_last(&self) -> bool {
        let is_last =
            |step: &Step| matches!(step, Step::Pooling { modes, .. } if modes == &[PoolingMode::LastToken]);
        self.files.is_empty() && self.steps.iter().all(is_last)
    }

    /// The folder that was read.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The folder of the encoder and its tokenizer: the same, or one inside.
    pub fn encoder(&self) -> &Path {
        &self.encoder
    }

    /// The files that were read, weights included; none if there is no `modules.json`.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// Whether texts are lower-cased before they are tokenized.
    pub fn lower_case(&self) -> bool {
        self.lower_case
    }

    /// The most tokens of a text that its vector is made of, special ones counted.
    pub fn max_length(&self, config: &Config) -> usize {
        let of_tokenizer =
            || self.tokenizer_limit.map_or(config.max_tokens(), |limit| limit.min(config.max_tokens()));
        self.stated_limit.unwrap_or_else(of_tokenizer).min(config.positions().unwrap_or(usize::MAX))
    }

    /// Whether neither the folder nor its tokenizer states one.
    pub fn states_no_limit(&self) -> bool {
        self.stated_limit.or(self.tokenizer_limit).is_none()
    }

    /// What the folder itself states of that, which may be more than the model takes.
    pub fn stated_limit(&self) -> Option<usize> {
        self.stated_limit
    }

    /// The text that stands before each other one unless the user says otherwise, with its name.
    pub fn default_prompt(&self) -> Option<(&str, &str)> {
        let name = self.default_prompt.as_deref()?;
        Some((name, self.prompts.get(name)?))
    }

    /// A text of the folder that stands before each other one.
    ///
    /// # Errors
    /// It has none of this name.
    pub fn prompt(&self, name: &str) -> Result<&str, Error> {
        self.prompts.get(name).map(String::as_str).ok_or_else(|| {
            let names: Vec<String> = self.prompts.keys().map(|name| format!("`{name}`")).collect();
            let list = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            Error::Combination(format!("{} has no prompt `{name}`; it has {list}", self.folder.display()))
        })
    }

    /// How many values are left of a vector, if not all.
    pub fn truncate_dim(&self) -> Option<usize> {
        self.truncate_dim
    }

    /// Whether any module has weights of its own.
    pub(crate) fn has_weights(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::Dense(_) | Step::LayerNorm { .. }))
    }

    /// The width of what they make of hidden states of `hidden_size`, nothing left out yet.
    ///
    /// # Errors
    /// A module takes vectors of another width than it is given, or there is nothing to take.
    pub(crate) fn width(&self, hidden_size: usize) -> Result<usize, Error> {
        let mut widths = Widths { tokens: hidden_size, sentence: None };
        for (place, step) in self.steps.iter().enumerate() {
            widths
                .advance(step)
                .map_err(|reason| self.contradiction(format!("module {}: {reason}", place + 1)))?;
        }
        let none = || self.contradiction("no module makes a sentence_embedding".to_owned());
        widths.sentence.ok_or_else(none)
    }

    fn contradiction(&self, reason: String) -> Error {
        Error::Invalid { path: self.folder.join(LIST), reason }
    }
}

/// How wide vectors are on their way through the modules.
struct Widths {
    tokens: usize,
    sentence: Option<usize>,
}

impl Widths {
    fn advance(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Dense(Dense { outputs: 0, .. }) => return Err("a Dense gives no values".to_owned()),
            Step::Pooling { modes, dimension, .. } => {
                expect_width("a Pooling", dimension.unwrap_or(self.tokens), Some(self.tokens))?;
                self.sentence = Some(modes.len() * self.tokens);
            }
            Step::Dense(Dense { inputs, outputs, state: State::Tokens, .. }) => {
                expect_width("a Dense", *inputs, Some(self.tokens))?;
                self.tokens = *outputs;
            }
            Step::Dense(Dense { inputs, outputs, state: State::Sentence, .. }) => {
                expect_width("a Dense", *inputs, self.sentence)?;
                self.sentence = Some(*outputs);
            }
            Step::LayerNorm { dimension, .. } => expect_width("a LayerNorm", *dimension, self.sentence)?,
            Step::Normalize(_) => {}
        }
        Ok(())
    }
}

fn expect_width(what: &str, expected: usize, found: Option<usize>) -> Result<(), String> {
    match found {
        Some(found) if found == expected => Ok(()),
        Some(found) => Err(format!("{what} takes vectors of {expected} values, and is given {found}")),
        None => Err(format!("{what} comes before there is a sentence_embedding")),
    }
}

fn check_list(listed: &[Listed], path: &Path) -> Result<(), Error> {
    let invalid = |reason: String| Err(Error::Invalid { path: path.to_owned(), reason });
    if listed.is_empty() {
        return invalid("it names no module".to_owned());
    }
    for (place, module) in listed.iter().enumerate() {
        let is_inside = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
        if module.path.contains(['\\', '\0']) || !Path::new(&module.path).components().all(is_inside) {
            return invalid(format!("`{}` is not the path of a folder inside", module.path));
        }
        if listed[..place].iter().any(|earlier| earlier.name == module.name) {
            return invalid(format!("two modules have the name `{}`", module.name));
        }
    }
    Ok(())
}

impl Listed {
    fn unsupported(&self, place: usize, path: &Path) -> Error {
        let (path, found) = (path.to_owned(), format!("`{}` of module {place}", self.class));
        let expected = match (self.class(), place) {
            (_, 0) => "sentence_transformers.models.Transformer first".to_owned(),
            (Some("Transformer"), _) => "the only Transformer to be the first module".to_owned(),
            _ => SUPPORTED.to_owned(),
        };
        Error::Unsupported { path, key: "type", found, expected }
    }
}

impl Reader<'_> {
    /// The settings of the encoder's module in the folder `inside`.
    fn transformer(&mut self, inside: &Path) -> Result<TransformerFile, Error> {
        for name in &SENTENCE_FILES[2..] {
            let name = inside.join(name);
            if self
                .json::<serde_json::Map<String, serde_json::Value>>(&name)?
                .is_some_and(|map| !map.is_empty())
            {
                let file: TransformerFile = self.parse(&name)?;
                return file.checked(&self.folder.join(&name));
            }
        }
        Ok(TransformerFile::default())
    }

    /// Notes the weights of a module.
    fn weights(&mut self, inside: &Path) -> Result<(), Error> {
        let found = WeightFiles::find(&self.folder.join(inside), None)?.paths;
        found.iter().try_for_each(|path| refuse_placeholder(path))?;
        self.files.extend(found);
        Ok(())
    }
}
