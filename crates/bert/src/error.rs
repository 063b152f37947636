//! What can go wrong between a checkpoint and its vectors.

use std::io;
use std::path::PathBuf;

/// Every failure of this crate. The message says what was expected and what was found;
/// [`Error::hint`] says what to do about it, where there is something to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be read. The source names it.
    #[error("cannot read the model")]
    Io(#[from] io::Error),
    /// The checkpoint folder does not exist.
    #[error("no model folder {}", .0.display())]
    NoFolder(PathBuf),
    /// The checkpoint folder lacks a file.
    #[error("{} holds no {expected}", folder.display())]
    MissingFile {
        /// The checkpoint folder.
        folder: PathBuf,
        /// The file, or the choice of files, that was looked for.
        expected: &'static str,
    },
    /// A file of the checkpoint is malformed.
    #[error("{} is not valid: {reason}", path.display())]
    Invalid {
        /// The malformed file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Something else is where a checkpoint, or one of its files, should be, or not all of it.
    #[error("{} {problem}", path.display())]
    Unusable {
        /// The folder or file.
        path: PathBuf,
        /// What it is or does, as the end of a sentence.
        problem: String,
        /// What to do about it.
        advice: String,
    },
    /// The configuration asks for something this crate does not compute.
    #[error("{}: {key} is {found}, which is not supported; expected {expected}", path.display())]
    Unsupported {
        /// The `config.json`.
        path: PathBuf,
        /// The key of the configuration.
        key: &'static str,
        /// Its value there.
        found: String,
        /// The values that are supported.
        expected: String,
    },
    /// The weights lack a tensor that the configuration implies.
    #[error("{} has no tensor `{name}`, expected with shape {shape:?}", path.display())]
    MissingTensor {
        /// The weights file or folder.
        path: PathBuf,
        /// The tensor's name, without prefix.
        name: String,
        /// The shape the configuration implies.
        shape: Vec<usize>,
    },
    /// A tensor's shape or type contradicts the configuration.
    #[error("{}: tensor `{name}` is {found}, expected {expected}", path.display())]
    WrongTensor {
        /// The weights file or folder.
        path: PathBuf,
        /// The tensor's name in the file.
        name: String,
        /// What the file holds.
        found: String,
        /// What the configuration implies.
        expected: String,
    },
    /// The weights hold a tensor of the encoder that the configuration does not imply.
    #[error("{} holds the tensor `{name}`, which is more than its config.json says", path.display())]
    UnexpectedTensor {
        /// The weights file or folder.
        path: PathBuf,
        /// The tensor's name in the file.
        name: String,
    },
    /// A layer outside the model was asked for.
    #[error("layer {layer} is out of range: the model has {layers} encoder layers, so 0 to {layers} or -{} to -1", layers + 1)]
    LayerOutOfRange {
        /// The layer asked for.
        layer: i64,
        /// How many encoder layers the model has.
        layers: usize,
    },
    /// An option's text is none of its values.
    #[error("`{found}` is not a {what}; expected {expected}")]
    Option {
        /// What the option states.
        what: &'static str,
        /// The text given.
        found: String,
        /// The values it may have.
        expected: &'static str,
    },
    /// Options that do not go together, or not with this model.
    #[error("{0}")]
    Combination(String),
    /// A text cannot be encoded, or has a token that the model knows nothing of.
    #[error("text {index} cannot be encoded: {reason}")]
    Text {
        /// Its place among those that were given.
        index: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// The device asked for is not there.
    #[error("no device `{device}`: {reason}")]
    NoDevice {
        /// The device asked for.
        device: String,
        /// Why it cannot be used.
        reason: String,
    },
    /// The device has no memory left for a batch.
    #[error("the device is out of memory: {0}")]
    OutOfMemory(String),
    /// The backend failed inside a computation.
    #[error("the backend failed: {0}")]
    Backend(String),
}

/// The classes of failure that a caller may want to treat differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// An option has a value that cannot be used.
    Usage,
    /// The checkpoint is missing, malformed, or not supported.
    Model,
    /// The device lacks memory; a smaller batch or a later time may do.
    OutOfMemory,
    /// A text cannot be encoded.
    Text,
    /// Reading failed.
    Io,
    /// Something that must not happen.
    Bug,
}

impl Error {
    /// The class of this failure.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Io(_) => ErrorKind::Io,
            Self::NoFolder(_)
            | Self::MissingFile { .. }
            | Self::Invalid { .. }
            | Self::Unusable { .. }
            | Self::Unsupported { .. }
            | Self::MissingTensor { .. }
            | Self::WrongTensor { .. }
            | Self::UnexpectedTensor { .. }
            | Self::NoDevice { .. } => ErrorKind::Model,
            Self::LayerOutOfRange { .. } | Self::Option { .. } | Self::Combination(_) => ErrorKind::Usage,
            Self::OutOfMemory(_) => ErrorKind::OutOfMemory,
            Self::Text { .. } => ErrorKind::Text,
            Self::Backend(_) => ErrorKind::Bug,
        }
    }

    /// What the user can do, where there is something to do.
    pub fn hint(&self) -> Option<&str> {
        Some(match self {
            Self::Unusable { advice, .. } => advice,
            Self::NoFolder(_) => "name a folder that holds config.json, tokenizer.json and model.safetensors",
            Self::MissingFile { expected, .. } if expected.starts_with("tokenizer.json") => {
                "take all files of the model, or write them with transformers: AutoTokenizer.from_pretrained(ID).save_pretrained(DIR)"
            }
            Self::MissingFile { .. } => {
                "a Hugging Face checkpoint holds config.json, tokenizer.json and model.safetensors or pytorch_model.bin"
            }
            Self::MissingTensor { .. } => {
                "the weights and config.json do not belong together, or the download is incomplete"
            }
            Self::Unsupported { key: "tokenizer_class", .. } => {
                "take a model whose tokenizer_class is one of those in the README, or whose tokenizer.json is taken as it is"
            }
            Self::WrongTensor { .. } => {
                "the weights and config.json do not belong together: take both from one model"
            }
            Self::UnexpectedTensor { .. } => {
                "take both from one model: the encoder that config.json describes has no such tensor"
            }
            Self::Unsupported { key: "model_type", found, .. } if found.starts_with("not stated") => {
                "write it into config.json, such as \"model_type\": \"bert\", if you know what the model is"
            }
            Self::Invalid { .. } => {
                "fetch the file again, or write it again with transformers' save_pretrained"
            }
            Self::NoDevice { .. } => {
                "use cpu, or build against a libtorch with CUDA (make setup LIBTORCH=cuda)"
            }
            Self::OutOfMemory(_) => "lower --max-batch-tokens or --max-length",
            _ => return None,
        })
    }
}
