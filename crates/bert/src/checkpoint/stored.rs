//! Tensors in a file: names, shapes and types at once, values when they are asked for.

use std::borrow::Cow;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use half::{bf16, f16};
use memmap2::Mmap;
use pytorch_reader::{PickleValue, PytorchError, PytorchReader};
use safetensors::{Dtype, SafeTensors};

use crate::Error;

pub(crate) const SAFETENSORS: &str = "model.safetensors";
/// What `torch.save` writes: a pickle, of which only tensors are read and nothing is run.
pub(crate) const PICKLE: &str = "pytorch_model.bin";

/// A tensor in a file, not yet read.
pub(crate) struct StoredTensor {
    pub(crate) file: PathBuf,
    /// Its name there.
    pub(crate) name: String,
    pub(crate) shape: Vec<usize>,
    pub(crate) float: Result<Float, String>,
    bytes: Bytes,
}

/// The types of which weights are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Float {
    F64,
    F32,
    F16,
    BF16,
}

enum Bytes {
    /// Only the pages of tensors that are used are ever read.
    Mapped(Arc<Mmap>, Range<usize>),
    Pickled(pytorch_reader::Tensor),
}

impl StoredTensor {
    /// Its values as float32, whichever float type the file stores; the file's own where it can be.
    pub(crate) fn read(&self, float: Float) -> Result<Cow<'_, [f32]>, Error> {
        Ok(match &self.bytes {
            Bytes::Mapped(map, range) => match bytemuck::try_cast_slice(&map[range.clone()]) {
                Ok(values) if float == Float::F32 && cfg!(target_endian = "little") => values.into(),
                _ => widen(float, &map[range.clone()]).into(),
            },
            Bytes::Pickled(tensor) => {
                widen(float, &tensor.read().map_err(|error| self.unreadable(error))?).into()
            }
        })
    }

    /// A file that contradicts itself is damaged; anything else is the machine's failure.
    fn unreadable(&self, error: io::Error) -> Error {
        match error.kind() {
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => {
                Error::Invalid { path: self.file.clone(), reason: error.to_string() }
            }
            _ => Error::Io(error),
        }
    }
}

fn widen(float: Float, bytes: &[u8]) -> Vec<f32> {
    match float {
        Float::F64 => bytes.as_chunks().0.iter().map(|&b| f64::from_le_bytes(b) as f32).collect(),
        Float::F32 => bytes.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect(),
        Float::F16 => bytes.as_chunks().0.iter().map(|&b| f16::from_le_bytes(b).to_f32()).collect(),
        Float::BF16 => bytes.as_chunks().0.iter().map(|&b| bf16::from_le_bytes(b).to_f32()).collect(),
    }
}

pub(crate) fn safetensors_of(path: &Path) -> Result<Vec<StoredTensor>, Error> {
    let file = fs_err::File::open(path)?;
    // SAFETY: the map is read only. As with every mapped file, nobody may shrink it meanwhile.
    let map = Arc::new(unsafe { Mmap::map(file.file()) }?);
    let invalid = |error: safetensors::SafeTensorError| Error::Invalid {
        path: path.to_owned(),
        reason: error.to_string(),
    };
    let (header, metadata) = SafeTensors::read_metadata(&map).map_err(invalid)?;
    // The header's length stands before it, in eight bytes.
    let data = size_of::<u64>() + header;
    let tensor = |(name, info): (String, &safetensors::tensor::TensorInfo)| StoredTensor {
        file: path.to_owned(),
        name,
        shape: info.shape.clone(),
        float: match info.dtype {
            Dtype::F64 => Ok(Float::F64),
            Dtype::F32 => Ok(Float::F32),
            Dtype::F16 => Ok(Float::F16),
            Dtype::BF16 => Ok(Float::BF16),
            other => Err(format!("{other:?}")),
        },
        bytes: Bytes::Mapped(map.clone(), data + info.data_offsets.0..data + info.data_offsets.1),
    };
    Ok(metadata.tensors().into_iter().map(tensor).collect())
}

/// Keys under which programs that train keep a model's tensors, beside the optimizer and the like.
const WRAPPERS: [&str; 3] = ["state_dict", "model_state_dict", "model"];

/// The key under which all of a model's tensors are, if they are not the dictionary itself: there is one
/// such key with a dictionary of tensors, and beside the dictionaries no tensor but single numbers.
fn wrapper(path: &Path, reader: &PytorchReader) -> Option<&'static str> {
    let names = reader.keys();
    let begins = |key: &str| names.iter().any(|name| name.split('.').next() == Some(key));
    if !WRAPPERS.into_iter().any(begins) {
        return None;
    }
    let Ok(PickleValue::Dict(root)) = PytorchReader::read_pickle_data(path, None) else { return None };
    let holds = |key: &&str| begins(key) && matches!(root.get(*key), Some(PickleValue::Dict(_)));
    let is_weight = |name: &String| reader.get(name).is_some_and(|tensor| !tensor.shape().is_empty());
    let mut wrappers = WRAPPERS.into_iter().filter(holds);
    match (wrappers.next(), wrappers.next()) {
        (Some(key), None) if !names.iter().any(|name| root.contains_key(name) && is_weight(name)) => {
            Some(key)
        }
        _ => None,
    }
}

pub(crate) fn pickled_of(path: &Path) -> Result<Vec<StoredTensor>, Error> {
    let failed = |error| match error {
        PytorchError::Io(error)
            if !matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof) =>
        {
            Error::Io(error)
        }
        error => Error::Invalid { path: path.to_owned(), reason: error.to_string() },
    };
    let mut reader = PytorchReader::new(path).map_err(failed)?;
    if let Some(key) = wrapper(path, &reader) {
        reader = PytorchReader::with_top_level_key(path, key).map_err(failed)?;
    }
    let tensor = |(name, tensor): (String, pytorch_reader::Tensor)| StoredTensor {
        file: path.to_owned(),
        name,
        shape: tensor.shape().to_vec(),
        float: match tensor.dtype() {
            pytorch_reader::DType::F64 => Ok(Float::F64),
            pytorch_reader::DType::F32 => Ok(Float::F32),
            pytorch_reader::DType::F16 => Ok(Float::F16),
            pytorch_reader::DType::BF16 => Ok(Float::BF16),
            other => Err(format!("{other:?}")),
        },
        bytes: Bytes::Pickled(tensor),
    };
    Ok(reader.into_tensors().into_iter().map(tensor).collect())
}
