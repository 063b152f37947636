//! How far bfloat16 and int8 may be from float32: the direction of every vector.

use burn::tensor::Device;

use crate::parity::{
    FAMILIES, VARIANTS, encodings, fixture, load, minilm, reference, run, tensor, with_numbers,
};
use crate::{Checkpoint, Compute, DeviceKind};

/// Whether the processor lacks the instructions; what happens then is for a test of its own.
#[expect(clippy::print_stderr, reason = "a test that is skipped has to say so")]
pub(crate) fn skips(compute: Compute) -> bool {
    let lacks = compute.check(DeviceKind::Cpu).is_err();
    if lacks {
        eprintln!("skipped: this processor has no instructions for {compute}");
    }
    lacks
}

fn cosine(one: &[f32], other: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    dot(one, other) / (dot(one, one) * dot(other, other)).sqrt()
}

/// Every family and variant, on both backends of the processor.
fn everywhere() -> impl Iterator<Item = (&'static str, Device)> {
    let devices = [DeviceKind::Cpu, DeviceKind::Flex].map(|device| device.open().unwrap());
    let names = FAMILIES.into_iter().chain(VARIANTS);
    names.flat_map(move |name| devices.clone().map(|device| (name, device)))
}

#[test]
fn bfloat16_keeps_the_direction_of_every_token_in_every_layer() {
    if skips(Compute::BFloat16) {
        return;
    }
    for (name, device) in everywhere() {
        let checkpoint = Checkpoint::open(&fixture(name)).unwrap();
        let (reference, states) = reference(name);
        let model = load(&checkpoint, &device, Compute::BFloat16);
        let hidden = checkpoint.config.hidden_size;
        for (index, encoding) in encodings(&checkpoint, &reference).iter().enumerate() {
            let (found, _) = run(&model, &[encoding]);
            let (_, expected) = tensor(&states, &format!("text_{index}.hidden_states"));
            for (found, expected) in found.concat().chunks(hidden).zip(expected.chunks(hidden)) {
                let cosine = cosine(found, expected);
                assert!(cosine > 0.999, "{name}, text {index}: {cosine}");
            }
        }
    }
}

#[test]
fn int8_keeps_the_direction_of_every_token_in_every_layer_of_every_family() {
    if skips(Compute::Int8) {
        return;
    }
    let numbers = [("hidden_size", 64), ("dim", 64), ("intermediate_size", 128), ("hidden_dim", 128)];
    let heads = [("num_attention_heads", 2), ("n_heads", 2)];
    for (name, device) in everywhere() {
        let folder = tempfile::tempdir().unwrap();
        let checkpoint = with_numbers(name, folder.path(), &[numbers.as_slice(), &heads].concat());
        let [exact, model] =
            [Compute::Float32, Compute::Int8].map(|compute| load(&checkpoint, &device, compute));
        for encoding in &encodings(&checkpoint, &reference(name).0) {
            let states = |model| run(model, &[encoding]).0.concat();
            let (expected, found) = (states(&exact), states(&model));
            assert_ne!(expected, found, "{name}: int8 was at work");
            for (found, expected) in found.chunks(64).zip(expected.chunks(64)) {
                let cosine = cosine(found, expected);
                // A token of padding may have no direction.
                assert!(cosine > 0.999 || found == expected, "{name}: {cosine}");
            }
        }
    }
}

#[test]
fn int8_is_refused_of_widths_that_it_does_not_take() {
    let checkpoint = Checkpoint::open(&fixture("tiny-bert")).unwrap();
    let refused = Compute::Int8.check_widths(&checkpoint.config).unwrap_err().to_string();
    assert!(refused.contains("hidden_size 20") && refused.contains("multiples of 64"), "{refused}");
}

#[test]
fn a_real_model_keeps_its_directions_in_bfloat16_and_int8() {
    for compute in [Compute::BFloat16, Compute::Int8].into_iter().filter(|compute| !skips(*compute)) {
        for (what, found, expected) in minilm(compute) {
            let cosine = cosine(&found, &expected);
            assert!(cosine > 0.999, "{compute}, {what}: {cosine}");
        }
    }
}
