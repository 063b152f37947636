//! Every dimension of every hidden state against recorded states of the reference implementation
//! (transformers; the scripts in `tests/fixtures` record them and note the version).

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use safetensors::SafeTensors;
use serde::Deserialize;

use crate::model::BertModel;
use crate::{
    Checkpoint, Compute, DeviceKind, Document, Encoding, Extractor, FeatureRequest, Features, Pooling,
    TextInput, TextTokenizer, TokenizerOptions,
};

const TOLERANCE: f32 = 1e-4;
const OF_LARGEST: f32 = 1e-5;

/// A model of every family.
pub(crate) const FAMILIES: [&str; 12] = [
    "tiny-bert",
    "tiny-roberta",
    "tiny-xlm-roberta",
    "tiny-camembert",
    "tiny-distilbert",
    "tiny-electra",
    "tiny-mpnet",
    "tiny-albert",
    "tiny-modernbert",
    "tiny-deberta-v2",
    "tiny-nomic_bert",
    "tiny-gte",
];

/// What families compute where their configuration says so.
pub(crate) const VARIANTS: [&str; 5] = [
    "tiny-albert-groups",
    "tiny-modernbert-biases",
    "tiny-deberta-v2-conv",
    "tiny-deberta-v2-c2p",
    "tiny-deberta-v2-absolute",
];

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
pub(crate) struct Reference {
    texts: Vec<ReferenceText>,
}

#[derive(Deserialize)]
struct ReferenceText {
    text: String,
    input_ids: Vec<u32>,
    token_type_ids: Vec<u32>,
    truncated: bool,
}

pub(crate) fn fixture(name: &str) -> PathBuf {
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

pub(crate) fn reference(name: &str) -> (Reference, Vec<u8>) {
    reference_of(name)
}

fn reference_of<T: serde::de::DeserializeOwned>(name: &str) -> (T, Vec<u8>) {
    let json = std::fs::read_to_string(fixture(name).join("reference.json")).unwrap();
    let states = std::fs::read(fixture(name).join("reference.safetensors")).unwrap();
    (serde_json::from_str(&json).unwrap(), states)
}

pub(crate) fn tensor(states: &[u8], name: &str) -> (Vec<usize>, Vec<f32>) {
    let tensors = SafeTensors::deserialize(states).unwrap();
    let view = tensors.tensor(name).unwrap();
    let values = view.data().as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
    (view.shape().to_vec(), values)
}

/// A whole model, with the pooler if its family has one.
pub(crate) fn load(checkpoint: &Checkpoint, device: &Device, compute: Compute) -> BertModel {
    let config = &checkpoint.config;
    BertModel::load(checkpoint, config.num_hidden_layers, config.family.has_pooler, device, compute).unwrap()
}

/// Hidden states `[layers + 1][tokens, hidden]` and the pooler's output of one batch.
pub(crate) fn run(model: &BertModel, batch: &[&Encoding]) -> (Vec<Vec<f32>>, Option<Vec<f32>>) {
    let input = model.input(batch);
    let mut states = Vec::new();
    let last = model.forward(&input, |layer, hidden| {
        assert_eq!(layer, states.len());
        states.push(hidden.to_data().try_to_vec::<f32>().unwrap());
    });
    let pooler_output = model.pooler_output(&last, &input.lengths);
    (states, pooler_output.map(|output| output.into_data().try_to_vec().unwrap()))
}

/// Where states are large, as those are that no norm has seen yet, so may be what they differ by.
fn assert_close(found: &[f32], expected: &[f32], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let worst = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    let largest = expected.iter().fold(0.0, |largest: f32, value| largest.max(value.abs()));
    let tolerance = TOLERANCE.max(OF_LARGEST * largest);
    assert!(worst < tolerance, "{what}: a dimension differs by {worst}");
}

pub(crate) fn encodings(checkpoint: &Checkpoint, reference: &Reference) -> Vec<Encoding> {
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
        let model = load(&checkpoint, &device, Compute::Float32);
        for (index, encoding) in encodings.iter().enumerate() {
            let (found, pooler_output) = run(&model, &[encoding]);
            let what = format!("{checkpoint_name}, text {index} on {device_kind}");
            let (_, expected) = tensor(&states, &format!("text_{index}.hidden_states"));
            assert_eq!(found.concat().len(), expected.len(), "{what}");
            for (layer, (found, expected)) in found.iter().zip(expected.chunks(found[0].len())).enumerate() {
                assert_close(found, expected, &format!("layer {layer} of {what}"));
            }
            if let Some(found) = pooler_output {
                let (_, expected) = tensor(&states, &format!("text_{index}.pooler_output"));
                assert_close(&found, &expected, &format!("pooler of {what}"));
            }
        }
    }
}

