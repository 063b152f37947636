//! What is probed, and how.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, VariantNames};

/// What is probed, and how.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The output whose columns are probed.
    pub vectors: PathBuf,
    /// The column of labels.
    pub label: String,
    /// What the labels are; by their type if nothing is said.
    pub task: Option<Task>,
    /// The column whose equal values are on one side of every split.
    pub group: Option<String>,
    /// The column that says which rows are for training, for development and for the test.
    pub split: Option<String>,
    /// The column whose equal values are of one type: they share a label of the control task, and the most
    /// frequent label of a type is a baseline.
    pub types: Option<String>,
    /// The columns of vectors; all of them if none is named.
    pub columns: Vec<String>,
    /// An output of the same rows from another model, such as one with random weights: probed in the same way.
    pub control: Option<PathBuf>,
    /// An output of the same rows from another model, with whose layers those of the first are compared.
    pub compare: Option<PathBuf>,
    /// What is trained.
    pub probe: Probe,
    /// The first seed of splits, control labels and resampling.
    pub seed: u64,
    /// How many seeds, each with a split of its own.
    pub seeds: usize,
    /// Resamples that an interval rests on.
    pub resamples: usize,
    /// Classes with fewer rows are left out.
    pub min_rows: usize,
}

impl Settings {
    /// A linear probe of all columns for `label`, with all that can be left out left out.
    pub fn new(vectors: impl Into<PathBuf>, label: impl Into<String>) -> Self {
        Self {
            vectors: vectors.into(),
            label: label.into(),
            task: None,
            group: None,
            split: None,
            types: None,
            columns: Vec::new(),
            control: None,
            compare: None,
            probe: Probe::Linear,
            seed: 0,
            seeds: 3,
            resamples: 1000,
            min_rows: 10,
        }
    }
}

/// What labels are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, Display, VariantNames, Serialize, Deserialize)]
#[strum(serialize_all = "lowercase")]
#[serde(rename_all = "lowercase")]
pub enum Task {
    /// One of some classes.
    Classes,
    /// Numbers, of which larger ones are more.
    Numbers,
}

/// What is trained.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, EnumString, Display, VariantNames, Serialize, Deserialize,
)]
#[strum(serialize_all = "lowercase")]
#[serde(rename_all = "lowercase")]
pub enum Probe {
    /// Multinomial logistic regression for classes, ridge regression for numbers.
    #[default]
    Linear,
    /// A hidden layer of 64 rectified units.
    Mlp,
}
