//! Forward passes over BERT-base shapes, and beside each the same matrix products alone, as
//! libtorch does them: the quotient of the two rates says how far the pass is from the machine's limit.
//!
//! `cargo bench --release -p strata-bert -- bfloat16/16x128` runs a part of it. Rates are tokens per
//! second of a model of [`LAYERS`] layers.

use std::path::Path;

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use half::bf16;
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use strata_bert::{Checkpoint, Compute, DeviceKind, Encoding, Extractor, FeatureOptions, Features, Pooling};
use tch::{Device, Kind, Tensor};

const LAYERS: usize = 4;
const HIDDEN: usize = 768;
const WIDE: usize = 3072;
const VOCABULARY: usize = 1000;
const POSITIONS: usize = 512;

/// Rows and tokens of each.
const BATCHES: [(usize, usize); 4] = [(8, 128), (32, 32), (16, 128), (4, 512)];

/// Writes a checkpoint of random weights.
fn random_checkpoint(folder: &Path) -> Checkpoint {
    let config = format!(
        r#"{{"model_type": "bert", "hidden_size": {HIDDEN}, "intermediate_size": {WIDE}, "num_hidden_layers": {LAYERS},
        "num_attention_heads": 12, "vocab_size": {VOCABULARY}, "max_position_embeddings": {POSITIONS},
        "type_vocab_size": 2, "layer_norm_eps": 1e-12, "hidden_act": "gelu", "pad_token_id": 0}}"#
    );
    std::fs::write(folder.join("config.json"), config).expect("a temporary folder can be written");
    std::fs::write(folder.join("tokenizer.json"), "{}").expect("a temporary folder can be written");
    let mut shapes: Vec<(String, Vec<usize>)> = vec![
        ("embeddings.word_embeddings.weight".to_owned(), vec![VOCABULARY, HIDDEN]),
        ("embeddings.position_embeddings.weight".to_owned(), vec![POSITIONS, HIDDEN]),
        ("embeddings.token_type_embeddings.weight".to_owned(), vec![2, HIDDEN]),
        ("embeddings.LayerNorm.weight".to_owned(), vec![HIDDEN]),
        ("embeddings.LayerNorm.bias".to_owned(), vec![HIDDEN]),
    ];
    for layer in 0..LAYERS {
        for (name, output, input) in [
            ("attention.self.query", HIDDEN, HIDDEN),
            ("attention.self.key", HIDDEN, HIDDEN),
            ("attention.self.value", HIDDEN, HIDDEN),
            ("attention.output.dense", HIDDEN, HIDDEN),
            ("intermediate.dense", WIDE, HIDDEN),
            ("output.dense", HIDDEN, WIDE),
        ] {
            shapes.push((format!("encoder.layer.{layer}.{name}.weight"), vec![output, input]));
            shapes.push((format!("encoder.layer.{layer}.{name}.bias"), vec![output]));
        }
        for name in ["attention.output", "output"] {
            shapes.push((format!("encoder.layer.{layer}.{name}.LayerNorm.weight"), vec![HIDDEN]));
            shapes.push((format!("encoder.layer.{layer}.{name}.LayerNorm.bias"), vec![HIDDEN]));
        }
    }
    let mut state = 1u32;
    let mut value = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        bf16::from_f32(((state >> 16) as f32 / 65536.0 - 0.5) * 0.07).to_le_bytes()
    };
    let data: Vec<Vec<u8>> =
        shapes.iter().map(|(_, shape)| (0..shape.iter().product()).flat_map(&mut value).collect()).collect();
    let views = shapes.iter().zip(&data).map(|((name, shape), bytes)| {
        (name, TensorView::new(Dtype::BF16, shape.clone(), bytes).expect("the bytes fill the shape"))
    });
    safetensors::serialize_to_file(views, None, &folder.join("model.safetensors"))
        .expect("a temporary folder can be written");
    Checkpoint::open(folder).expect("the checkpoint was just written")
}

fn extractor(checkpoint: &Checkpoint, compute: Compute) -> Extractor {
    let options = FeatureOptions {
        layers: "-1".parse().expect("a valid layer"),
        pooling: vec![Pooling::Mean],
        ..FeatureOptions::default()
    };
    let features = Features::resolve(&options, &checkpoint.config).expect("the last layer exists");
    Extractor::load(checkpoint, features, DeviceKind::Cpu, compute)
        .expect("the weights belong to the configuration")
}

fn encoding(seq_len: usize) -> Encoding {
    Encoding {
        input_ids: (0..seq_len as u32).map(|at| at * 31 % VOCABULARY as u32).collect(),
        token_type_ids: vec![0; seq_len],
        special_tokens_mask: vec![false; seq_len],
    }
}

/// The four products of each layer by themselves.
fn products(tokens: usize, kind: Kind) -> impl Fn() {
    let pairs =
        [(HIDDEN, 3 * HIDDEN), (HIDDEN, HIDDEN), (HIDDEN, WIDE), (WIDE, HIDDEN)].map(|(inputs, outputs)| {
            let random = |rows: usize, columns: usize| {
                Tensor::randn([rows as i64, columns as i64], (Kind::Float, Device::Cpu)).to_kind(kind)
            };
            (random(tokens, inputs), random(outputs, inputs))
        });
    move || {
        for _ in 0..LAYERS {
            for (input, weight) in &pairs {
                let _ = std::hint::black_box(input.linear(weight, None::<&Tensor>));
            }
        }
    }
}

fn forward(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let checkpoint = random_checkpoint(folder.path());
    for (compute, kind) in [(Compute::Float32, Kind::Float), (Compute::BFloat16, Kind::BFloat16)] {
        if compute.check(DeviceKind::Cpu).is_err() {
            continue;
        }
        let extractor = extractor(&checkpoint, compute);
        let mut group = criterion.benchmark_group(compute.to_string());
        group.sample_size(10).sampling_mode(SamplingMode::Flat);
        for (rows, seq_len) in BATCHES {
            let encoding = encoding(seq_len);
            let batch = vec![&encoding; rows];
            let shape = format!("{rows}x{seq_len}");
            group.throughput(Throughput::Elements((rows * seq_len) as u64));
            group.bench_function(BenchmarkId::new(&shape, "forward"), |b| {
                b.iter(|| extractor.extract(&batch))
            });
            let products = products(rows * seq_len, kind);
            group.bench_function(BenchmarkId::new(&shape, "products"), |b| b.iter(&products));
        }
    }
}

criterion_group!(benches, forward);
criterion_main!(benches);