/// All texts in one batch, held to a batch that was recorded with padding and to what was recorded of each text alone.
fn assert_together_equals_reference(name: &str) {
    let checkpoint = Checkpoint::open(&fixture(name)).unwrap();
    let (reference, states) = reference(name);
    let encodings = encodings(&checkpoint, &reference);
    let batch: Vec<&Encoding> = encodings.iter().collect();
    let (shape, padded) = tensor(&states, "padded.hidden_states");
    let [layers, rows, seq_len, hidden] = shape[..] else { panic!("{shape:?}") };
    for device_kind in devices() {
        let device = device_kind.open().unwrap();
        let model = load(&checkpoint, &device, Compute::Float32);
        let (found, _) = run(&model, &batch);
        assert_eq!((found.len(), rows), (layers, batch.len()));
        for (layer, found) in found.iter().enumerate() {
            let mut rest = found.as_slice();
            for (row, encoding) in batch.iter().enumerate() {
                let what = format!("{name}, layer {layer}, text {row} on {device_kind}");
                let tokens = encoding.len() * hidden;
                let found;
                (found, rest) = rest.split_at(tokens);
                assert_close(found, &padded[(layer * rows + row) * seq_len * hidden..][..tokens], &what);
                let (_, alone) = tensor(&states, &format!("text_{row}.hidden_states"));
                assert_close(found, &alone[layer * tokens..][..tokens], &what);
            }
        }
    }
}

#[test]
fn texts_are_tokenized_as_the_reference_does() {
    for name in FAMILIES {
        let checkpoint = Checkpoint::open(&fixture(name)).unwrap();
        let (reference, _) = reference(name);
        let texts: Vec<&str> = reference.texts.iter().map(|text| text.text.as_str()).collect();
        for (text, document) in reference.texts.iter().zip(tokenize(&checkpoint, &texts, None)) {
            assert_eq!(document.windows[0].input_ids, text.input_ids, "{name}: {:?}", text.text);
            assert_eq!(document.windows[0].token_type_ids, text.token_type_ids, "{name}: {:?}", text.text);
            assert_eq!(document.truncated, text.truncated, "{name}: {:?}", text.text);
        }
        assert!(reference.texts.iter().any(|text| text.truncated), "{name}");
    }
}

#[test]
fn every_dimension_of_every_layer_of_every_family_equals_the_reference() {
    for name in FAMILIES.into_iter().chain(VARIANTS) {
        assert_alone_equals_reference(name, name);
    }
}

#[test]
fn the_older_generation_of_names_gives_the_same_states() {
    assert_alone_equals_reference("tiny-bert-legacy", "tiny-bert");
    assert_alone_equals_reference("tiny-nomic_bert-published", "tiny-nomic_bert");
    assert_alone_equals_reference("tiny-gte-published", "tiny-gte");
}

#[test]
fn every_activation_equals_the_reference() {
    assert_alone_equals_reference("tiny-bert-gelu_new", "tiny-bert-gelu_new");
    assert_alone_equals_reference("tiny-bert-relu", "tiny-bert-relu");
}

#[test]
fn company_changes_no_dimension_of_any_layer_of_any_family() {
    for name in FAMILIES.into_iter().chain(VARIANTS) {
        assert_together_equals_reference(name);
    }
}

#[test]
fn pickled_weights_give_the_same_states() {
    assert_alone_equals_reference("tiny-bert-bin", "tiny-bert");
}

