//! The model of a job, held against what is asked of it; and what is made of it without any file of data.

use std::path::PathBuf;
use std::time::Instant;

use strata_bert::{Checkpoint, Compute, DeviceKind, Encoder, Extractor, Features, TextTokenizer};
use strata_io::{fetch_folder, is_address};

use super::sentence;
use super::settings::{Settings, cores};
use crate::Error;
use crate::table::featurizer::TableFeaturizer;

/// A model that can do what settings ask of it.
pub struct Model {
    /// Its folder.
    pub folder: PathBuf,
    pub checkpoint: Checkpoint,
    pub features: Features,
    pub tokenizer: TextTokenizer,
    /// What the user might not expect of the folder or the device.
    pub remarks: Vec<String>,
}

/// Holds a checkpoint and features against a device and a type, as [`Extractor::check`] does.
pub type Check =
    fn(&Checkpoint, &Features, DeviceKind, Compute) -> Result<Option<&'static str>, strata_bert::Error>;

impl Model {
    /// Finds and opens the model of `settings`, and puts what its folder says of texts into them.
    ///
    /// # Errors
    /// It is not there, or cannot do what is asked.
    pub fn open(settings: &mut Settings, check: Check) -> Result<Self, Error> {
        let (folder, checkpoint, mut remarks) = encoder(settings)?;
        let tokenizer = TextTokenizer::load(&checkpoint, &settings.tokenizer)?;
        remarks.extend(sentence::cut_earlier(settings, &folder, &checkpoint, tokenizer.max_length()));
        if let Some(sentence) = &mut settings.features.sentence {
            sentence.prefix_tokens = tokenizer.prefix_tokens();
        }
        let features = Features::resolve(&settings.features, &checkpoint.config)?;
        let of_device = check(&checkpoint, &features, settings.device, settings.compute)?;
        remarks.extend(of_device.map(str::to_owned));
        Ok(Self { folder, checkpoint, features, tokenizer, remarks })
    }
}

/// Whether libtorch has a part in what settings ask for, if there is one. Not of a model that cannot be opened: what is
/// wrong is told by whoever is to compute.
pub fn uses_libtorch(mut settings: Settings) -> bool {
    if settings.device != DeviceKind::Cpu {
        return matches!(settings.device, DeviceKind::Cuda(_));
    }
    let mut asked = || -> Result<bool, Error> {
        let (_, checkpoint, _) = encoder(&mut settings)?;
        let features = Features::resolve(&settings.features, &checkpoint.config)?;
        Ok(settings.device.uses_libtorch(&checkpoint.config, &features))
    };
    asked().unwrap_or(false)
}

/// The folder of the model of `settings` and what is in it, of which the settings then know what it says of texts;
/// and what the user might not expect of that.
fn encoder(settings: &mut Settings) -> Result<(PathBuf, Checkpoint, Vec<String>), Error> {
    if is_address(&settings.model) {
        settings.model = fetched(settings)?;
    }
    let folder = strata_hub::locate(&settings.model)?;
    let (checkpoint, remarks) = sentence::open(settings, &folder)?;
    Ok((folder, checkpoint, remarks))
}

/// The folder on this machine of a model that lies in a store.
fn fetched(settings: &Settings) -> Result<PathBuf, Error> {
    // What other programs compute with, and what a repository says of itself.
    const FOLDERS: [&str; 4] = ["onnx/", "openvino/", "coreml/", "."];
    const ENDINGS: [&str; 7] = [".h5", ".msgpack", ".ot", ".onnx", ".tflite", ".gguf", ".md"];
    let is_needed = |name: &str| {
        !name.is_empty()
            && !FOLDERS.iter().any(|folder| name.starts_with(folder))
            && !ENDINGS.iter().any(|ending| name.ends_with(ending))
    };
    let cache = strata_hub::home()?.join("strata");
    Ok(fetch_folder(&settings.stores, &settings.model, &cache, is_needed)?)
}

impl TableFeaturizer {
    /// Loads the model of `settings`, of which inputs and output do not count. Also what one might not expect of
    /// the model's folder or the device.
    ///
    /// # Errors
    /// The model is not there, cannot do what is asked, or not be loaded.
    pub fn load(mut settings: Settings) -> Result<(Self, Vec<String>), Error> {
        let Model { checkpoint, features, tokenizer, mut remarks, .. } =
            Model::open(&mut settings, Extractor::check)?;
        remarks.extend_from_slice(tokenizer.notes());
        let extractor = load(&checkpoint, &features, &settings)?;
        let encoder = Encoder::new(tokenizer, extractor, max_batch_tokens(&settings));
        Ok((Self::new(encoder, settings.wanted()), remarks))
    }
}

/// Loads the layers of a model that the features need.
///
/// # Errors
/// The weights cannot be read, or the device not be used.
pub fn load(checkpoint: &Checkpoint, features: &Features, settings: &Settings) -> Result<Extractor, Error> {
    let start = Instant::now();
    let Settings { device, compute, threads, .. } = *settings;
    let extractor = Extractor::load(checkpoint, features.clone(), device, compute, threads)?;
    tracing::debug!("the model was loaded in {:.1} seconds", start.elapsed().as_secs_f64());
    Ok(extractor)
}

/// The most tokens of a forward pass, unless a single text has more.
pub fn max_batch_tokens(settings: &Settings) -> usize {
    let Settings { max_batch_tokens, device, threads, .. } = *settings;
    max_batch_tokens.unwrap_or_else(|| device.batch_tokens(threads.unwrap_or_else(cores)))
}
