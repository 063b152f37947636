//! The JSON files of a sentence-transformers folder, as they stand there. A key that
//! sentence-transformers would not take is refused by name; one that changes no value of a vector is
//! passed over.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Map, Number, Value};

use crate::Error;
use crate::checkpoint::instead::refuse_placeholder;
use crate::checkpoint::sentence::step::{Dense, ModuleActivation, PoolingMode, State, Step};

const TOKENIZER: &str = "tokenizer_config.json";

/// Reads files of a folder, and keeps in mind which.
pub(super) struct Reader<'a> {
    pub(super) folder: &'a Path,
    pub(super) files: Vec<PathBuf>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(folder: &'a Path) -> Self {
        Self { folder, files: Vec::new() }
    }

    /// A file by its path inside the folder; none if it is not there.
    pub(super) fn json<T: DeserializeOwned>(&mut self, inside: &Path) -> Result<Option<T>, Error> {
        let path = self.folder.join(inside);
        if !path.exists() {
            return Ok(None);
        }
        let value = self.parse(inside)?;
        self.files.push(path);
        Ok(Some(value))
    }

    /// The `config.json` of a module that cannot be without.
    pub(super) fn required<T: DeserializeOwned>(&mut self, inside: &Path) -> Result<T, Error> {
        let folder = self.folder.join(inside);
        self.json(&inside.join("config.json"))?.ok_or(Error::MissingFile { folder, expected: "config.json" })
    }

    pub(super) fn parse<T: DeserializeOwned>(&self, inside: &Path) -> Result<T, Error> {
        let path = self.folder.join(inside);
        refuse_placeholder(&path)?;
        let bytes = fs_err::read(&path)?;
        serde_json::from_slice(&bytes).map_err(|error| Error::Invalid { path, reason: error.to_string() })
    }

    /// What a file states that no vector is made by alone; nothing if it is not there.
    fn settings(&self, inside: impl AsRef<Path>) -> Result<Map<String, Value>, Error> {
        let is_there = self.folder.join(&inside).exists();
        if is_there { self.parse(inside.as_ref()) } else { Ok(Map::new()) }
    }

    /// `model_max_length` of a tokenizer, or what it was called before, which counts if nothing else is said.
    pub(super) fn tokenizer_limit(&self, inside: &Path) -> Result<Option<usize>, Error> {
        let stated = self.settings(inside.join(TOKENIZER))?;
        match stated.get("model_max_length").or_else(|| stated.get("max_len")) {
            Some(Value::Number(limit)) => Ok(Some(tokens(limit))),
            _ => Ok(None),
        }
    }

    /// The file that has a template for conversations, if one has.
    pub(super) fn chat_template(&self) -> Result<Option<&'static str>, Error> {
        const FILE: &str = "chat_template.jinja";
        if self.folder.join(FILE).exists() {
            return Ok(Some(FILE));
        }
        let is_stated =
            self.settings(TOKENIZER)?.get("chat_template").is_some_and(|template| !template.is_null());
        Ok(is_stated.then_some(TOKENIZER))
    }

    /// Whether `config.json` names a class that makes text, each token of which has seen those before it.
    pub(super) fn is_causal(&self) -> Result<bool, Error> {
        let config = self.settings("config.json")?;
        let class = config.get("architectures").and_then(|classes| classes.get(0)?.as_str());
        let says_no = matches!(config.get("is_causal"), Some(Value::Bool(false) | Value::Null));
        Ok(class.is_some_and(|class| class.ends_with("ForCausalLM")) && !says_no)
    }
}

/// A length; where there is none, transformers writes a number beyond all integers.
fn tokens(number: &Number) -> usize {
    number.as_f64().unwrap_or(f64::INFINITY) as usize
}

/// An entry of `modules.json`.
#[derive(Deserialize)]
pub(super) struct Listed {
    pub(super) name: String,
    pub(super) path: String,
    #[serde(rename = "type")]
    pub(super) class: String,
}

impl Listed {
    /// The name of the class, whatever version's place of it the file states; none of other packages.
    pub(super) fn class(&self) -> Option<&str> {
        self.class.strip_prefix("sentence_transformers.")?.rsplit('.').next()
    }
}

/// `sentence_bert_config.json`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct TransformerFile {
    max_seq_length: Option<usize>,
    do_lower_case: Option<bool>,
    transformer_task: Option<String>,
    modality_config: Option<BTreeMap<String, Value>>,
    module_output_name: Option<String>,
    processing_kwargs: Option<Map<String, Value>>,
    #[serde(alias = "model_args")]
    model_kwargs: Option<Map<String, Value>>,
    #[serde(alias = "tokenizer_args")]
    processor_kwargs: Option<Map<String, Value>>,
    #[serde(alias = "config_args")]
    config_kwargs: Option<Map<String, Value>>,
    tokenizer_name_or_path: Option<String>,
    // Padding is none of our business, and the others are for texts that are said to be queries.
    #[serde(rename = "unpad_inputs")]
    _unpad_inputs: Option<IgnoredAny>,
    #[serde(rename = "query_length")]
    _query_length: Option<IgnoredAny>,
    #[serde(rename = "document_length")]
    _document_length: Option<IgnoredAny>,
    #[serde(rename = "query_expansion")]
    _query_expansion: Option<IgnoredAny>,
}