#[test]
fn random_weights_are_the_same_however_many_layers_are_loaded() {
    let device = DeviceKind::Flex.open().unwrap();
    for name in FAMILIES {
        let checkpoint = Checkpoint::with_random_weights(&fixture(name), 7).unwrap();
        let encoding = encodings(&checkpoint, &reference(name).0).swap_remove(1);
        let states = |model: &BertModel| run(model, &[&encoding]).0;
        let whole = states(&load(&checkpoint, &device, Compute::Float32));
        let lower = BertModel::load(&checkpoint, 1, false, &device, Compute::Float32).unwrap();
        assert_eq!(states(&lower), whole[..2], "{name}");
        assert_ne!(whole[1], whole[2], "{name}");
        let other = Checkpoint::with_random_weights(&fixture(name), 8).unwrap();
        assert_ne!(states(&load(&other, &device, Compute::Float32)), whole, "{name}");
    }
}

#[test]
fn rotated_and_local_attention_give_a_text_the_same_bits_in_any_company() {
    let folder = tempfile::tempdir().unwrap();
    let config = std::fs::read_to_string(fixture("tiny-modernbert").join("config.json")).unwrap();
    let mut config: serde_json::Value = serde_json::from_str(&config).unwrap();
    for (key, value) in [("hidden_size", 32), ("num_attention_heads", 2), ("intermediate_size", 48)] {
        config[key] = value.into();
    }
    std::fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
    for name in ["tokenizer.json", "tokenizer_config.json"] {
        std::fs::copy(fixture("tiny-modernbert").join(name), folder.path().join(name)).unwrap();
    }
    let checkpoint = Checkpoint::with_random_weights(folder.path(), 3).unwrap();
    let model = load(&checkpoint, &DeviceKind::Cpu.open().unwrap(), Compute::Float32);
    let encodings = encodings(&checkpoint, &reference("tiny-modernbert").0);
    let (together, _) = run(&model, &encodings.iter().collect::<Vec<_>>());
    let mut first = 0;
    for encoding in &encodings {
        let (alone, _) = run(&model, &[encoding]);
        for (together, alone) in together.iter().zip(&alone) {
            assert!(together[first..][..alone.len()] == alone[..], "{} tokens", encoding.len());
        }
        first += alone[0].len();
    }
}

#[test]
fn what_the_tokenizer_says_of_types_is_nothing_to_a_family_without_them() {
    let device = DeviceKind::Flex.open().unwrap();
    for name in ["tiny-roberta", "tiny-distilbert"] {
        let checkpoint = Checkpoint::open(&fixture(name)).unwrap();
        let model = load(&checkpoint, &device, Compute::Float32);
        let plain = encodings(&checkpoint, &reference(name).0).swap_remove(1);
        let typed = Encoding { token_type_ids: vec![1; plain.len()], ..plain.clone() };
        let states = |encoding| run(&model, &[encoding]).0;
        assert_eq!(states(&plain), states(&typed), "{name}");
    }
}

/// The cls- and mean-pooled vectors of every layer of a real checkpoint, text by text.
pub(crate) fn minilm(compute: Compute) -> Vec<(String, Vec<f32>, Vec<f32>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.models/all-MiniLM-L6-v2");
    let checkpoint = Checkpoint::open(&folder).expect("the model is in place; `make setup` puts it there");
    let options = FeatureRequest {
        layers: "all".parse().unwrap(),
        pooling: vec![Pooling::Cls, Pooling::Mean],
        ..FeatureRequest::default()
    };
    let features = Features::resolve(&options, &checkpoint.config).unwrap();
    let extractor = Extractor::load(&checkpoint, features, DeviceKind::Cpu, compute, None).unwrap();
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

/// A checkpoint of a family with these numbers in its configuration, and random weights.
pub(crate) fn with_numbers(name: &str, folder: &Path, numbers: &[(&str, usize)]) -> Checkpoint {
    let config = std::fs::read_to_string(fixture(name).join("config.json")).unwrap();
    let mut config: serde_json::Value = serde_json::from_str(&config).unwrap();
    for (key, value) in numbers {
        if config.get(key).is_some() {
            config[key] = (*value).into();
        }
    }
    for file in std::fs::read_dir(fixture(name)).unwrap().map(|entry| entry.unwrap().path()) {
        std::fs::copy(&file, folder.join(file.file_name().unwrap())).unwrap();
    }
    std::fs::write(folder.join("config.json"), config.to_string()).unwrap();
    Checkpoint::with_random_weights(folder, 3).unwrap()
}
