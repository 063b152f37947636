//! Every dimension of every hidden state against recorded states of the reference implementation
//! (transformers; `tests/fixtures/make_tiny_bert.py` records them and notes the version).

use std::path::{Path, PathBuf};

use burn::tensor::{Bool, Device, Int, Tensor, TensorData};
use safetensors::SafeTensors;
use serde::Deserialize;

use crate::model::{BertModel, ModelInput};
use crate::{
    Checkpoint, Compute, DeviceKind, Document, Encoding, Extractor, FeatureOptions, Features, Pooling,
    TextInput, TextTokenizer, TokenizerOptions,
};

const TOLERANCE: f32 = 1e-4;

/// Both backends on the processor, and the first GPU where there is one.
#[expect(clippy::print_stdout, reason = "a test that leaves the GPU out says so")]
fn devices() -> Vec<DeviceKind> {
    let mut devices = vec![DeviceKind::Cpu, DeviceKind::Flex];
    match DeviceKind::Cuda(0).open() {
        Ok(_) => devices.push(DeviceKind::Cuda(0)),
        Err(error) => println!("parity on cpu and flex only: {error}"),
    }
    devices
}

#[derive(Deserialize)]
struct Reference {
    texts: Vec<ReferenceText>,
}

#[derive(Deserialize)]
struct ReferenceText {
    text: String,
    input_ids: Vec<u32>,
    token_type_ids: Vec<u32>,
    truncated: bool,
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures").join(name)
}

#[derive(Deserialize)]
struct MiniLmReference {
    max_length: usize,
    texts: Vec<MiniLmText>,
}

#[derive(Deserialize)]
struct MiniLmText {
    text: String,
}

fn reference(name: &str) -> (Reference, Vec<u8>) {
    reference_of(name)
}

fn reference_of<T: serde::de::DeserializeOwned>(name: &str) -> (T, Vec<u8>) {
    let json = std::fs::read_to_string(fixture(name).join("reference.json")).unwrap();
    let states = std::fs::read(fixture(name).join("reference.safetensors")).unwrap();
    (serde_json::from_str(&json).unwrap(), states)
}

fn tensor(states: &[u8], name: &str) -> (Vec<usize>, Vec<f32>) {
    let tensors = SafeTensors::deserialize(states).unwrap();
    let view = tensors.tensor(name).unwrap();
    let values = view.data().as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
    (view.shape().to_vec(), values)
}

/// Hidden states `[layers + 1][batch, seq_len, hidden]` and the pooler's output of one padded batch.
fn run(model: &BertModel, batch: &[&Encoding], device: &Device) -> (Vec<Vec<f32>>, Vec<f32>) {
    let seq_len = batch.iter().map(|encoding| encoding.len()).max().unwrap();
    let shape = [batch.len(), seq_len];
    let padded = |of: fn(&Encoding) -> &[u32]| {
        let ids = batch
            .iter()
            .flat_map(|e| (0..seq_len).map(move |at| of(e).get(at).map_or(0, |&id| i64::from(id))));
        Tensor::<2, Int>::from_data(TensorData::new(ids.collect::<Vec<i64>>(), shape), device)
    };
    let mask: Vec<bool> = batch.iter().flat_map(|e| (0..seq_len).map(|at| at < e.len())).collect();
    let needs_mask = mask.contains(&false);
    let input = ModelInput {
        input_ids: padded(|e| &e.input_ids),
        token_type_ids: padded(|e| &e.token_type_ids),
        attention_mask: needs_mask
            .then(|| Tensor::<2, Bool>::from_data(TensorData::new(mask, shape), device)),
    };
    let mut states = Vec::new();
    let last = model.forward(input, |layer, hidden| {
        assert_eq!(layer, states.len());
        states.push(hidden.to_data().try_to_vec::<f32>().unwrap());
    });
    let pooler_output = model.pooler_output(&last).unwrap().into_data().try_to_vec().unwrap();
    (states, pooler_output)
}

fn assert_close(found: &[f32], expected: &[f32], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let worst = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst < TOLERANCE, "{what}: a dimension differs by {worst}");
}

