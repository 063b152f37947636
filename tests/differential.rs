//! Some hundred small checkpoints, as different as those that people have, against what transformers makes of
//! them: every token, every dimension of every hidden state; what transformers cannot load is refused.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, StringArray};
use arrow::datatypes::UInt32Type;
use half::{bf16, f16};
use rayon::prelude::*;
use safetensors::tensor::{Dtype, TensorView, serialize_to_file};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::support::reference::tensor_rows;
use crate::support::tables::{column, table};
use crate::support::{Sandbox, fixture, read_output, vectors, write_table};

#[derive(Deserialize)]
struct Reference {
    texts: Vec<String>,
    pairs: Vec<(String, String)>,
    files: Vec<File>,
    cases: Vec<Case>,
}

/// What a file of a checkpoint holds; many have the same.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum File {
    Text(String),
    Hexadecimal(String),
}

#[derive(Deserialize)]
struct Case {
    name: String,
    files: BTreeMap<String, usize>,
    weights: Weights,
    /// Of each text.
    #[serde(default)]
    tokens: Vec<Vec<String>>,
    /// Tokens of each pair.
    #[serde(default)]
    pair_lengths: Vec<u32>,
    /// What transformers says instead.
    error: Option<String>,
    /// What it says to pairs.
    pair_error: Option<String>,
    /// Where less is promised than transformers does: what the refusal must name.
    refused: Option<String>,
}

#[derive(Deserialize)]
struct Weights {
    layout: String,
    dtype: String,
    /// Shape and centre of each tensor.
    tensors: BTreeMap<String, (Vec<usize>, f64)>,
}

impl Reference {
    fn load() -> (Self, Vec<u8>) {
        let json = fs_err::read(fixture("differential/reference.json")).unwrap();
        let tensors = fs_err::read(fixture("differential/reference.safetensors")).unwrap();
        (serde_json::from_slice(&json).unwrap(), tensors)
    }

    /// Writes the folder of a checkpoint, `model`, and the inputs.
    fn sandbox(&self, case: &Case) -> Sandbox {
        let sandbox = Sandbox::new();
        fs_err::create_dir(sandbox.path("model")).unwrap();
        for (name, &file) in &case.files {
            let content = match &self.files[file] {
                File::Text(text) => text.clone().into_bytes(),
                File::Hexadecimal(text) => bytes(text),
            };
            sandbox.write(&format!("model/{name}"), content);
        }
        case.weights.write(&sandbox);
        let strings = |texts: Vec<&str>| Arc::new(StringArray::from(texts)) as ArrayRef;
        let texts = self.texts.iter().map(String::as_str).collect();
        write_table(&sandbox.path("texts.parquet"), &table([("text", strings(texts))]));
        let (first, second) = self.pairs.iter().map(|(a, b)| (a.as_str(), b.as_str())).unzip();
        let pairs = table([("text", strings(first)), ("second", strings(second))]);
        write_table(&sandbox.path("pairs.parquet"), &pairs);
        sandbox
    }
}

impl Weights {
    /// Writes them as the generator did.
    fn write(&self, sandbox: &Sandbox) {
        let (dtype, convert): (Dtype, fn(f32) -> Vec<u8>) = match self.dtype.as_str() {
            "F32" => (Dtype::F32, |value| value.to_le_bytes().to_vec()),
            "F64" => (Dtype::F64, |value| f64::from(value).to_le_bytes().to_vec()),
            "F16" => (Dtype::F16, |value| f16::from_f32(value).to_le_bytes().to_vec()),
            "BF16" => (Dtype::BF16, |value| bf16::from_f32(value).to_le_bytes().to_vec()),
            other => panic!("no type {other}"),
        };
        let tensor = |(name, (shape, base)): (&String, &(Vec<usize>, f64))| {
            let bytes: Vec<u8> = values(name, shape.iter().product(), *base).flat_map(convert).collect();
            (name.clone(), shape.clone(), bytes)
        };
        let tensors: Vec<_> = self.tensors.iter().map(tensor).collect();
        let save = |name: &str, first: usize, step: usize| {
            let views =
                tensors.iter().skip(first).step_by(step).map(|(name, shape, bytes)| {
                    (name, TensorView::new(dtype, shape.clone(), bytes).unwrap())
                });
            serialize_to_file(views, None, &sandbox.path("model").join(name)).unwrap();
        };
        let index = |shards: [&str; 2]| {
            let entries =
                tensors.iter().enumerate().map(|(at, (name, ..))| (name.clone(), json!(shards[at % 2])));
            let map: serde_json::Map<String, Value> = entries.collect();
            let index = json!({"metadata": {}, "weight_map": map});
            sandbox.write("model/model.safetensors.index.json", index.to_string());
        };
        match self.layout.as_str() {
            "single" => save("model.safetensors", 0, 1),
            "stale_index" => {
                save("model.safetensors", 0, 1);
                index(["gone-1.safetensors", "gone-2.safetensors"]);
            }
            "sharded" => {
                let shards = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
                shards.iter().enumerate().for_each(|(number, shard)| save(shard, number, 2));
                index(shards);
            }
            other => panic!("no layout {other}"),
        }
    }
}

