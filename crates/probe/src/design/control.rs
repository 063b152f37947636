//! The control task: labels that say nothing, but are the same wherever a type is (Hewitt and Liang, 2019).

use std::collections::HashMap;

use super::{Draw, generator};
use crate::score::below;

/// For each row the label of another row, drawn at random for its type: `types` says which one that is.
pub fn control_labels<T: Copy>(labels: &[T], types: &[u32], seed: u64) -> Vec<T> {
    let mut generator = generator(seed, Draw::Control);
    let mut drawn: HashMap<u32, T> = HashMap::new();
    types
        .iter()
        .map(|&of| *drawn.entry(of).or_insert_with(|| labels[below(&mut generator, labels.len())]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_has_one_label_and_labels_are_as_frequent_as_before() {
        let labels: Vec<u32> = (0..40_000).map(|row| u32::from(row % 4 == 0)).collect();
        let types: Vec<u32> = (0..40_000).map(|row| row / 2).collect();
        let control = control_labels(&labels, &types, 5);
        assert!(control.chunks_exact(2).all(|pair| pair[0] == pair[1]));
        let ones = control.iter().sum::<u32>();
        assert!((9_500..10_500).contains(&ones), "{ones}");
        assert_eq!(control, control_labels(&labels, &types, 5));
        assert_ne!(control, control_labels(&labels, &types, 6));
    }
}