fn encodings(checkpoint: &Checkpoint, reference: &Reference) -> Vec<Encoding> {
    let texts: Vec<&str> = reference.texts.iter().map(|text| text.text.as_str()).collect();
    tokenize(checkpoint, &texts, None).into_iter().map(|document| document.windows[0].clone()).collect()
}

fn tokenize(checkpoint: &Checkpoint, texts: &[&str], max_length: Option<usize>) -> Vec<Document> {
    let options = TokenizerOptions { max_length, ..TokenizerOptions::default() };
    let inputs: Vec<TextInput> = texts.iter().map(|&text| text.into()).collect();
    TextTokenizer::load(checkpoint, &options).unwrap().encode(&inputs).unwrap()
}

fn assert_alone_equals_reference(checkpoint_name: &str, reference_name: &str) {
    let checkpoint = Checkpoint::open(&fixture(checkpoint_name)).unwrap();
    let (reference, states) = reference(reference_name);
    let encodings = encodings(&checkpoint, &reference);
    for device_kind in devices() {
        let device = device_kind.open().unwrap();
        let model = BertModel::load(
            &checkpoint,
            checkpoint.config.num_hidden_layers,
            true,
            &device,
            Compute::Float32,
        )
        .unwrap();
        for (index, encoding) in encodings.iter().enumerate() {
            let (found, pooler_output) = run(&model, &[encoding], &device);
            let (_, expected) = tensor(&states, &format!("text_{index}.hidden_states"));
            assert_close(
                &found.concat(),
                &expected,
                &format!("{checkpoint_name}, text {index} on {device_kind}"),
            );
            let (_, expected) = tensor(&states, &format!("text_{index}.pooler_output"));
            assert_close(
                &pooler_output,
                &expected,
                &format!("{checkpoint_name}, pooler {index} on {device_kind}"),
            );
        }
    }
}

#[test]
fn texts_are_tokenized_as_the_reference_does() {
    let checkpoint = Checkpoint::open(&fixture("tiny-bert")).unwrap();
    let (reference, _) = reference("tiny-bert");
    let texts: Vec<&str> = reference.texts.iter().map(|text| text.text.as_str()).collect();
    for (text, document) in reference.texts.iter().zip(tokenize(&checkpoint, &texts, None)) {
        assert_eq!(document.windows[0].input_ids, text.input_ids, "{:?}", text.text);
        assert_eq!(document.windows[0].token_type_ids, text.token_type_ids, "{:?}", text.text);
        assert_eq!(document.truncated, text.truncated, "{:?}", text.text);
    }
}

#[test]
fn every_dimension_of_every_layer_equals_the_reference() {
    assert_alone_equals_reference("tiny-bert", "tiny-bert");
}

#[test]
fn the_older_generation_of_names_gives_the_same_states() {
    assert_alone_equals_reference("tiny-bert-legacy", "tiny-bert");
}

#[test]
fn every_activation_equals_the_reference() {
    assert_alone_equals_reference("tiny-bert-gelu_new", "tiny-bert-gelu_new");
    assert_alone_equals_reference("tiny-bert-relu", "tiny-bert-relu");
}

#[test]
fn padding_changes_no_dimension_of_any_layer() {
    let checkpoint = Checkpoint::open(&fixture("tiny-bert")).unwrap();
    let (reference, states) = reference("tiny-bert");
    let encodings = encodings(&checkpoint, &reference);
    let batch: Vec<&Encoding> = encodings.iter().collect();
    let (shape, padded) = tensor(&states, "padded.hidden_states");
    let [layers, rows, seq_len, hidden] = shape[..] else { panic!("{shape:?}") };
    for device_kind in devices() {
        let device = device_kind.open().unwrap();
        let model = BertModel::load(
            &checkpoint,
            checkpoint.config.num_hidden_layers,
            true,
            &device,
            Compute::Float32,
        )
        .unwrap();
        let (found, _) = run(&model, &batch, &device);
        assert_eq!((found.len(), rows), (layers, batch.len()));
        for (layer, found) in found.iter().enumerate() {
            for (row, encoding) in batch.iter().enumerate() {
                let what = format!("layer {layer}, text {row} on {device_kind}");
                let tokens = encoding.len() * hidden;
                let found = &found[row * seq_len * hidden..][..tokens];
                assert_close(found, &padded[(layer * rows + row) * seq_len * hidden..][..tokens], &what);
                let (_, alone) = tensor(&states, &format!("text_{row}.hidden_states"));
                assert_close(found, &alone[layer * tokens..][..tokens], &what);
            }
        }
    }
}

