//! How often an interval holds what is true.

use burn::tensor::FloatDType;
use chacha20::rand_core::Rng;

use crate::design::{Draw, Resampling, Split, Universe, generator};
use crate::fit::{Lesson, Material, Rows, Targets};
use crate::score::Resampled;
use crate::settings::Probe;
use crate::study::column::Scores;

/// A study of a label that nothing tells: whatever is learned of it is right half the time.
#[derive(Debug, Clone, Copy)]
struct Study {
    /// Rows come in groups that share their label, as words of a document do.
    rows_of_a_group: usize,
    seeds: u64,
    /// All seeds ask the same rows.
    is_stated: bool,
}

impl Study {
    fn holds(self, number: u64) -> bool {
        const GROUPS: usize = 300;
        let mut draw = generator(number, Draw::Control);
        let rows = GROUPS * self.rows_of_a_group;
        let groups: Vec<u32> = (0..rows).map(|row| (row / self.rows_of_a_group) as u32).collect();
        let of_group: Vec<u32> = (0..GROUPS).map(|_| draw.next_u32() & 1).collect();
        let labels: Vec<u32> = groups.iter().map(|&group| of_group[group as usize]).collect();
        let vectors: Vec<[f32; 3]> =
            (0..rows).map(|_| [(); 3].map(|()| draw.next_u32() as f32 / u32::MAX as f32 - 0.5)).collect();
        let splits: Vec<Split> = (0..self.seeds)
            .map(|seed| {
                Split::draw(&groups, None, if self.is_stated { number } else { number + 1000 * seed })
                    .unwrap()
            })
            .collect();
        let asked = |split: &Split| split.arrange(&groups)[split.test.clone()].to_vec();
        let universe = Universe::new(splits.iter().flat_map(asked), number, 300);
        let mut score = Resampled::default();
        for split in &splits {
            let mut matrix = Rows::new(rows, 3);
            for (place, values) in split.arrange(&vectors).iter().enumerate() {
                matrix.row_mut(place).copy_from_slice(values);
            }
            let targets = Targets::Classes { of: split.arrange(&labels), count: 2 };
            let train = split.train.clone();
            let material = Material::new(matrix, train.clone(), Probe::Linear, &targets);
            let (probe, seed) = (Probe::Linear, number);
            let lesson = Lesson { material: &material, targets: &targets, train: train.clone(), probe, seed };
            let trained = lesson.fit(1.0, train, None, FloatDType::F32);
            let resampling = Resampling::new(&universe, &asked(split));
            let scores = Scores { targets: &targets, rows: split.test.clone(), resampling: &resampling };
            let said = lesson.predict(&trained, split.test.clone());
            scores.add(&said, &mut score, &mut Resampled::default());
        }
        let estimate = score.estimate(number);
        (estimate.low..=estimate.high).contains(&0.5)
    }
}

#[test]
fn about_19_of_20_intervals_of_a_random_label_hold_chance_also_where_rows_come_in_groups_and_of_many_seeds() {
    for (rows_of_a_group, seeds, is_stated) in
        [(1, 1, false), (4, 1, false), (1, 3, false), (1, 3, true), (1, 10, false), (1, 10, true)]
    {
        let study = Study { rows_of_a_group, seeds, is_stated };
        let held = (0..500).filter(|&number| study.holds(number)).count();
        // 475 are expected, and 3 standard deviations are 15. Resamples of 60 groups vary a little less than new ones;
        // of several splits, means vary less than is taken for sure.
        assert!((455..=500).contains(&held), "{held} of 500: {study:?}");
    }
}