impl TransformerFile {
    /// Refuses what would make other vectors and is not honoured.
    pub(super) fn checked(self, path: &Path) -> Result<Self, Error> {
        let refuse = |key: &'static str, found: String, expected: &str| {
            Err(Error::Unsupported { path: path.to_owned(), key, found, expected: expected.to_owned() })
        };
        if let Some(task) = self.transformer_task.as_ref().filter(|task| *task != "feature-extraction") {
            return refuse("transformer_task", task.clone(), "feature-extraction");
        }
        if let Some(modalities) = &self.modality_config {
            let text = serde_json::json!({"method": "forward", "method_output_name": "last_hidden_state"});
            if modalities.len() != 1 || modalities.get("text") != Some(&text) {
                let found = Value::from_iter(modalities.clone()).to_string();
                return refuse("modality_config", found, "text alone, by forward and last_hidden_state");
            }
            if self.module_output_name.as_deref() != Some("token_embeddings") {
                let found = self.module_output_name.unwrap_or_else(|| "missing".to_owned());
                return refuse("module_output_name", found, "token_embeddings");
            }
        }
        if let Some(name) = self.tokenizer_name_or_path {
            return refuse("tokenizer_name_or_path", name, "the folder's own tokenizer");
        }
        let arguments: [(_, _, &[&str]); 4] = [
            ("processing_kwargs", &self.processing_kwargs, &[]),
            // Everything is computed in float32 unless the user asks for something else.
            ("model_kwargs", &self.model_kwargs, &["attn_implementation", "dtype", "torch_dtype"]),
            ("processor_kwargs", &self.processor_kwargs, &["model_max_length", "padding_side", "use_fast"]),
            ("config_kwargs", &self.config_kwargs, &[]),
        ];
        for (key, given, known) in arguments {
            let is_known = |name: &&String| known.contains(&name.as_str()) || *name == "trust_remote_code";
            if let Some((name, value)) = given.iter().flatten().find(|(name, _)| !is_known(name)) {
                let expected = if known.is_empty() { "nothing".to_owned() } else { known.join(", ") };
                return refuse(key, format!("{{\"{name}\": {value}}}"), &expected);
            }
        }
        Ok(self)
    }

    pub(super) fn lower_case(&self) -> bool {
        self.do_lower_case == Some(true)
    }

    /// The most tokens, if the file says.
    pub(super) fn limit(&self) -> Option<usize> {
        let of_tokenizer = self.processor_kwargs.as_ref().and_then(|given| given.get("model_max_length"));
        match of_tokenizer {
            Some(Value::Number(number)) => Some(tokens(number)),
            _ => self.max_seq_length,
        }
    }
}

/// `config_sentence_transformers.json`.
#[derive(Default, Deserialize)]
pub(super) struct SentenceFile {
    model_type: Option<String>,
    prompts: Option<BTreeMap<String, Option<String>>>,
    default_prompt_name: Option<String>,
    truncate_dim: Option<i64>,
}

/// What it says of texts and vectors.
pub(super) struct OfAll {
    pub(super) prompts: BTreeMap<String, String>,
    pub(super) default_prompt: Option<String>,
    pub(super) truncate_dim: Option<usize>,
}

impl SentenceFile {
    pub(super) fn checked(self, path: &Path) -> Result<OfAll, Error> {
        let invalid = |reason: String| Err(Error::Invalid { path: path.to_owned(), reason });
        if let Some(found) = self.model_type.filter(|model_type| model_type != "SentenceTransformer") {
            let expected = "SentenceTransformer".to_owned();
            return Err(Error::Unsupported { path: path.to_owned(), key: "model_type", found, expected });
        }
        let stated = self.prompts.unwrap_or_default();
        let mut prompts: BTreeMap<String, String> =
            stated.into_iter().map(|(name, prompt)| (name, prompt.unwrap_or_default())).collect();
        // These two are there in any case.
        for name in ["query", "document"] {
            prompts.entry(name.to_owned()).or_default();
        }
        if let Some(name) = self.default_prompt_name.as_ref().filter(|name| !prompts.contains_key(*name)) {
            return invalid(format!("default_prompt_name is `{name}`, which is none of its prompts"));
        }
        let truncate_dim = match self.truncate_dim.map(usize::try_from) {
            None => None,
            Some(Ok(values @ 1..)) => Some(values),
            Some(_) => return invalid("truncate_dim is not a positive number".to_owned()),
        };
        Ok(OfAll { prompts, default_prompt: self.default_prompt_name, truncate_dim })
    }
}

