//! A model's weights: names and shapes checked before a byte of a tensor is read.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn::tensor::{Device, Tensor, TensorData};

use crate::Error;
use crate::checkpoint::families::Family;
use crate::checkpoint::files::WeightFiles;
use crate::checkpoint::random_weights::RandomWeights;
use crate::checkpoint::stored::StoredTensor;

/// Tensors under the names of our modules, whatever family and generation of names they have.
pub(crate) struct Weights {
    path: PathBuf,
    family: &'static Family,
    tensors: BTreeMap<String, TensorSource>,
}

enum TensorSource {
    /// A tensor of the file, or one of those that it holds one after the other, of this shape.
    Stored {
        tensor: Arc<StoredTensor>,
        part: usize,
        shape: Vec<usize>,
    },
    Random(RandomWeights, Vec<usize>),
}

impl Weights {
    /// Reads what `files` say they hold; `path` names them all in messages.
    pub(crate) fn open(files: &WeightFiles, family: &'static Family, path: &Path) -> Result<Self, Error> {
        let mut tensors = BTreeMap::new();
        for stored in files.tensors()? {
            let tensor = Arc::new(stored);
            let names = family.canonical_names(&tensor.name);
            for (part, name) in names.iter().enumerate() {
                let shape = shape_of_part(&tensor.shape, names.len());
                let source = TensorSource::Stored { tensor: Arc::clone(&tensor), part, shape };
                if let Some(TensorSource::Stored { tensor: other, .. }) = tensors.insert(name.clone(), source)
                {
                    let reason = format!("`{}` and `{}` name the same tensor", other.name, tensor.name);
                    return Err(Error::Invalid { path: tensor.file.clone(), reason });
                }
            }
        }
        Ok(Self { path: path.to_owned(), family, tensors })
    }

    /// Tensors of these shapes that no training has touched.
    pub(crate) fn random(random: RandomWeights, family: &'static Family, shapes: &[&Shapes]) -> Self {
        let shapes = shapes.iter().copied().flatten();
        let tensor = |(name, shape): (&String, &Vec<usize>)| {
            (name.clone(), TensorSource::Random(random, shape.clone()))
        };
        Self { path: PathBuf::new(), family, tensors: shapes.map(tensor).collect() }
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// A tensor as float32 on `device`, whichever float type the file stores.
    pub(crate) fn load<const D: usize>(&self, name: &str, device: &Device) -> Result<Tensor<D>, Error> {
        let (values, shape) = self.values(name)?;
        Ok(Tensor::from_data(TensorData::new(values.into_owned(), shape.to_vec()), device))
    }

    /// A tensor's values, row-major, and its shape.
    pub(crate) fn values(&self, name: &str) -> Result<(Cow<'_, [f32]>, &[usize]), Error> {
        match self.tensors.get(name) {
            None => Err(self.missing(name, &[])),
            Some(TensorSource::Random(random, shape)) => Ok((random.values(name, shape).into(), shape)),
            Some(TensorSource::Stored { tensor: stored, part, shape }) => {
                let float = stored.float.as_ref().map_err(|other| {
                    self.wrong(stored, format!("of type {other}"), "F64, F32, F16 or BF16".to_owned())
                })?;
                let count = shape.iter().product::<usize>();
                let range = part * count..(part + 1) * count;
                let values = match stored.read(*float)? {
                    whole if whole.len() == count => whole,
                    Cow::Borrowed(whole) => Cow::Borrowed(&whole[range]),
                    Cow::Owned(whole) => Cow::Owned(whole[range].to_vec()),
                };
                Ok((values, shape))
            }
        }
    }

    /// The tensors of files with their shapes, by the names of our modules.
    pub(super) fn stored(&self) -> impl Iterator<Item = (&String, &StoredTensor, &[usize])> {
        self.tensors.iter().filter_map(|(name, source)| match source {
            TensorSource::Stored { tensor, shape, .. } => Some((name, tensor.as_ref(), shape.as_slice())),
            TensorSource::Random(..) => None,
        })
    }

    pub(super) fn family(&self) -> &'static Family {
        self.family
    }

    /// The file, or the folder of several.
    pub(super) fn path(&self) -> PathBuf {
        self.path.clone()
    }

    pub(super) fn unusable(&self, problem: String, advice: &str) -> Error {
        Error::Unusable { path: self.path.clone(), problem, advice: advice.to_owned() }
    }

    pub(super) fn missing(&self, name: &str, shape: &[usize]) -> Error {
        let shape = self.family.shape_in_file(name, shape);
        Error::MissingTensor { path: self.path.clone(), name: self.family.name_in_file(name), shape }
    }

    pub(super) fn wrong(&self, stored: &StoredTensor, found: String, expected: String) -> Error {
        Error::WrongTensor { path: self.path.clone(), name: stored.name.clone(), found, expected }
    }
}

