//! A Hugging Face checkpoint folder: which files it holds, and their identity.

use std::collections::BTreeMap;
use std::io;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{Config, Error};

/// An opened checkpoint: its configuration is read and checked, its weights are not yet touched.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    /// The model's architecture.
    pub config: Config,
    folder: PathBuf,
    weights: Vec<PathBuf>,
}

/// What a checkpoint is, as hexadecimal sha256 sums of its files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// The weights files, in the order of their names.
    pub weights_sha256: String,
    /// `config.json`.
    pub config_sha256: String,
    /// `tokenizer.json`.
    pub tokenizer_sha256: String,
}

#[derive(Deserialize)]
struct WeightIndex {
    weight_map: BTreeMap<String, String>,
}

impl Checkpoint {
    /// Opens the folder of a checkpoint: `config.json`, `tokenizer.json`, and `model.safetensors`,
    /// which may be in several files under `model.safetensors.index.json`.
    ///
    /// # Errors
    /// The folder or one of the files is missing, or the configuration cannot be honoured.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        if !folder.is_dir() {
            return Err(Error::NoFolder(folder.to_owned()));
        }
        let config = Config::read(&existing(folder, "config.json")?)?;
        existing(folder, "tokenizer.json")?;
        let weights = weight_files(folder)?;
        Ok(Self { config, folder: folder.to_owned(), weights })
    }

    /// The folder it was opened from.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The files that decide about the vectors.
    pub fn files(&self) -> Vec<PathBuf> {
        [self.folder.join("config.json"), self.tokenizer()].into_iter().chain(self.weights.clone()).collect()
    }

    /// Sums of the files that decide about the vectors. Reads the weights once.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn fingerprint(&self) -> Result<Fingerprint, Error> {
        Ok(Fingerprint {
            weights_sha256: sha256(&self.weights)?,
            config_sha256: sha256(&[self.folder.join("config.json")])?,
            tokenizer_sha256: sha256(&[self.tokenizer()])?,
        })
    }

    pub(crate) fn tokenizer(&self) -> PathBuf {
        self.folder.join("tokenizer.json")
    }

    pub(crate) fn weights(&self) -> &[PathBuf] {
        &self.weights
    }

    /// What messages about the weights name: the file, or the folder of several.
    pub(crate) fn weights_name(&self) -> &Path {
        match self.weights.as_slice() {
            [file] => file,
            _ => &self.folder,
        }
    }
}

fn existing(folder: &Path, expected: &'static str) -> Result<PathBuf, Error> {
    let path = folder.join(expected);
    if path.is_file() { Ok(path) } else { Err(Error::MissingFile { folder: folder.to_owned(), expected }) }
}

fn weight_files(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let index = folder.join("model.safetensors.index.json");
    if !index.is_file() {
        return Ok(vec![existing(folder, "model.safetensors")?]);
    }
    let invalid = |reason: String| Error::Invalid { path: index.clone(), reason };
    let parsed: WeightIndex =
        serde_json::from_str(&fs_err::read_to_string(&index)?).map_err(|e| invalid(e.to_string()))?;
    let mut names: Vec<&String> = parsed.weight_map.values().collect();
    names.sort_unstable();
    names.dedup();
    let inside = |name: &&String| {
        let mut parts = Path::new(name.as_str()).components();
        matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None))
    };
    if let Some(outside) = names.iter().find(|name| !inside(name)) {
        return Err(invalid(format!("`{outside}` is not the name of a file in the same folder")));
    }
    let missing = |path: &PathBuf| Err(invalid(format!("it names {}, which is not there", path.display())));
    let paths: Vec<PathBuf> = names.into_iter().map(|name| folder.join(name)).collect();
    paths.iter().find(|path| !path.is_file()).map_or(Ok(paths.clone()), missing)
}

fn sha256(paths: &[PathBuf]) -> Result<String, Error> {
    let mut hasher = Sha256::new();
    for path in paths {
        let mut reader = io::BufReader::with_capacity(1 << 20, fs_err::File::open(path)?);
        io::copy(&mut reader, &mut HashWriter(&mut hasher))?;
    }
    Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

struct HashWriter<'a>(&'a mut Sha256);

impl io::Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