fn cosine(one: &[f32], other: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    dot(one, other) / (dot(one, one) * dot(other, other)).sqrt()
}

#[test]
fn bfloat16_keeps_the_direction_of_every_token_in_every_layer() {
    if Compute::BFloat16.check(DeviceKind::Cpu).is_err() {
        // Without the instructions it is refused, which a test of its own states.
        return;
    }
    let checkpoint = Checkpoint::open(&fixture("tiny-bert")).unwrap();
    let (reference, states) = reference("tiny-bert");
    let encodings = encodings(&checkpoint, &reference);
    let device = DeviceKind::Cpu.open().unwrap();
    let layers = checkpoint.config.num_hidden_layers;
    let model = BertModel::load(&checkpoint, layers, true, &device, Compute::BFloat16).unwrap();
    for (index, encoding) in encodings.iter().enumerate() {
        let (found, _) = run(&model, &[encoding], &device);
        let (_, expected) = tensor(&states, &format!("text_{index}.hidden_states"));
        let vectors = found.concat();
        let pairs =
            vectors.chunks(checkpoint.config.hidden_size).zip(expected.chunks(checkpoint.config.hidden_size));
        for (found, expected) in pairs {
            assert!(cosine(found, expected) > 0.999, "text {index}: {}", cosine(found, expected));
        }
    }
}

/// The cls- and mean-pooled vectors of every layer of a real checkpoint, text by text.
fn minilm(compute: Compute) -> Vec<(String, Vec<f32>, Vec<f32>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.models/all-MiniLM-L6-v2");
    let checkpoint = Checkpoint::open(&folder).expect("the model is in place; `make setup` puts it there");
    let options = FeatureOptions {
        layers: "all".parse().unwrap(),
        pooling: vec![Pooling::Cls, Pooling::Mean],
        ..FeatureOptions::default()
    };
    let features = Features::resolve(&options, &checkpoint.config).unwrap();
    let extractor = Extractor::load(&checkpoint, features, DeviceKind::Cpu, compute).unwrap();
    let (json, states) = reference_of::<MiniLmReference>("minilm");
    let texts: Vec<&str> = json.texts.iter().map(|text| text.text.as_str()).collect();
    let documents = tokenize(&checkpoint, &texts, Some(json.max_length));
    let hidden = checkpoint.config.hidden_size;
    let mut vectors = Vec::new();
    for (index, document) in documents.iter().enumerate() {
        let found = extractor.extract(&[&document.windows[0]]).unwrap();
        let expected = ["cls", "mean"].map(|pooling| tensor(&states, &format!("text_{index}.{pooling}")).1);
        for (at, found) in found.chunks_exact(hidden).enumerate() {
            let what = format!("text {index}, layer {}, {}", at / 2, ["cls", "mean"][at % 2]);
            vectors.push((what, found.to_vec(), expected[at % 2][at / 2 * hidden..][..hidden].to_vec()));
        }
    }
    vectors
}

#[test]
fn a_real_model_equals_the_reference_in_float32() {
    for (what, found, expected) in minilm(Compute::Float32) {
        assert_close(&found, &expected, &what);
    }
}

#[test]
fn a_real_model_keeps_its_directions_in_bfloat16() {
    if Compute::BFloat16.check(DeviceKind::Cpu).is_err() {
        return;
    }
    for (what, found, expected) in minilm(Compute::BFloat16) {
        let cosine = cosine(&found, &expected);
        assert!(cosine > 0.999, "{what}: {cosine}");
    }
}
