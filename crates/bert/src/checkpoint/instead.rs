//! What stands where a checkpoint, or one of its files, should: told by its name, with what to do.

use std::ffi::OsStr;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::Error;
use crate::checkpoint::stored::{PICKLE, SAFETENSORS};

const ADAPTER: &str = "adapter_config.json";
/// What Git leaves in the place of a large file, until its bytes are fetched.
const POINTERS: [&[u8]; 2] = [b"version https://git-lfs", b"version https://hawser"];
const WEB_PAGES: [&[u8]; 4] = [b"<!doctype", b"<html", b"<head", b"<?xml"];
/// What is looked at of a file.
const BEGINNING: u64 = 256;
/// No weights are smaller.
const SMALLEST_WEIGHTS: u64 = 4096;

/// Refuses what is no folder of a checkpoint, but known for what it is.
pub(crate) fn refuse_folder(folder: &Path) -> Result<(), Error> {
    if folder.is_file() {
        let parent = folder.parent().filter(|parent| *parent != "").unwrap_or(Path::new("."));
        return Err(unusable(folder, "is a file, expected a model's folder", name(parent)));
    }
    if !folder.is_dir() {
        return Err(Error::NoFolder(folder.to_owned()));
    }
    if folder.join("config.json").is_file() || folder.join(ADAPTER).is_file() {
        return Ok(());
    }
    if let Some(snapshots) = snapshots(folder) {
        let problem = "is a model's place in a cache, not the model itself";
        return Err(unusable(folder, problem, one_of(snapshots, "its snapshot", "one of its snapshots")));
    }
    if folder.join("bert_config.json").is_file() {
        let problem = "holds no config.json, but a bert_config.json";
        return Err(unusable(
            folder,
            problem,
            "name that file config.json, with model_type in it".to_owned(),
        ));
    }
    match models_inside(folder).as_slice() {
        [] => Ok(()),
        [model] => {
            let problem = format!("holds a model in its folder {}", file_name(model));
            Err(unusable(folder, problem, name(model)))
        }
        models => {
            let names: Vec<String> = models.iter().map(|model| file_name(model)).collect();
            let problem = format!("holds several models, in its folders {}", names.join(", "));
            Err(unusable(folder, problem, "name one of them".to_owned()))
        }
    }
}

/// Refuses a folder with an adapter, which transformers would apply to the model.
pub(crate) fn refuse_adapter(folder: &Path, has_weights: bool) -> Result<(), Error> {
    let path = folder.join(ADAPTER);
    if !path.is_file() {
        return Ok(());
    }
    refuse_placeholder(&path)?;
    let json = fs_err::read_to_string(&path).ok().and_then(|text| super::json::object(&text).ok());
    let base = json.as_ref().and_then(|json| json.get("base_model_name_or_path")?.as_str());
    let merge = "merge it into its model with peft: AutoPeftModelForFeatureExtraction.from_pretrained(DIR)\
                 .merge_and_unload().save_pretrained(OTHER)";
    if has_weights {
        let problem = format!(
            "holds an adapter beside the model ({ADAPTER}), which transformers applies where peft is installed"
        );
        let advice = format!("{merge}; or move {ADAPTER} away to use the model without it");
        return Err(unusable(folder, problem, advice));
    }
    let of = base.map_or_else(|| "a model".to_owned(), |base| format!("the model `{base}`"));
    Err(unusable(folder, format!("holds an adapter to {of}, not a model"), merge.to_owned()))
}

/// Refuses a file that stands for another: what Git, a server or a broken download left in its place.
pub(crate) fn refuse_placeholder(path: &Path) -> Result<(), Error> {
    let file = fs_err::File::open(path)?;
    let (size, mut beginning) = (file.metadata()?.len(), Vec::new());
    file.take(BEGINNING).read_to_end(&mut beginning)?;
    let text = beginning.trim_ascii_start().to_ascii_lowercase();
    let begins = |marks: &[&[u8]]| marks.iter().any(|mark| text.starts_with(mark));
    let again = "fetch the file again".to_owned();
    if beginning.is_empty() {
        return Err(unusable(path, "is empty", again));
    }
    if begins(&POINTERS) {
        let advice = "fetch what it points to: run `git lfs install` and `git lfs pull` in that folder";
        return Err(unusable(path, "is a Git LFS pointer, not the file itself", advice.to_owned()));
    }
    if begins(&WEB_PAGES) {
        return Err(unusable(path, "is a web page, not the file itself", again));
    }
    let weights = [OsStr::new("safetensors"), OsStr::new("bin")];
    if path.extension().is_none_or(|extension| !weights.contains(&extension)) {
        return Ok(());
    }
    let is_text = |text: &str| !text.chars().any(|char| char.is_control() && !char.is_whitespace());
    if size < SMALLEST_WEIGHTS && std::str::from_utf8(&beginning).is_ok_and(is_text) {
        let line: String = String::from_utf8_lossy(&beginning).lines().next().unwrap_or_default().into();
        return Err(unusable(path, format!("is a text, not weights: {line}"), again));
    }
    refuse_other_format(path, &beginning)
}

