//! Every number of a run against the recorded answers of the reference implementation.

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::UInt32Type;

use crate::support::reference::{Reference, Tokens, add_up, assert_close, pool, unit};
use crate::support::tables::column;
use crate::support::{Sandbox, fixture, read_output, run, vectors};

const DEVICES: [&str; 2] = ["cpu", "flex"];
const POOLINGS: [&str; 6] = ["cls", "mean", "max", "min", "mean_max", "last"];

/// Encodes the texts of `reference` with `tiny-bert`.
fn encode(reference: &Reference, options: &str) -> RecordBatch {
    let sandbox = Sandbox::with_texts(reference.strings());
    sandbox.succeed(&run(options));
    read_output(&sandbox.path("out"))
}

/// Holds a column against what `expected` makes of each text's layers.
fn assert_column(
    output: &RecordBatch,
    name: &str,
    reference: &Reference,
    expected: impl Fn(&[Tokens]) -> Option<Vec<f64>>,
) {
    let found = vectors(output, name);
    assert_eq!(found.len(), reference.texts.len());
    for (text, found) in found.iter().enumerate() {
        let expected = expected(&reference.hidden_states(text));
        assert_close(found.as_deref(), expected.as_deref(), &format!("{name} of text {text}"));
    }
}

#[test]
fn every_layer_and_pooling_equals_the_reference_on_either_device() {
    let reference = Reference::load("tiny-bert");
    for device in DEVICES {
        let pooling = POOLINGS.join(",");
        let output =
            encode(&reference, &format!("--layers all --device {device} --pooling {pooling},pooler"));
        for layer in 0..=4 {
            for pooling in POOLINGS {
                assert_column(&output, &format!("layer_{layer}_{pooling}"), &reference, |layers| {
                    pool(pooling, &layers[layer])
                });
            }
        }
        for (text, found) in vectors(&output, "pooler_output").iter().enumerate() {
            let expected = reference.pooler_output(text);
            assert_close(found.as_deref(), Some(&expected), &format!("pooler of text {text} on {device}"));
        }
    }
}

#[test]
fn tokens_are_counted_and_cut_as_the_reference_does() {
    let reference = Reference::load("tiny-bert");
    let output = encode(&reference, "");
    let n_tokens = column(&output, "n_tokens").as_primitive::<UInt32Type>().values().to_vec();
    let truncated: Vec<bool> = column(&output, "truncated").as_boolean().values().iter().collect();
    let expected: Vec<u32> = reference.texts.iter().map(|text| text.input_ids.len() as u32).collect();
    assert_eq!(n_tokens, expected);
    assert_eq!(truncated, reference.texts.iter().map(|text| text.truncated).collect::<Vec<_>>());
    assert!(truncated.contains(&true) && truncated.contains(&false));
}

#[test]
fn every_combination_equals_the_reference_on_either_device() {
    let reference = Reference::load("tiny-bert");
    for device in DEVICES {
        for combine in ["concat", "stack", "sum", "mean"] {
            let pooling = POOLINGS.join(",");
            let options =
                format!("--layers 3,0,-1 --combine {combine} --device {device} --pooling {pooling}");
            let output = encode(&reference, &options);
            for pooling in POOLINGS {
                assert_column(&output, &format!("layers_3_0_4_{combine}_{pooling}"), &reference, |layers| {
                    combined(combine, pooling, &[&layers[3], &layers[0], &layers[4]])
                });
            }
        }
    }
}

fn combined(combine: &str, pooling: &str, layers: &[&Tokens]) -> Option<Vec<f64>> {
    let sum = || add_up(layers);
    match combine {
        "sum" => pool(pooling, &sum()),
        "mean" => {
            let sum = sum().into_iter();
            let mean: Tokens =
                sum.map(|token| token.iter().map(|value| value / layers.len() as f64).collect()).collect();
            pool(pooling, &mean)
        }
        _ => layers.iter().map(|layer| pool(pooling, layer)).collect::<Option<Vec<_>>>().map(|v| v.concat()),
    }
}

