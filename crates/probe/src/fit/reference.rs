//! What is learned of small tables, against what scikit-learn learns of them.

use burn::tensor::FloatDType;
use serde::Deserialize;

use super::{Lesson, Material, Predictions, Rows, Targets};
use crate::score::{accuracy, macro_f1, order, r_squared, spearman};
use crate::settings::Probe;

#[derive(Deserialize)]
struct Reference {
    train: usize,
    vectors: Vec<Vec<f32>>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    l2: f64,
    #[serde(default)]
    labels: Vec<u32>,
    #[serde(default)]
    numbers: Vec<f64>,
    coefficients: Vec<Vec<f64>>,
    intercepts: Numbers,
    #[serde(default)]
    said: Vec<u32>,
    #[serde(default)]
    said_numbers: Vec<f64>,
    scores: [f64; 2],
}

/// One number or several.
#[derive(Deserialize)]
#[serde(untagged)]
enum Numbers {
    One(f64),
    Several(Vec<f64>),
}

fn rows(vectors: &[Vec<f32>]) -> Rows {
    let mut rows = Rows::new(vectors.len(), vectors[0].len());
    vectors.iter().enumerate().for_each(|(row, values)| rows.row_mut(row).copy_from_slice(values));
    rows
}

#[test]
fn coefficients_are_those_of_scikit_learn_and_what_is_said_of_each_row_is_the_same() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/probe/reference.json");
    let reference: Reference = serde_json::from_slice(&fs_err::read(path).unwrap()).unwrap();
    let (train, all) = (reference.train, reference.vectors.len());
    for case in &reference.cases {
        let targets = match case.labels.iter().max() {
            Some(&largest) => Targets::Classes { of: case.labels.clone(), count: largest as usize + 1 },
            None => Targets::Numbers(case.numbers.clone()),
        };
        let material = Material::new(rows(&reference.vectors), 0..train, Probe::Linear, &targets);
        let lesson =
            Lesson { material: &material, targets: &targets, train: 0..train, probe: Probe::Linear, seed: 0 };
        let trained = lesson.fit(case.l2, 0..train, None, FloatDType::F64);
        let what = format!("{} at {}", case.name, case.l2);
        assert!(trained.converged, "{what}");

        let width = reference.vectors[0].len();
        let axes = material.axes.as_ref().unwrap();
        let expected: Vec<f64> = match &case.intercepts {
            Numbers::One(intercept) => vec![*intercept],
            Numbers::Several(intercepts) => intercepts.clone(),
        };
        let outputs = targets.outputs();
        for output in 0..outputs {
            let found = axes.to_places(&trained.parameters[output * width..][..width]);
            for (found, expected) in found.iter().zip(&case.coefficients[output]) {
                assert!((found - expected).abs() < 1e-3, "{what}: {found}, expected {expected}");
            }
            let found = trained.parameters[outputs * width + output];
            assert!(
                (found - expected[output]).abs() < 1e-3,
                "{what}: {found}, expected {}",
                expected[output]
            );
        }

        let weights = vec![1; all - train];
        match lesson.predict(&trained, train..all) {
            Predictions::Classes(said) => {
                assert_eq!(said, case.said, "{what}");
                let of = &case.labels[train..];
                assert!((accuracy(of, &said, &weights) - case.scores[0]).abs() < 1e-12, "{what}");
                assert!(
                    (macro_f1(of, &said, &weights, outputs.max(2)) - case.scores[1]).abs() < 1e-12,
                    "{what}"
                );
            }
            Predictions::Numbers(said) => {
                for (found, expected) in said.iter().zip(&case.said_numbers) {
                    assert!((found - expected).abs() < 1e-3, "{what}: {found}, expected {expected}");
                }
                let of = &case.numbers[train..];
                assert!((r_squared(of, &said, &weights) - case.scores[0]).abs() < 1e-5, "{what}");
                let found = spearman(of, &said, [&order(of), &order(&said)], &weights);
                assert!((found - case.scores[1]).abs() < 1e-9, "{what}: {found}");
            }
        }
    }
}

#[test]
fn a_hidden_layer_learns_what_no_linear_map_can() {
    // Whether two signs agree.
    let mut state = 3_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1_u64 << 24) as f32 - 0.5
    };
    let vectors: Vec<Vec<f32>> = (0..900).map(|_| vec![next(), next(), next()]).collect();
    let of: Vec<u32> = vectors.iter().map(|v| u32::from((v[0] > 0.0) == (v[1] > 0.0))).collect();
    let targets = Targets::Classes { of: of.clone(), count: 2 };
    let score = |probe| {
        let material = Material::new(rows(&vectors), 0..600, probe, &targets);
        let lesson = Lesson { material: &material, targets: &targets, train: 0..600, probe, seed: 1 };
        let trained = lesson.choose(600..700, || Ok::<_, ()>(())).unwrap();
        let Predictions::Classes(said) = lesson.predict(&trained, 700..900) else { panic!("numbers") };
        assert_eq!(lesson.choose(600..700, || Ok::<_, ()>(())).unwrap().parameters, trained.parameters);
        accuracy(&of[700..], &said, &[1; 200])
    };
    let (linear, hidden) = (score(Probe::Linear), score(Probe::Mlp));
    assert!(linear < 0.65 && hidden > 0.93, "{linear} {hidden}");
}