/// That of each of `count` tensors one after the other; of what cannot be divided, its own.
fn shape_of_part(shape: &[usize], count: usize) -> Vec<usize> {
    let mut shape = shape.to_vec();
    if let Some(rows) = shape.first_mut().filter(|rows| rows.is_multiple_of(count)) {
        *rows /= count;
    }
    shape
}

/// Names of tensors and the shapes a configuration implies for them.
pub(crate) type Shapes = BTreeMap<String, Vec<usize>>;

#[cfg(test)]
mod tests {
    use half::{bf16, f16};
    use safetensors::tensor::{Dtype, TensorView, serialize_to_file};

    use super::*;
    use crate::parity::fixture;

    fn weights(folder: &Path) -> Weights {
        Weights::open(&WeightFiles::find(folder, None).unwrap(), Family::bert(), folder).unwrap()
    }

    /// Both hold the same tensors, those of the first after rounding them.
    fn assert_equal(folder: &Path, round: impl Fn(&str, f32) -> f32) {
        let (single, found) = (weights(&fixture("tiny-bert")), weights(folder));
        assert!(single.tensors.len() > 60);
        for name in single.tensors.keys() {
            let (values, shape) = single.values(name).unwrap();
            let rounded: Vec<f32> = values.iter().map(|&value| round(name, value)).collect();
            assert_eq!(
                found.values(name).unwrap(),
                (rounded.into(), shape),
                "{name} in {}",
                folder.display()
            );
        }
    }

    fn to_f16(value: f32) -> f32 {
        f16::from_f32(value).to_f32()
    }

    fn to_bf16(value: f32) -> f32 {
        bf16::from_f32(value).to_f32()
    }

    #[test]
    fn half_precision_in_safetensors_is_read_as_it_is() {
        let single = weights(&fixture("tiny-bert"));
        let write = |dtype, bytes: fn(f32) -> [u8; 2]| {
            let folder = tempfile::tempdir().unwrap();
            let halves: Vec<(&String, Vec<u8>, &[usize])> = single
                .tensors
                .keys()
                .map(|name| {
                    let (values, shape) = single.values(name).unwrap();
                    (name, values.iter().copied().flat_map(bytes).collect(), shape)
                })
                .collect();
            let views = halves
                .iter()
                .map(|(name, bytes, shape)| (name, TensorView::new(dtype, shape.to_vec(), bytes).unwrap()));
            serialize_to_file(views, None, &folder.path().join("model.safetensors")).unwrap();
            folder
        };
        let folder = write(Dtype::F16, |value| f16::from_f32(value).to_le_bytes());
        assert_equal(folder.path(), |_, value| to_f16(value));
        let folder = write(Dtype::BF16, |value| bf16::from_f32(value).to_le_bytes());
        assert_equal(folder.path(), |_, value| to_bf16(value));
    }

    #[test]
    fn double_precision_is_rounded_to_the_nearest() {
        let single = weights(&fixture("tiny-bert"));
        // Off by less than half of what float32 can tell.
        let widened = |value: f32| (f64::from(value) * (1.0 + 1e-8)).to_le_bytes();
        let doubles: Vec<(&String, Vec<u8>, &[usize])> = single
            .tensors
            .keys()
            .map(|name| {
                let (values, shape) = single.values(name).unwrap();
                (name, values.iter().copied().flat_map(widened).collect(), shape)
            })
            .collect();
        let views = doubles
            .iter()
            .map(|(name, bytes, shape)| (name, TensorView::new(Dtype::F64, shape.to_vec(), bytes).unwrap()));
        let folder = tempfile::tempdir().unwrap();
        serialize_to_file(views, None, &folder.path().join("model.safetensors")).unwrap();
        assert_equal(folder.path(), |_, value| value);
    }

    #[test]
    fn pickled_weights_are_found_among_what_a_training_leaves() {
        assert_equal(&fixture("tiny-bert-bin-wrapped"), |_, value| value);
    }

    #[test]
    fn pickled_weights_are_read_as_they_are_in_one_file_or_several_of_any_age() {
        assert_equal(&fixture("tiny-bert-bin"), |_, value| value);
        assert_equal(&fixture("tiny-bert-bin-half"), |name, value| {
            if name.starts_with("embeddings.") { to_bf16(value) } else { to_f16(value) }
        });
    }

    #[test]
    fn one_file_is_looked_for_before_its_index_and_safetensors_before_pickles() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let names = [
            "model.safetensors",
            "model.safetensors.index.json",
            "pytorch_model.bin",
            "pytorch_model.bin.index.json",
        ];
        for name in names {
            fs_err::write(path(name), r#"{"weight_map": {"a": "shard"}}"#).unwrap();
        }
        fs_err::write(path("shard"), "a shard").unwrap();
        for (name, expected) in names.into_iter().zip([names[0], "shard", names[2], "shard"]) {
            assert_eq!(WeightFiles::find(folder.path(), None).unwrap().paths, [path(expected)], "{name}");
            fs_err::remove_file(path(name)).unwrap();
        }
        assert!(matches!(WeightFiles::find(folder.path(), None), Err(Error::MissingFile { .. })));
    }
}
