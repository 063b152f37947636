//! What the reference implementation answers to the texts of a fixture, pooled here in float64.

use safetensors::SafeTensors;
use serde::Deserialize;

use super::fixture;

/// Recorded answers to texts, each encoded alone.
pub struct Reference {
    pub texts: Vec<ReferenceText>,
    states: Vec<u8>,
}

#[derive(Deserialize)]
pub struct ReferenceText {
    pub text: String,
    pub input_ids: Vec<u32>,
    pub truncated: bool,
}

#[derive(Deserialize)]
struct Description {
    texts: Vec<ReferenceText>,
}

/// Vectors of the tokens of one text, `[seq_len][hidden_size]`.
pub type Tokens = Vec<Vec<f64>>;

impl Reference {
    pub fn load(name: &str) -> Self {
        let json = fs_err::read(fixture(name).join("reference.json")).unwrap();
        let states = fs_err::read(fixture(name).join("reference.safetensors")).unwrap();
        Self { texts: serde_json::from_slice::<Description>(&json).unwrap().texts, states }
    }

    /// The texts themselves.
    pub fn strings(&self) -> Vec<&str> {
        self.texts.iter().map(|text| text.text.as_str()).collect()
    }

    /// A recorded tensor as rows of its last dimension.
    pub fn rows(&self, name: &str) -> Vec<Vec<f64>> {
        tensor_rows(&self.states, name)
    }

    /// The hidden states of a text in every layer, from 0.
    pub fn hidden_states(&self, text: usize) -> Vec<Tokens> {
        let rows = self.rows(&format!("text_{text}.hidden_states"));
        rows.chunks(self.texts[text].input_ids.len()).map(<[_]>::to_vec).collect()
    }

    pub fn pooler_output(&self, text: usize) -> Vec<f64> {
        self.rows(&format!("text_{text}.pooler_output")).remove(0)
    }
}

/// A tensor of a safetensors file as rows of its last dimension.
pub fn tensor_rows(file: &[u8], name: &str) -> Vec<Vec<f64>> {
    let tensors = SafeTensors::deserialize(file).unwrap();
    let tensor = tensors.tensor(name).unwrap();
    let (bytes, _) = tensor.data().as_chunks();
    let values: Vec<f64> = bytes.iter().map(|&bytes| f64::from(f32::from_le_bytes(bytes))).collect();
    values.chunks(*tensor.shape().last().unwrap()).map(<[f64]>::to_vec).collect()
}

/// Pools tokens by a pooling's name; none if there are no tokens.
pub fn pool(pooling: &str, tokens: &[Vec<f64>]) -> Option<Vec<f64>> {
    let fold = |combine: fn(f64, f64) -> f64| {
        let rows = tokens.iter().cloned();
        rows.reduce(|a, b| a.into_iter().zip(b).map(|(a, b)| combine(a, b)).collect())
    };
    match pooling {
        "cls" => tokens.first().cloned(),
        "last" => tokens.last().cloned(),
        "max" => fold(f64::max),
        "min" => fold(f64::min),
        "mean" => fold(|a, b| a + b).map(|sum| sum.into_iter().map(|v| v / tokens.len() as f64).collect()),
        "mean_max" => Some([pool("mean", tokens)?, pool("max", tokens)?].concat()),
        other => panic!("no pooling {other}"),
    }
}

/// The tokens of several layers, added up position by position.
pub fn add_up(layers: &[&Tokens]) -> Tokens {
    let at = |token: usize, dimension: usize| layers.iter().map(|layer| layer[token][dimension]).sum();
    let first = layers[0];
    (0..first.len()).map(|token| (0..first[token].len()).map(|i| at(token, i)).collect()).collect()
}

/// A vector brought to Euclidean length 1.
pub fn unit(vector: &[f64]) -> Vec<f64> {
    let norm = vector.iter().map(|value| value * value).sum::<f64>().sqrt();
    vector.iter().map(|value| value / norm).collect()
}

/// Fails unless both are null, or equal to 1e-4 in every dimension.
pub fn assert_close(found: Option<&[f32]>, expected: Option<&[f64]>, what: &str) {
    let (found, expected) = match (found, expected) {
        (None, None) => return,
        (Some(found), Some(expected)) => (found, expected),
        (found, expected) => panic!("{what}: expected {expected:?}, found {found:?}"),
    };
    assert_eq!(found.len(), expected.len(), "{what}");
    let worst = found.iter().zip(expected).map(|(&a, &b)| (f64::from(a) - b).abs()).fold(0.0, f64::max);
    assert!(worst < 1e-4, "{what}: a dimension is off by {worst}");
}
