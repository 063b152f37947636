//! Checkpoints that differ from the fixture model in one thing.

use std::collections::BTreeMap;

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde_json::{Map, Value};

use super::{Sandbox, fixture};

/// The tensors of a checkpoint, by name.
pub type Tensors<'a> = BTreeMap<String, TensorView<'a>>;

/// A tensor of one zero.
pub const ZERO: &[u8] = &[0; 4];

impl Sandbox {
    /// Writes the model `broken`: `tiny-bert` after a change of its weights.
    pub fn break_weights(&self, change: impl FnOnce(&mut Tensors<'_>)) {
        let bytes = fs_err::read(fixture("tiny-bert").join("model.safetensors")).unwrap();
        let mut tensors: Tensors<'_> =
            SafeTensors::deserialize(&bytes).unwrap().tensors().into_iter().collect();
        change(&mut tensors);
        self.copy_model("broken");
        fs_err::remove_file(self.path("broken/model.safetensors")).unwrap();
        safetensors::serialize_to_file(tensors, None, &self.path("broken/model.safetensors")).unwrap();
    }

    /// Writes the model `broken`: `tiny-bert` after a change of its configuration.
    pub fn break_config(&self, change: impl FnOnce(&mut Map<String, Value>)) {
        let text = fs_err::read_to_string(fixture("tiny-bert").join("config.json")).unwrap();
        let mut config: Map<String, Value> = serde_json::from_str(&text).unwrap();
        change(&mut config);
        self.copy_model("broken");
        self.write("broken/config.json", serde_json::to_string(&config).unwrap());
    }

    /// Writes a model whose layers kernels compute wholly, if its width is a multiple of 16; for `--random-weights`.
    pub fn write_plain_model(&self, name: &str, width: usize) {
        let text = fs_err::read_to_string(fixture("tiny-bert").join("config.json")).unwrap();
        let mut config: Map<String, Value> = serde_json::from_str(&text).unwrap();
        let sizes = [("hidden_size", width), ("intermediate_size", 2 * width), ("num_attention_heads", 2)];
        config.extend(sizes.map(|(key, size)| (key.to_owned(), size.into())));
        fs_err::create_dir(self.path(name)).unwrap();
        fs_err::copy(fixture("tiny-bert").join("tokenizer.json"), self.path(name).join("tokenizer.json"))
            .unwrap();
        self.write(&format!("{name}/config.json"), serde_json::to_string(&config).unwrap());
    }

    /// Writes a copy of the model `tiny-bert`.
    pub fn copy_model(&self, folder: &str) {
        fs_err::create_dir(self.path(folder)).unwrap();
        for name in ["config.json", "tokenizer.json", "model.safetensors"] {
            fs_err::copy(fixture("tiny-bert").join(name), self.path(folder).join(name)).unwrap();
        }
    }
}

/// A float32 tensor of one zero.
pub fn zero() -> TensorView<'static> {
    TensorView::new(Dtype::F32, vec![1], ZERO).unwrap()
}
