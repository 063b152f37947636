//! Which files hold a checkpoint's weights.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

use serde::Deserialize;

use crate::Error;
use crate::checkpoint::instead;
use crate::checkpoint::stored::{PICKLE, SAFETENSORS, StoredTensor, pickled_of, safetensors_of};

/// The weights files of a checkpoint.
#[derive(Debug, Clone)]
pub(crate) struct WeightFiles {
    pub(crate) paths: Vec<PathBuf>,
}

const EXPECTED: &str = "model.safetensors, nor pytorch_model.bin, nor the .index.json of either";

#[derive(Deserialize)]
struct WeightIndex {
    weight_map: BTreeMap<String, String>,
}

impl WeightFiles {
    /// Looks for the weights where transformers does, and in its order: `model.safetensors` before its
    /// index, both before `pytorch_model.bin`, and that before its own. Whatever else is there, such as an
    /// index of former days, does not matter. A file that the configuration states comes before all.
    pub(crate) fn find(folder: &Path, stated: Option<&str>) -> Result<Self, Error> {
        let places = stated.map_or_else(|| vec![SAFETENSORS, PICKLE], |stated| vec![stated]);
        for name in &places {
            let (file, index) = (folder.join(name), folder.join(format!("{name}.index.json")));
            if file.is_file() && is_index(name) {
                return Ok(Self { paths: indexed(folder, &file)? });
            }
            if file.is_file() {
                return Ok(Self { paths: vec![file] });
            }
            if index.is_file() && stated.is_none() {
                return Ok(Self { paths: indexed(folder, &index)? });
            }
        }
        if let Some(stated) = stated {
            let problem = format!("holds no {stated}, which its config.json names as transformers_weights");
            let advice = "fetch the file, or take transformers_weights out of config.json".to_owned();
            return Err(Error::Unusable { path: folder.to_owned(), problem, advice });
        }
        let missing = || Error::MissingFile { folder: folder.to_owned(), expected: EXPECTED };
        Err(instead::of_weights(folder).unwrap_or_else(missing))
    }

    /// Every tensor of every file, none of them read.
    pub(crate) fn tensors(&self) -> Result<Vec<StoredTensor>, Error> {
        let mut tensors = Vec::new();
        for path in &self.paths {
            let is_safetensors = path.extension() == Some(OsStr::new("safetensors"));
            tensors.extend(if is_safetensors { safetensors_of(path)? } else { pickled_of(path)? });
        }
        Ok(tensors)
    }
}

fn is_index(name: &str) -> bool {
    name.ends_with(".index.json")
}

fn indexed(folder: &Path, index: &Path) -> Result<Vec<PathBuf>, Error> {
    instead::refuse_placeholder(index)?;
    let invalid = |reason: String| Error::Invalid { path: index.to_owned(), reason };
    let parsed: WeightIndex =
        serde_json::from_str(&fs_err::read_to_string(index)?).map_err(|e| invalid(e.to_string()))?;
    let mut names: Vec<String> = parsed.weight_map.into_values().collect();
    names.sort_unstable();
    names.dedup();
    if names.is_empty() {
        return Err(invalid("its weight_map names no file".to_owned()));
    }
    if let Some(outside) = names.iter().find(|name| !is_in_folder(name)) {
        return Err(invalid(format!("`{outside}` is not the name of a file in the same folder")));
    }
    let missing: Vec<&str> =
        names.iter().map(String::as_str).filter(|name| !folder.join(name).is_file()).collect();
    if !missing.is_empty() {
        let problem = format!("names files that are not there: {}", missing.join(", "));
        let advice = "fetch them into the same folder".to_owned();
        return Err(Error::Unusable { path: index.to_owned(), problem, advice });
    }
    Ok(names.into_iter().map(|name| folder.join(name)).collect())
}

/// Whether this is the name of a file in the same folder, and of nothing elsewhere.
pub(crate) fn is_in_folder(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None))
}
