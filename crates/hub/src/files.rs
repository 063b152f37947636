//! Which files make a model.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use crate::Error;

pub const CONFIG: &str = "config.json";
/// What sentence-transformers puts on top of a model.
pub const MODULES: &str = "modules.json";
/// What peft puts beside the weights of an adapter.
pub const ADAPTER: &str = "adapter_config.json";
/// Files that make a tokenizer, any row of them.
const TOKENIZERS: [&[&str]; 7] = [
    &["tokenizer.json"],
    &["tokenizer.model"],
    &["vocab.txt"],
    &["vocab.json", "merges.txt"],
    &["sentencepiece.bpe.model"],
    &["spiece.model"],
    &["spm.model"],
];
/// Weights in one file, or in several that an index names.
pub struct Weights {
    pub file: &'static str,
    pub index: &'static str,
}

pub const SAFETENSORS: Weights = Weights { file: "model.safetensors", index: "model.safetensors.index.json" };
pub const PYTORCH: Weights = Weights { file: "pytorch_model.bin", index: "pytorch_model.bin.index.json" };
/// The weights a model may have, the best first.
pub const WEIGHTS: [Weights; 2] = [SAFETENSORS, PYTORCH];

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

/// The files that an index names, sorted.
///
/// # Errors
/// It cannot be read, or names what is not a file beside it.
pub fn shards(index: &Path) -> Result<Vec<String>, Error> {
    let invalid =
        |reason: String| Error::configuration(format!("{} is not valid: {reason}", index.display()));
    let Index { weight_map } =
        serde_json::from_slice(&fs_err::read(index)?).map_err(|error| invalid(error.to_string()))?;
    let mut names: Vec<String> = weight_map.into_values().collect();
    names.sort_unstable();
    names.dedup();
    match names.iter().find(|name| !is_plain(name)) {
        Some(name) => Err(invalid(format!("`{name}` is not the name of a file in the same folder"))),
        None => Ok(names),
    }
}

#[derive(Deserialize)]
struct Module {
    path: String,
    #[serde(rename = "type")]
    kind: String,
}

/// The files of the modules that a `modules.json` names, but for those of the model itself, which are in no
/// folder. Where the first of a row is there, the others are not read.
///
/// # Errors
/// It cannot be read, or names what is not a folder beside it.
pub fn modules(path: &Path) -> Result<Vec<Vec<String>>, Error> {
    let invalid = |reason: String| Error::configuration(format!("{} is not valid: {reason}", path.display()));
    let modules: Vec<Module> =
        serde_json::from_slice(&fs_err::read(path)?).map_err(|error| invalid(error.to_string()))?;
    let mut files = Vec::new();
    for Module { path, kind } in modules.into_iter().filter(|module| !module.path.is_empty()) {
        if !path.split('/').all(is_plain) {
            return Err(invalid(format!("`{path}` is not the name of a folder beside it")));
        }
        let inside = |file: &str| format!("{path}/{file}");
        files.push(vec![inside(CONFIG)]);
        if !["Pooling", "Normalize"].iter().any(|simple| kind.ends_with(simple)) {
            files.push(WEIGHTS.iter().map(|weights| inside(weights.file)).collect());
        }
    }
    Ok(files)
}

/// Whether files of which `has` holds make a tokenizer.
pub fn make_a_tokenizer(has: impl Fn(&str) -> bool) -> bool {
    TOKENIZERS.iter().any(|files| files.iter().all(|file| has(file)))
}

/// What a model is said to lack that has no tokenizer.
pub const NO_TOKENIZER: &str = "tokenizer.json, nor a vocabulary";

/// The first file that the folder of a model lacks, with any of `weights`.
///
/// # Errors
/// An index of weights cannot be used.
pub fn missing(folder: &Path, weights: &[Weights]) -> Result<Option<String>, Error> {
    let lacks = |file: &&str| !folder.join(file).is_file();
    if lacks(&CONFIG) {
        return Ok(Some(CONFIG.to_owned()));
    }
    if !make_a_tokenizer(|file| !lacks(&file)) {
        return Ok(Some(NO_TOKENIZER.to_owned()));
    }
    for Weights { file, index } in weights {
        if !lacks(file) {
            return Ok(None);
        }
        if !lacks(index) {
            return Ok(shards(&folder.join(index))?.into_iter().find(|shard| lacks(&shard.as_str())));
        }
    }
    Ok(Some(SAFETENSORS.file.to_owned()))
}

/// Whether a name means the same in a path and in an address, and nothing but a file of its folder.
pub fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with('.')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}
