//! How often an interval holds what is true.

use burn::tensor::FloatDType;
use chacha20::rand_core::Rng;

use crate::design::{Draw, Resampling, Split, generator};
use crate::fit::{Lesson, Material, Rows, Targets};
use crate::score::Resampled;
use crate::settings::Probe;
use crate::study::column::Scores;

/// A label that nothing tells: whatever is learned of it is right half the time. Rows come in groups that share their
/// label, as words of a document do.
fn holds(seed: u64, rows_of_a_group: usize) -> bool {
    const GROUPS: usize = 300;
    let mut draw = generator(seed, Draw::Control);
    let rows = GROUPS * rows_of_a_group;
    let groups: Vec<u32> = (0..rows).map(|row| (row / rows_of_a_group) as u32).collect();
    let of_group: Vec<u32> = (0..GROUPS).map(|_| draw.next_u32() & 1).collect();
    let labels: Vec<u32> = groups.iter().map(|&group| of_group[group as usize]).collect();
    let split = Split::draw(&groups, None, seed).unwrap();
    let mut vectors = Rows::new(rows, 3);
    for row in 0..rows {
        vectors.row_mut(row).fill_with(|| draw.next_u32() as f32 / u32::MAX as f32 - 0.5);
    }
    let targets = Targets::Classes { of: split.arrange(&labels), count: 2 };
    let material = Material::new(vectors, split.train.clone(), Probe::Linear, &targets);
    let train = split.train.clone();
    let lesson = Lesson { material: &material, targets: &targets, train: train.clone(), probe: Probe::Linear, seed };
    let trained = lesson.fit(1.0, train, None, FloatDType::F32);
    let asked = split.arrange(&groups)[split.test.clone()].to_vec();
    let resampling = Resampling::new(&asked, seed, 400);
    let scores = Scores { targets: &targets, rows: split.test.clone(), resampling: &resampling };
    let mut score = Resampled::default();
    scores.add(&lesson.predict(&trained, split.test.clone()), &mut score, &mut Resampled::default());
    let estimate = score.estimate(seed);
    (estimate.low..=estimate.high).contains(&0.5)
}

#[test]
fn about_19_of_20_intervals_of_a_random_label_hold_chance_also_where_rows_come_in_groups() {
    for rows_of_a_group in [1, 4] {
        let held = (0..500).filter(|&seed| holds(seed, rows_of_a_group)).count();
        // 475 are expected, and 3 standard deviations are 15. Resamples of 60 groups vary a little less than new ones.
        assert!((455..=493).contains(&held), "{held} of 500, in groups of {rows_of_a_group}");
    }
}