/// Refuses weights under the name of the other format.
fn refuse_other_format(path: &Path, beginning: &[u8]) -> Result<(), Error> {
    let is_safetensors = path.extension() == Some(OsStr::new("safetensors"));
    let (problem, rename) = match beginning {
        [b'P', b'K', 3, 4, ..] | [0x80, _, 0x8a, ..] if is_safetensors => {
            ("is what torch.save writes, not safetensors", PICKLE)
        }
        [_, _, _, _, 0, 0, 0, 0, b'{', ..] if !is_safetensors => {
            ("is safetensors, not a pickle", SAFETENSORS)
        }
        [b'G', b'G', b'U', b'F', ..] => {
            return Err(unusable(path, "is GGUF", "name the model that it was made from".to_owned()));
        }
        _ => return Ok(()),
    };
    Err(unusable(path, problem, format!("name the file {rename}, or write it with save_pretrained")))
}

/// What a folder without weights has instead of them.
pub(crate) fn of_weights(folder: &Path) -> Option<Error> {
    for name in [SAFETENSORS, PICKLE] {
        let path = folder.join(name);
        if let (Ok(target), false) = (fs_err::read_link(&path), path.exists()) {
            let problem = format!("is a link to {}, which is not there", target.display());
            return Some(unusable(&path, problem, "copy the files themselves: cp -rL".to_owned()));
        }
    }
    let mut names: Vec<String> = [folder.to_owned(), folder.join("onnx")]
        .iter()
        .flat_map(|folder| fs_err::read_dir(folder).into_iter().flatten().flatten())
        .filter(|entry| entry.path().is_file())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| other_format(name).is_some())
        .collect();
    names.sort_by_key(|name| (other_format(name).map(|(rank, _)| rank), name.clone()));
    let (_, advice) = other_format(names.first()?)?;
    let problem = format!("holds weights only as {}, expected {SAFETENSORS} or {PICKLE}", names.join(", "));
    Some(unusable(folder, problem, advice.to_owned()))
}

/// Whether a file of this name holds weights in a form that is not read: how near it is, and what to do.
fn other_format(name: &str) -> Option<(usize, &'static str)> {
    const NOT_THE_MODEL: [&str; 7] =
        ["training_args", "optimizer", "scheduler", "rng_state", "adapter_", "sentencepiece", "scaler"];
    if NOT_THE_MODEL.iter().any(|other| name.starts_with(other)) {
        return None;
    }
    let parts: Vec<&str> = name.split('.').collect();
    Some(match parts.as_slice() {
        [_, .., "safetensors" | "bin"] if name.contains("-of-") => {
            (0, "fetch the .index.json too, which says which files make the model")
        }
        ["model", _, "safetensors"] | ["pytorch_model", _, "bin"] => {
            (1, "a variant is read where it has the plain name: rename the file, or fetch the plain one")
        }
        [_, .., "safetensors" | "bin" | "pt" | "pth" | "ckpt"] => {
            (2, "write the model into a folder with transformers' save_pretrained")
        }
        [_, .., "h5" | "msgpack"] | [.., "ckpt", "index" | "meta"] => (
            3,
            "convert it with transformers 4: AutoModel.from_pretrained(DIR, from_tf=True) or from_flax=True, then .save_pretrained(OTHER)",
        ),
        [_, .., "onnx" | "gguf" | "ot" | "mlmodel" | "tflite"] | ["openvino_model", ..] => {
            (4, "name the model that it was made from")
        }
        _ => return None,
    })
}

/// The snapshots of a model in a cache, the one that `main` stands at alone where it is known.
fn snapshots(folder: &Path) -> Option<Vec<PathBuf>> {
    let snapshots = folder.join("snapshots");
    let main = fs_err::read_to_string(folder.join("refs/main")).ok();
    let main = main.map(|commit| snapshots.join(commit.trim())).filter(|snapshot| snapshot.is_dir());
    let found = main.map_or_else(|| folders(&snapshots), |main| vec![main]);
    (!found.is_empty()).then_some(found)
}

/// The folders inside that hold a model.
fn models_inside(folder: &Path) -> Vec<PathBuf> {
    let states = |folder: &Path| {
        let text = fs_err::read_to_string(folder.join("config.json")).ok()?;
        super::json::object(&text).ok()
    };
    let is_model =
        |json: &Map<String, Value>| ["model_type", "vocab_size"].iter().any(|key| json.contains_key(*key));
    folders(folder).into_iter().filter(|inside| states(inside).is_some_and(|json| is_model(&json))).collect()
}

fn folders(folder: &Path) -> Vec<PathBuf> {
    let entries = fs_err::read_dir(folder).into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    folders.sort_unstable();
    folders
}

fn one_of(paths: Vec<PathBuf>, the_one: &str, any: &str) -> String {
    let which = if paths.len() == 1 { the_one } else { any };
    let paths: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    format!("name {which}: {}", paths.join(", "))
}

fn name(path: &Path) -> String {
    format!("name {}", path.display())
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn unusable(path: &Path, problem: impl Into<String>, advice: String) -> Error {
    Error::Unusable { path: path.to_owned(), problem: problem.into(), advice }
}