fn bytes(hexadecimal: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&hexadecimal[at..at + 2], 16).unwrap();
    (0..hexadecimal.len()).step_by(2).map(byte).collect()
}

/// What the generator makes of a tensor's name: around `base`, and the same everywhere.
fn values(name: &str, count: usize, base: f64) -> impl Iterator<Item = f32> {
    let seed =
        name.bytes().fold(2_166_136_261_u32, |seed, byte| (seed ^ u32::from(byte)).wrapping_mul(16_777_619));
    (0..count as u64).map(move |at| {
        let residue = (at * 7919 + at * at * 31 + u64::from(seed)) % 1999;
        (base + (residue as f64 / 999.5 - 1.0) / 3.0) as f32
    })
}

/// What is wrong with what a case gives, if anything is.
fn fault(reference: &Reference, tensors: &[u8], case: &Case) -> Option<String> {
    let sandbox = reference.sandbox(case);
    let device = if case.name.as_bytes()[2] % 4 == 3 { "flex" } else { "cpu" };
    let options = format!("--model model --layers all --keep none --device {device}");
    let run = |rest: &str| sandbox.strata(&format!("run {options} {rest}")).output().unwrap();
    let texts = run("--input texts.parquet --unit token --output texts");
    let message = String::from_utf8_lossy(&texts.stderr).into_owned();
    if case.error.is_some() || case.refused.is_some() {
        let named = case.refused.as_deref().is_none_or(|name| message.contains(name));
        let refused = matches!(texts.status.code(), Some(2 | 65 | 78)) && named;
        return (!refused)
            .then(|| format!("transformers: {:?}, but {}: {message}", case.error, texts.status));
    }
    if !texts.status.success() {
        return Some(format!("{}: {message}", texts.status));
    }
    let output = read_output(&sandbox.path("texts"));
    let found: Vec<&str> = column(&output, "token").as_string::<i32>().iter().flatten().collect();
    let expected: Vec<&str> = case.tokens.iter().flatten().map(String::as_str).collect();
    if found != expected {
        return Some(format!("tokens are\n{found:?}, expected\n{expected:?}"));
    }
    let pairs = run("--input pairs.parquet --text-pair second --pooling mean --output pairs");
    if case.pair_error.is_some() {
        let refused = matches!(pairs.status.code(), Some(65 | 78));
        return (!refused)
            .then(|| format!("transformers: {:?}, but pairs: {}", case.pair_error, pairs.status));
    }
    if !pairs.status.success() {
        return Some(format!("pairs, {}: {}", pairs.status, String::from_utf8_lossy(&pairs.stderr)));
    }
    let pooled = read_output(&sandbox.path("pairs"));
    let lengths = column(&pooled, "n_tokens").as_primitive::<UInt32Type>().values().to_vec();
    if lengths != case.pair_lengths {
        return Some(format!("pairs have {lengths:?} tokens, expected {:?}", case.pair_lengths));
    }
    let columns = [(&output, "states", ""), (&pooled, "pair_means", "_mean")];
    columns.into_iter().find_map(|(output, what, suffix)| {
        let rows = tensor_rows(tensors, &format!("{}.{what}", case.name));
        let layers = rows.len() / output.num_rows();
        (0..layers).find_map(|layer| {
            let expected = rows.iter().skip(layer).step_by(layers);
            let found = vectors(output, &format!("layer_{layer}{suffix}"));
            let largest =
                expected.clone().flatten().fold(0.0, |largest: f64, value| largest.max(value.abs()));
            let off = |(found, expected): (&Option<Vec<f32>>, &Vec<f64>)| {
                let found = found.as_ref().map_or(&[][..], Vec::as_slice);
                let pairs = found.iter().zip(expected).map(|(&a, b)| (f64::from(a) - b).abs());
                if found.len() == expected.len() { pairs.fold(0.0, f64::max) } else { f64::INFINITY }
            };
            let worst = found.iter().zip(expected).map(off).fold(0.0, f64::max);
            // DeBERTa's products are libtorch's, whose last digits follow from the threads it finds: with random
            // weights one model of 20 was once seen 1.1e-4 from what it gave otherwise.
            let least = if case.name.contains("deberta") { 2e-4 } else { 1e-4 };
            let tolerance = f64::max(least, 1e-5 * largest);
            (worst.is_nan() || worst > tolerance).then(|| format!("{what}, layer {layer}: off by {worst}"))
        })
    })
}

#[test]
fn every_checkpoint_gives_what_transformers_does_or_is_refused() {
    let (reference, tensors) = Reference::load();
    let only = std::env::var("STRATA_TEST_CASE").unwrap_or_default();
    let cases: Vec<&Case> = reference.cases.iter().filter(|case| case.name.contains(&only)).collect();
    let check =
        |case: &&Case| fault(&reference, &tensors, case).map(|fault| format!("{}: {fault}", case.name));
    let faults: Vec<String> = cases.par_iter().filter_map(check).collect();
    assert!(faults.is_empty(), "{} of {}:\n{}", faults.len(), cases.len(), faults.join("\n"));
}