#[test]
fn normalized_vectors_are_the_reference_at_length_one() {
    let reference = Reference::load("tiny-bert");
    let output = encode(&reference, "--layers 0,-1 --pooling mean,mean_max,pooler --normalize");
    for layer in [0, 4] {
        for pooling in ["mean", "mean_max"] {
            assert_column(&output, &format!("layer_{layer}_{pooling}"), &reference, |layers| {
                pool(pooling, &layers[layer]).map(|vector| unit(&vector))
            });
        }
    }
    for (text, found) in vectors(&output, "pooler_output").iter().enumerate() {
        assert_close(found.as_deref(), Some(&unit(&reference.pooler_output(text))), "pooler");
    }
}

#[test]
fn each_vector_of_a_stack_is_normalized_and_a_concatenation_as_a_whole() {
    let reference = Reference::load("tiny-bert");
    let stack = encode(&reference, "--layers 1,2 --combine stack --normalize");
    assert_column(&stack, "layers_1_2_stack_mean", &reference, |layers| {
        Some([unit(&pool("mean", &layers[1])?), unit(&pool("mean", &layers[2])?)].concat())
    });
    let concat = encode(&reference, "--layers 1,2 --combine concat --normalize");
    assert_column(&concat, "layers_1_2_concat_mean", &reference, |layers| {
        Some(unit(&[pool("mean", &layers[1])?, pool("mean", &layers[2])?].concat()))
    });
}

#[test]
fn special_tokens_can_be_left_out_and_a_text_of_nothing_else_has_no_vector() {
    let reference = Reference::load("tiny-bert");
    for device in DEVICES {
        let pooling = POOLINGS.join(",");
        let options =
            format!("--layers 0,-1 --special-tokens exclude --device {device} --pooling {pooling},pooler");
        let output = encode(&reference, &options);
        for pooling in POOLINGS {
            assert_column(&output, &format!("layer_4_{pooling}"), &reference, |layers| {
                let tokens = &layers[4];
                let counted = if ["cls", "last"].contains(&pooling) {
                    &tokens[..]
                } else {
                    &tokens[1..tokens.len() - 1]
                };
                pool(pooling, counted)
            });
        }
        let without: Vec<&str> = reference
            .strings()
            .into_iter()
            .zip(vectors(&output, "layer_0_mean"))
            .filter_map(|(text, vector)| vector.is_none().then_some(text))
            .collect();
        assert_eq!(without, ["", " \t\n "]);
        assert!(vectors(&output, "pooler_output").iter().all(Option::is_some));
    }
}

#[test]
fn vectors_do_not_depend_on_the_batch() {
    let reference = Reference::load("tiny-bert");
    for device in DEVICES {
        for tokens in [1, 30, 100_000] {
            let options = format!("--layers 1,-1 --device {device} --max-batch-tokens {tokens}");
            let output = encode(&reference, &options);
            for layer in [1, 4] {
                assert_column(&output, &format!("layer_{layer}_mean"), &reference, |layers| {
                    pool("mean", &layers[layer])
                });
            }
        }
    }
}

#[test]
fn the_activation_of_the_configuration_is_honoured() {
    for name in ["tiny-bert-gelu_new", "tiny-bert-relu"] {
        let reference = Reference::load(name);
        let sandbox = Sandbox::with_texts(reference.strings());
        sandbox.link(name, &fixture(name));
        sandbox.succeed(&format!("run --input in.parquet --model {name} --output out --layers 2,-1"));
        let output = read_output(&sandbox.path("out"));
        for layer in [2, 4] {
            assert_column(&output, &format!("layer_{layer}_mean"), &reference, |layers| {
                pool("mean", &layers[layer])
            });
        }
    }
}

#[test]
fn both_generations_of_tensor_names_give_the_same_vectors() {
    let sandbox = Sandbox::with_texts(Reference::load("tiny-bert").strings());
    sandbox.link("legacy", &fixture("tiny-bert-legacy"));
    sandbox.succeed(&run("--layers all --pooling mean,pooler"));
    sandbox.succeed(
        "run --input in.parquet --model legacy --output legacy-out --layers all --pooling mean,pooler",
    );
    let (new, old) = (read_output(&sandbox.path("out")), read_output(&sandbox.path("legacy-out")));
    assert_eq!(new.columns(), old.columns());
}
