//! Weights files: names and shapes checked before a byte of a tensor is read.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor, TensorData};
use half::{bf16, f16};
use memmap2::Mmap;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use crate::Error;

/// Weights files mapped into memory; only the pages of tensors that are used are ever read.
pub(crate) struct WeightFiles(Vec<(PathBuf, Mmap)>);

impl WeightFiles {
    pub(crate) fn map(paths: &[PathBuf]) -> Result<Self, Error> {
        let map = |path: &PathBuf| {
            let file = fs_err::File::open(path)?;
            // SAFETY: the map is read only. As with every mapped file, nobody may shrink it meanwhile.
            let map = unsafe { Mmap::map(file.file()) }?;
            Ok((path.clone(), map))
        };
        paths.iter().map(map).collect::<Result<_, Error>>().map(Self)
    }
}

/// Tensors under the names of `BertModel`, whatever generation of names the files use.
pub(crate) struct Weights<'data> {
    path: PathBuf,
    tensors: BTreeMap<String, (String, TensorView<'data>)>,
}

impl<'data> Weights<'data> {
    /// Reads the headers of `files`; `path` names them all in messages.
    pub(crate) fn read(files: &'data WeightFiles, path: &Path) -> Result<Self, Error> {
        let mut tensors = BTreeMap::new();
        for (file, map) in &files.0 {
            let parsed = SafeTensors::deserialize(map)
                .map_err(|error| Error::Invalid { path: file.clone(), reason: error.to_string() })?;
            for (name, view) in parsed.tensors() {
                let canonical = canonical_name(&name);
                if let Some((other, _)) = tensors.insert(canonical, (name.clone(), view)) {
                    let reason = format!("`{other}` and `{name}` name the same tensor");
                    return Err(Error::Invalid { path: file.clone(), reason });
                }
            }
        }
        Ok(Self { path: path.to_owned(), tensors })
    }

    /// Checks that every expected tensor is there with its shape, and nothing else but `optional`
    /// ones and the few that every checkpoint may carry beside the encoder.
    pub(crate) fn check(&self, expected: &Shapes, optional: &Shapes) -> Result<(), Error> {
        if let Some((name, shape)) = expected.iter().find(|(name, _)| !self.tensors.contains_key(*name)) {
            return Err(self.missing(name, shape));
        }
        for (name, (found_name, view)) in &self.tensors {
            let shape = expected.get(name).or_else(|| optional.get(name));
            match shape {
                None if is_beside_the_encoder(name) => {}
                None => {
                    return Err(Error::UnexpectedTensor {
                        path: self.path.clone(),
                        name: found_name.clone(),
                    });
                }
                Some(shape) if shape != view.shape() => {
                    return Err(self.wrong(
                        found_name,
                        format!("of shape {:?}", view.shape()),
                        format!("{shape:?}"),
                    ));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// A tensor as float32 on `device`, whichever float type the file stores.
    pub(crate) fn load<const D: usize>(&self, name: &str, device: &Device) -> Result<Tensor<D>, Error> {
        let Some((found_name, view)) = self.tensors.get(name) else {
            return Err(self.missing(name, &[]));
        };
        let bytes = view.data();
        let values: Vec<f32> = match view.dtype() {
            Dtype::F32 => bytes.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect(),
            Dtype::F16 => bytes.as_chunks().0.iter().map(|&b| f16::from_le_bytes(b).to_f32()).collect(),
            Dtype::BF16 => bytes.as_chunks().0.iter().map(|&b| bf16::from_le_bytes(b).to_f32()).collect(),
            other => {
                return Err(self.wrong(
                    found_name,
                    format!("of type {other:?}"),
                    "F32, F16 or BF16".to_owned(),
                ));
            }
        };
        Ok(Tensor::from_data(TensorData::new(values, view.shape().to_vec()), device))
    }

    fn missing(&self, name: &str, shape: &[usize]) -> Error {
        Error::MissingTensor { path: self.path.clone(), name: name.to_owned(), shape: shape.to_vec() }
    }

    fn wrong(&self, name: &str, found: String, expected: String) -> Error {
        Error::WrongTensor { path: self.path.clone(), name: name.to_owned(), found, expected }
    }
}

/// Names of tensors and the shapes a configuration implies for them.
pub(crate) type Shapes = BTreeMap<String, Vec<usize>>;

/// Both generations of names, on the one that `BertModel` uses today.
///
/// | in the file | here |
/// |---|---|
/// | `bert.encoder.layer.0.…` | `encoder.layer.0.…` |
/// | `….LayerNorm.gamma` | `….LayerNorm.weight` |
/// | `….LayerNorm.beta` | `….LayerNorm.bias` |
fn canonical_name(name: &str) -> String {
    let name = name.strip_prefix("bert.").unwrap_or(name);
    if let Some(stem) = name.strip_suffix(".gamma") {
        format!("{stem}.weight")
    } else if let Some(stem) = name.strip_suffix(".beta") {
        format!("{stem}.bias")
    } else {
        name.to_owned()
    }
}

/// Task heads and a stored constant: they hold nothing that a hidden state depends on.
fn is_beside_the_encoder(name: &str) -> bool {
    name == "embeddings.position_ids"
        || ["cls.", "classifier.", "qa_outputs."].iter().any(|head| name.starts_with(head))
}

#[cfg(test)]
mod tests {
    use super::canonical_name;

    #[test]
    fn both_generations_of_names_meet() {
        for (old, new) in [
            ("bert.embeddings.LayerNorm.gamma", "embeddings.LayerNorm.weight"),
            ("bert.embeddings.LayerNorm.beta", "embeddings.LayerNorm.bias"),
            ("bert.pooler.dense.weight", "pooler.dense.weight"),
            ("encoder.layer.11.output.dense.bias", "encoder.layer.11.output.dense.bias"),
        ] {
            assert_eq!(canonical_name(old), new);
        }
    }
}
