//! Forward passes over BERT-base shapes, and beside each the same matrix products alone: as libtorch
//! does them, and as fast as the processor's multiplications go when nothing is ever fetched. The
//! quotients of the rates say how far the pass is from either.
//!
//! `cargo bench --profile release --workspace --features strata/libtorch --bench forward -- bfloat16/16x128` runs a part of it. Rates are tokens per
//! second of a model of [`LAYERS`] layers.

use std::path::Path;

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use half::bf16;
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use strata_bert::{Checkpoint, Compute, DeviceKind, Encoding, Extractor, FeatureRequest, Features, Pooling};
use tch::{Device, Kind, Tensor};

const LAYERS: usize = 4;
const HIDDEN: usize = 768;
const WIDE: usize = 3072;
/// Of one token in the products of one layer.
const MULTIPLICATIONS: usize = 4 * HIDDEN * HIDDEN + 2 * HIDDEN * WIDE;
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
    let options = FeatureRequest {
        layers: "-1".parse().expect("a valid layer"),
        pooling: vec![Pooling::Mean],
        ..FeatureRequest::default()
    };
    let features = Features::resolve(&options, &checkpoint.config).expect("the last layer exists");
    Extractor::load(checkpoint, features, DeviceKind::Cpu, compute, None)
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

/// As many multiplications as the products of a batch take, all of them on registers.
#[cfg(target_arch = "x86_64")]
mod registers {
    use std::arch::x86_64::*;
    use std::hint::black_box;

    use strata_bert::Compute;

    /// Enough of them that none waits for the one before it, and as many as registers have room for.
    const SUMS: usize = 24;
    /// The same where there are half as many registers.
    const FEW: usize = 12;

    /// None where the processor lacks the instructions, or has tile registers, which do more.
    pub fn multiply(compute: Compute, multiplications: usize) -> Option<impl Fn()> {
        const AMX_BF16: u32 = 1 << 22;
        let is_narrow = std::env::var_os("STRATA_CPU").is_some_and(|newest| newest == "avx2");
        let (run, at_once): (unsafe fn(usize) -> f32, _) = match compute {
            Compute::Float32 if is_x86_feature_detected!("avx512f") && !is_narrow => (float32, SUMS * 16),
            Compute::Float32 if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") => {
                (narrow_float32, FEW * 8)
            }
            Compute::BFloat16
                if is_x86_feature_detected!("avx512bf16") && __cpuid_count(7, 0).edx & AMX_BF16 == 0 =>
            {
                (bfloat16, SUMS * 32)
            }
            Compute::Int8 if is_x86_feature_detected!("avx512vnni") && !is_narrow => (int8, SUMS * 64),
            _ => return None,
        };
        let threads = usize::try_from(tch::get_num_threads()).expect("there are threads");
        let rounds = multiplications / (at_once * threads);
        Some(move || {
            std::thread::scope(|scope| {
                for _ in 0..threads {
                    // SAFETY: the processor was asked for the instructions.
                    scope.spawn(|| black_box(unsafe { run(rounds) }));
                }
            });
        })
    }

    #[target_feature(enable = "avx512f")]
    unsafe fn float32(rounds: usize) -> f32 {
        let (a, b) = black_box((_mm512_set1_ps(1.0), _mm512_set1_ps(1e-9)));
        let mut sums = [_mm512_setzero_ps(); SUMS];
        for _ in 0..rounds {
            sums.iter_mut().for_each(|sum| *sum = _mm512_fmadd_ps(a, b, *sum));
        }
        sums.iter().map(|&sum| _mm512_reduce_add_ps(sum)).sum()
    }

    #[target_feature(enable = "avx2,fma")]
    unsafe fn narrow_float32(rounds: usize) -> f32 {
        let (a, b) = black_box((_mm256_set1_ps(1.0), _mm256_set1_ps(1e-9)));
        let mut sums = [_mm256_setzero_ps(); FEW];
        for _ in 0..rounds {
            sums.iter_mut().for_each(|sum| *sum = _mm256_fmadd_ps(a, b, *sum));
        }
        sums.iter().map(|&sum| _mm256_cvtss_f32(black_box(sum))).sum()
    }

    #[target_feature(enable = "avx512f,avx512bf16")]
    unsafe fn bfloat16(rounds: usize) -> f32 {
        let (a, b) = black_box((_mm512_set1_ps(1.0), _mm512_set1_ps(1e-9)));
        let [a, b] = [a, b].map(|value| _mm512_cvtne2ps_pbh(value, value));
        let mut sums = [_mm512_setzero_ps(); SUMS];
        for _ in 0..rounds {
            sums.iter_mut().for_each(|sum| *sum = _mm512_dpbf16_ps(*sum, a, b));
        }
        sums.iter().map(|&sum| _mm512_reduce_add_ps(sum)).sum()
    }

    #[target_feature(enable = "avx512f,avx512vnni")]
    unsafe fn int8(rounds: usize) -> f32 {
        let (a, b) = black_box((_mm512_set1_epi8(1), _mm512_set1_epi8(1)));
        let mut sums = [_mm512_setzero_si512(); SUMS];
        for _ in 0..rounds {
            sums.iter_mut().for_each(|sum| *sum = _mm512_dpbusd_epi32(*sum, a, b));
        }
        sums.iter().map(|&sum| _mm512_reduce_add_epi32(sum) as f32).sum()
    }
}

fn forward(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let checkpoint = random_checkpoint(folder.path());
    let types = [
        (Compute::Float32, Some(Kind::Float)),
        (Compute::BFloat16, Some(Kind::BFloat16)),
        // libtorch has no such product.
        (Compute::Int8, None),
    ];
    for (compute, kind) in types {
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
            if let Some(kind) = kind {
                let products = products(rows * seq_len, kind);
                group.bench_function(BenchmarkId::new(&shape, "products"), |b| b.iter(&products));
            }
            #[cfg(target_arch = "x86_64")]
            if let Some(multiply) = registers::multiply(compute, rows * seq_len * LAYERS * MULTIPLICATIONS) {
                group.bench_function(BenchmarkId::new(&shape, "registers"), |b| b.iter(&multiply));
            }
        }
    }
}

criterion_group!(benches, forward);
criterion_main!(benches);
