//! A Hugging Face checkpoint folder: which files it holds, and their identity.

mod activation;
pub(crate) mod architecture;
mod belonging;
mod config;
pub(crate) mod families;
pub(crate) mod files;
mod honoured;
pub(crate) mod instead;
pub(crate) mod json;
pub(crate) mod random_weights;
pub(crate) mod sentence;
mod stored;
pub(crate) mod weights;

pub use activation::Activation;
pub use config::{Config, ConfigFile};
use instead::refuse_placeholder;
pub use sentence::{Modules, SENTENCE_FILES};

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::Error;
use crate::checkpoint::files::WeightFiles;
use crate::text::files::TokenizerFiles;

/// An opened checkpoint: its configuration is read and checked, its weights are not yet touched.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    /// The model's architecture.
    pub config: Config,
    folder: PathBuf,
    tokenizer: TokenizerFiles,
    weights: WeightSource,
    modules: Option<Modules>,
}

/// Where the weights come from.
#[derive(Debug, Clone)]
pub(crate) enum WeightSource {
    Files(WeightFiles),
    /// From a seed.
    Random(u32),
}

/// What a checkpoint is, as hexadecimal sha256 sums of its files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// The weights files, in the order of their names; none where the weights are random.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weights_sha256: Option<String>,
    /// The seed of random weights.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub random_weights: Option<u32>,
    /// `config.json`.
    pub config_sha256: String,
    /// The files that the tokenizer is made of, always in the same order.
    pub tokenizer_files: Vec<String>,
    /// What `sha256sum` says of those files, line by line.
    pub tokenizer_sha256: String,
    /// What a sentence-transformers folder holds beyond the encoder, where it is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modules_sha256: Option<String>,
}

impl Checkpoint {
    /// Opens the folder of a checkpoint: `config.json`, those of the [`TOKENIZER_FILES`](crate::TOKENIZER_FILES) that
    /// transformers would read, and `model.safetensors` or `pytorch_model.bin`, either of which may be in several
    /// files under its `.index.json`, which counts only where the one file is not there. Other files in the folder do
    /// not matter, but for an adapter.
    ///
    /// # Errors
    /// The folder or one of the files is missing or is something else, an adapter lies in it, or the
    /// configuration cannot be honoured.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        Self::with_weights(folder, |config| {
            let found = WeightFiles::find(folder, config.transformers_weights.as_deref());
            instead::refuse_adapter(folder, found.is_ok())?;
            Ok(WeightSource::Files(found?))
        })
    }

    /// Opens the folder of a checkpoint, but takes weights as they are before training, drawn from
    /// `seed`. Weights files are neither needed nor read.
    ///
    /// # Errors
    /// Those of [`Checkpoint::open`].
    pub fn with_random_weights(folder: &Path, seed: u32) -> Result<Self, Error> {
        Self::with_weights(folder, |_| Ok(WeightSource::Random(seed)))
    }

    fn with_weights(
        folder: &Path,
        weights: impl FnOnce(&Config) -> Result<WeightSource, Error>,
    ) -> Result<Self, Error> {
        instead::refuse_folder(folder)?;
        if !folder.join("config.json").exists() {
            instead::refuse_adapter(folder, false)?;
        }
        let config = Config::read(&existing(folder, "config.json")?)?;
        let tokenizer = TokenizerFiles::find(folder, config.model_type())?;
        let weights = weights(&config)?;
        let checkpoint = Self { config, folder: folder.to_owned(), tokenizer, weights, modules: None };
        checkpoint.files().iter().try_for_each(|file| refuse_placeholder(file))?;
        Ok(checkpoint)
    }

    /// The same checkpoint as the encoder of a sentence-transformers folder, whose files then decide
    /// about the vectors too.
    #[must_use]
    pub fn with_modules(self, modules: Modules) -> Self {
        Self { modules: Some(modules), ..self }
    }

    /// The folder it was opened from, that of its modules if it has some.
    pub fn folder(&self) -> &Path {
        self.modules.as_ref().map_or(&self.folder, Modules::folder)
    }

    /// The files that decide about the vectors.
    pub fn files(&self) -> Vec<PathBuf> {
        let config = std::iter::once(self.folder.join("config.json"));
        let weights = self.weight_files().iter().chain(self.module_files()).cloned();
        config.chain(self.tokenizer.paths()).chain(weights).collect()
    }

    /// Sums of the files that decide about the vectors, and the seed if there is one. Reads the weights once.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn fingerprint(&self) -> Result<Fingerprint, Error> {
        let (weights_sha256, random_weights) = match &self.weights {
            WeightSource::Files(files) => (Some(sha256(&files.paths)?), None),
            WeightSource::Random(seed) => (None, Some(*seed)),
        };
        Ok(Fingerprint {
            weights_sha256,
            random_weights,
            config_sha256: sha256(&[self.folder.join("config.json")])?,
            tokenizer_files: self.tokenizer.names().iter().map(|&name| name.to_owned()).collect(),
            tokenizer_sha256: sha256_of_each(&self.tokenizer)?,
            modules_sha256: match self.module_files() {
                [] => None,
                files => Some(sha256(files)?),
            },
        })
    }

    pub(crate) fn tokenizer(&self) -> &TokenizerFiles {
        &self.tokenizer
    }

    pub(crate) fn weights(&self) -> &WeightSource {
        &self.weights
    }

    fn weight_files(&self) -> &[PathBuf] {
        match &self.weights {
            WeightSource::Files(files) => &files.paths,
            WeightSource::Random(_) => &[],
        }
    }

    fn module_files(&self) -> &[PathBuf] {
        self.modules.as_ref().map_or(&[], Modules::files)
    }

    /// Whether what the folder holds beyond the encoder is part of its identity.
    pub fn has_modules(&self) -> bool {
        !self.module_files().is_empty()
    }

    /// What messages about the weights name: the file, or the folder of several.
    pub(crate) fn weights_name(&self) -> &Path {
        match self.weight_files() {
            [file] => file,
            _ => &self.folder,
        }
    }
}

fn existing(folder: &Path, expected: &'static str) -> Result<PathBuf, Error> {
    let path = folder.join(expected);
    if !path.is_file() {
        return Err(Error::MissingFile { folder: folder.to_owned(), expected });
    }
    refuse_placeholder(&path)?;
    Ok(path)
}

fn sha256(paths: &[PathBuf]) -> Result<String, Error> {
    let mut hasher = Sha256::new();
    for path in paths {
        let mut reader = io::BufReader::with_capacity(1 << 20, fs_err::File::open(path)?);
        io::copy(&mut reader, &mut HashWriter(&mut hasher))?;
    }
    Ok(hexadecimal(hasher))
}

/// A sum in which every file's name counts.
fn sha256_of_each(files: &TokenizerFiles) -> Result<String, Error> {
    let mut hasher = Sha256::new();
    for name in files.names() {
        hasher.update(format!("{}  {name}\n", sha256(&[files.path(name)])?));
    }
    Ok(hexadecimal(hasher))
}

fn hexadecimal(hasher: Sha256) -> String {
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
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
