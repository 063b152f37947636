//! Which files make a model.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use crate::failure::Refusal;

pub const CONFIG: &str = "config.json";
pub const TOKENIZER: &str = "tokenizer.json";

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
pub fn shards(index: &Path) -> anyhow::Result<Vec<String>> {
    let invalid =
        |reason: String| Refusal::configuration(format!("{} is not valid: {reason}", index.display()));
    let Index { weight_map } =
        serde_json::from_slice(&fs_err::read(index)?).map_err(|error| invalid(error.to_string()))?;
    let mut names: Vec<String> = weight_map.into_values().collect();
    names.sort_unstable();
    names.dedup();
    match names.iter().find(|name| !is_plain(name)) {
        Some(name) => Err(invalid(format!("`{name}` is not the name of a file in the same folder")).into()),
        None => Ok(names),
    }
}

/// The first file that the folder of a model lacks, with any of `weights`.
///
/// # Errors
/// An index of weights cannot be used.
pub fn missing(folder: &Path, weights: &[Weights]) -> anyhow::Result<Option<String>> {
    let lacks = |file: &&str| !folder.join(file).is_file();
    if let Some(file) = [CONFIG, TOKENIZER].iter().find(|file| lacks(file)) {
        return Ok(Some((*file).to_owned()));
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