/// The configuration of a Pooling, with the keys of today and of earlier versions.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PoolingFile {
    #[serde(alias = "word_embedding_dimension")]
    embedding_dimension: usize,
    pooling_mode: Option<Modes>,
    #[serde(default = "yes")]
    include_prompt: bool,
    pooling_mode_cls_token: Option<bool>,
    pooling_mode_max_tokens: Option<bool>,
    pooling_mode_mean_tokens: Option<bool>,
    pooling_mode_mean_sqrt_len_tokens: Option<bool>,
    pooling_mode_weightedmean_tokens: Option<bool>,
    pooling_mode_lasttoken: Option<bool>,
}

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "expected pooling_mode to be one or several of cls, max, mean, mean_sqrt_len_tokens, weightedmean, lasttoken"
)]
enum Modes {
    One(PoolingMode),
    Several(Vec<PoolingMode>),
}

impl PoolingFile {
    pub(super) fn step(self, folder: &Path) -> Result<Step, Error> {
        // In this order their results follow each other.
        let flags = [
            (self.pooling_mode_cls_token, PoolingMode::Cls),
            (self.pooling_mode_max_tokens, PoolingMode::Max),
            (self.pooling_mode_mean_tokens, PoolingMode::Mean),
            (self.pooling_mode_mean_sqrt_len_tokens, PoolingMode::MeanSqrtLenTokens),
            (self.pooling_mode_weightedmean_tokens, PoolingMode::WeightedMean),
            (self.pooling_mode_lasttoken, PoolingMode::LastToken),
        ];
        let mut modes = match self.pooling_mode {
            Some(Modes::One(mode)) => vec![mode],
            Some(Modes::Several(modes)) if modes.is_empty() => {
                let (path, reason) = (folder.join("config.json"), "pooling_mode names no mode".to_owned());
                return Err(Error::Invalid { path, reason });
            }
            Some(Modes::Several(modes)) => modes,
            None => flags.iter().filter(|(flag, _)| *flag == Some(true)).map(|&(_, mode)| mode).collect(),
        };
        if modes.is_empty() {
            modes.push(PoolingMode::Mean);
        }
        let (include_prompt, dimension) = (self.include_prompt, Some(self.embedding_dimension));
        Ok(Step::Pooling { modes, include_prompt, dimension })
    }
}

/// The configuration of a Dense.
#[derive(Deserialize)]
pub(super) struct DenseFile {
    in_features: usize,
    out_features: usize,
    #[serde(default = "yes")]
    bias: bool,
    #[serde(default = "tanh")]
    activation_function: String,
    #[serde(default)]
    module_input_name: State,
    module_output_name: Option<State>,
    #[serde(default)]
    use_residual: bool,
}

impl DenseFile {
    pub(super) fn step(self, folder: &Path) -> Result<Step, Error> {
        let Some(activation) = ModuleActivation::of_class(&self.activation_function) else {
            let names: Vec<&str> = ModuleActivation::NAMES.iter().map(|&(name, _)| name).collect();
            return Err(Error::Unsupported {
                path: folder.join("config.json"),
                key: "activation_function",
                found: self.activation_function,
                expected: format!("{} of torch.nn", names.join(", ")),
            });
        };
        Ok(Step::Dense(Dense {
            folder: folder.to_owned(),
            inputs: self.in_features,
            outputs: self.out_features,
            bias: self.bias,
            activation,
            residual: self.use_residual,
            state: in_place(self.module_input_name, self.module_output_name, folder)?,
        }))
    }
}

/// The configuration of a Normalize, which may be without.
#[derive(Default, Deserialize)]
pub(super) struct NormalizeFile {
    #[serde(default)]
    module_input_name: State,
    module_output_name: Option<State>,
}

impl NormalizeFile {
    pub(super) fn step(self, folder: &Path) -> Result<Step, Error> {
        in_place(self.module_input_name, self.module_output_name, folder).map(Step::Normalize)
    }
}

/// The configuration of a LayerNorm.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LayerNormFile {
    pub(super) dimension: usize,
}

/// A module that reads one thing and writes another would leave tokens without a place in their text.
fn in_place(input: State, output: Option<State>, folder: &Path) -> Result<State, Error> {
    match output {
        Some(output) if output != input => Err(Error::Unsupported {
            path: folder.join("config.json"),
            key: "module_output_name",
            found: "another than module_input_name".to_owned(),
            expected: "the same".to_owned(),
        }),
        _ => Ok(input),
    }
}

fn yes() -> bool {
    true
}

fn tanh() -> String {
    "torch.nn.modules.activation.Tanh".to_owned()
}
