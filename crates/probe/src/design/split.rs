//! Which rows are learned from, which decide about the penalty, which are asked.

use std::ops::Range;

use chacha20::rand_core::Rng;

use super::{Draw, generator};
use crate::score::below;

/// Shares of the rows that the test and development have; the rest is learned from.
const TEST: f64 = 0.2;
const DEVELOPMENT: f64 = 0.1;
/// How many times its share a side may have.
const MOST: f64 = 1.5;

/// A side of a split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    Train,
    Development,
    Test,
}

/// What somebody else decided.
pub struct Stated {
    /// The side of each row.
    pub parts: Vec<Part>,
    /// Whether some rows are for development.
    pub has_development: bool,
}

/// The rows in the order in which they lie in memory: those that are learned from, in a random order of groups, then
/// development's, then the test's.
#[derive(Debug, Clone)]
pub struct Split {
    /// The rows.
    pub order: Vec<u32>,
    /// Places of the first, the second, the third side.
    pub train: Range<usize>,
    pub development: Range<usize>,
    pub test: Range<usize>,
}

impl Split {
    /// Divides rows, of which `groups` says who belongs together. None if there are too few groups for three sides.
    pub fn draw(groups: &[u32], stated: Option<&Stated>, seed: u64) -> Option<Self> {
        let count = groups.iter().max().map_or(0, |&group| group as usize + 1);
        let mut sizes = vec![0_usize; count];
        groups.iter().for_each(|&group| sizes[group as usize] += 1);
        let mut shuffled: Vec<u32> = (0..count as u32).filter(|&group| sizes[group as usize] > 0).collect();
        shuffle(&mut shuffled, &mut generator(seed, Draw::Split));

        // The side of each group; a group that somebody else divided goes by its rows.
        let mut sides = vec![Part::Train; count];
        // Groups that may change sides, and how many rows of each would.
        let movable: Vec<usize> = match stated {
            None => sizes.clone(),
            Some(Stated { parts, .. }) => {
                let mut learned = vec![0; count];
                let of_train = groups.iter().zip(parts).filter(|(_, part)| **part == Part::Train);
                of_train.for_each(|(&group, _)| learned[group as usize] += 1);
                learned
            }
        };
        let rows = movable.iter().sum::<usize>() as f64;
        let mut give = |part: Part, share: f64| {
            let (wanted, mut given) = ((share * rows).max(1.0), 0.0);
            for &group in &shuffled {
                let size = movable[group as usize] as f64;
                let is_free = size > 0.0 && sides[group as usize] == Part::Train;
                // A large group stays where the most rows are.
                if is_free && given < wanted && given + size <= MOST * wanted.max(2.0) {
                    sides[group as usize] = part;
                    given += size;
                }
            }
            // All of them are large: the smallest goes.
            let free = shuffled
                .iter()
                .filter(|&&group| movable[group as usize] > 0 && sides[group as usize] == Part::Train);
            if given == 0.0
                && let Some(&smallest) = free.min_by_key(|&&group| movable[group as usize])
            {
                sides[smallest as usize] = part;
            }
        };
        match stated {
            None => {
                give(Part::Test, TEST);
                give(Part::Development, DEVELOPMENT);
            }
            Some(Stated { has_development: false, .. }) => give(Part::Development, DEVELOPMENT),
            Some(Stated { has_development: true, .. }) => {}
        }
        let side = |row: usize| match stated {
            None => sides[groups[row] as usize],
            Some(stated) => match (stated.parts[row], sides[groups[row] as usize]) {
                (Part::Train, Part::Development) => Part::Development,
                (stated, _) => stated,
            },
        };
        let mut places = vec![0_u32; count];
        shuffled.iter().enumerate().for_each(|(place, &group)| places[group as usize] = place as u32);
        let mut order: Vec<u32> = (0..groups.len() as u32).collect();
        order.sort_by_key(|&row| (side(row as usize), places[groups[row as usize] as usize], row));
        let end = |part: Part| order.partition_point(|&row| side(row as usize) <= part);
        let (train, development) = (end(Part::Train), end(Part::Development));
        let split =
            Self { train: 0..train, development: train..development, test: development..order.len(), order };
        let is_whole = [&split.train, &split.development, &split.test].iter().all(|side| !side.is_empty());
        is_whole.then_some(split)
    }

    /// Values of rows in the order of the split.
    pub fn arrange<T: Copy>(&self, values: &[T]) -> Vec<T> {
        self.order.iter().map(|&row| values[row as usize]).collect()
    }

    /// The place of each row.
    pub fn places(&self) -> Vec<u32> {
        let mut places = vec![0; self.order.len()];
        self.order.iter().enumerate().for_each(|(place, &row)| places[row as usize] = place as u32);
        places
    }
}

/// Brings values into a random order (Fisher and Yates).
pub fn shuffle<T>(values: &mut [T], generator: &mut impl Rng) {
    for last in (1..values.len()).rev() {
        values.swap(last, below(generator, last + 1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_row_is_on_one_side_and_no_group_on_two(
            groups in prop::collection::vec(0_u32..40, 60..400),
            seed in 0_u64..1000,
        ) {
            let split = Split::draw(&groups, None, seed).unwrap();
            let mut rows = split.order.clone();
            rows.sort_unstable();
            prop_assert!(rows.iter().copied().eq(0..groups.len() as u32));
            let of = |places: &Range<usize>| -> std::collections::BTreeSet<u32> {
                split.order[places.clone()].iter().map(|&row| groups[row as usize]).collect()
            };
            let [a, b, c] = [of(&split.train), of(&split.development), of(&split.test)];
            prop_assert!(a.is_disjoint(&b) && b.is_disjoint(&c) && a.is_disjoint(&c));
            prop_assert_eq!(split.arrange(&groups), split.order.iter().map(|&r| groups[r as usize]).collect::<Vec<_>>());
            // Rows of a group lie together, so that a prefix of what is learned from has whole groups.
            let train = &split.arrange(&groups)[split.train.clone()];
            prop_assert_eq!(train.chunk_by(|a, b| a == b).count(), a.len());
            for (row, &place) in split.places().iter().enumerate() {
                prop_assert_eq!(split.order[place as usize] as usize, row);
            }
        }
    }

    #[test]
    fn sides_have_about_their_shares_and_other_seeds_other_rows() {
        let groups: Vec<u32> = (0..1000).collect();
        let split = |seed| Split::draw(&groups, None, seed).unwrap();
        let one = split(1);
        assert_eq!((one.train.len(), one.development.len(), one.test.len()), (700, 100, 200));
        assert_eq!(one.order, split(1).order);
        assert_ne!(one.order, split(2).order);
    }

    #[test]
    fn what_somebody_else_decided_stays_and_development_comes_out_of_what_is_learned_from() {
        let groups: Vec<u32> = (0..100).map(|row| row / 5).collect();
        let parts: Vec<Part> = (0..100).map(|row| if row < 60 { Part::Train } else { Part::Test }).collect();
        let split = Split::draw(&groups, Some(&Stated { parts, has_development: false }), 3).unwrap();
        assert!(split.order[split.test.clone()].iter().all(|&row| row >= 60) && split.test.len() == 40);
        assert_eq!((split.train.len(), split.development.len()), (55, 5));
    }

    #[test]
    fn two_groups_do_not_suffice() {
        assert!(Split::draw(&[0, 0, 1, 1], None, 0).is_none());
    }
}
