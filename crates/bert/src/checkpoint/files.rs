//! Which files hold a checkpoint's weights, and what they say they hold.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use half::{bf16, f16};
use memmap2::Mmap;
use pytorch_reader::{PytorchError, PytorchReader};
use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;

use crate::Error;

/// The weights files of a checkpoint.
#[derive(Debug, Clone)]
pub(crate) struct WeightFiles {
    pub(crate) format: Format,
    pub(crate) paths: Vec<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Safetensors,
    /// What `torch.save` writes: a pickle, of which only tensors are read and nothing is run.
    Pickle,
}

/// In the order in which they are looked for.
const FILES: [(Format, &str); 2] =
    [(Format::Safetensors, "model.safetensors"), (Format::Pickle, "pytorch_model.bin")];
const EXPECTED: &str = "model.safetensors, nor pytorch_model.bin, nor the .index.json of either";

#[derive(Deserialize)]
struct WeightIndex {
    weight_map: BTreeMap<String, String>,
}

impl WeightFiles {
    /// Looks for the weights in a checkpoint's folder: in one file, or in several with an index.
    pub(crate) fn find(folder: &Path) -> Result<Self, Error> {
        for (format, name) in FILES {
            let index = folder.join(format!("{name}.index.json"));
            if index.is_file() {
                return Ok(Self { format, paths: indexed(folder, &index)? });
            }
            let file = folder.join(name);
            if file.is_file() {
                return Ok(Self { format, paths: vec![file] });
            }
        }
        Err(Error::MissingFile { folder: folder.to_owned(), expected: EXPECTED })
    }

    /// Every tensor of every file, none of them read.
    pub(crate) fn tensors(&self) -> Result<Vec<StoredTensor>, Error> {
        let mut tensors = Vec::new();
        for path in &self.paths {
            match self.format {
                Format::Safetensors => tensors.extend(safetensors_of(path)?),
                Format::Pickle => tensors.extend(pickled_of(path)?),
            }
        }
        Ok(tensors)
    }
}

fn indexed(folder: &Path, index: &Path) -> Result<Vec<PathBuf>, Error> {
    let invalid = |reason: String| Error::Invalid { path: index.to_owned(), reason };
    let parsed: WeightIndex =
        serde_json::from_str(&fs_err::read_to_string(index)?).map_err(|e| invalid(e.to_string()))?;
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
        Float::F32 => bytes.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect(),
        Float::F16 => bytes.as_chunks().0.iter().map(|&b| f16::from_le_bytes(b).to_f32()).collect(),
        Float::BF16 => bytes.as_chunks().0.iter().map(|&b| bf16::from_le_bytes(b).to_f32()).collect(),
    }
}

fn safetensors_of(path: &Path) -> Result<Vec<StoredTensor>, Error> {
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
            Dtype::F32 => Ok(Float::F32),
            Dtype::F16 => Ok(Float::F16),
            Dtype::BF16 => Ok(Float::BF16),
            other => Err(format!("{other:?}")),
        },
        bytes: Bytes::Mapped(map.clone(), data + info.data_offsets.0..data + info.data_offsets.1),
    };
    Ok(metadata.tensors().into_iter().map(tensor).collect())
}

fn pickled_of(path: &Path) -> Result<Vec<StoredTensor>, Error> {
    let reader = PytorchReader::new(path).map_err(|error| match error {
        PytorchError::Io(error)
            if !matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof) =>
        {
            Error::Io(error)
        }
        error => Error::Invalid { path: path.to_owned(), reason: error.to_string() },
    })?;
    let tensor = |(name, tensor): (String, pytorch_reader::Tensor)| StoredTensor {
        file: path.to_owned(),
        name,
        shape: tensor.shape().to_vec(),
        float: match tensor.dtype() {
            pytorch_reader::DType::F32 => Ok(Float::F32),
            pytorch_reader::DType::F16 => Ok(Float::F16),
            pytorch_reader::DType::BF16 => Ok(Float::BF16),
            other => Err(format!("{other:?}")),
        },
        bytes: Bytes::Pickled(tensor),
    };
    Ok(reader.into_tensors().into_iter().map(tensor).collect())
}
