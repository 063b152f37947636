//! What a probe found, and the files that say it.

mod files;
mod markdown;
mod page;
mod parquet;
mod plots;
mod text;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::score::Estimate;
use crate::settings::{Probe, Task};

/// Everything that a study found.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The version of strata.
    pub strata: String,
    /// What was asked.
    pub question: Question,
    /// The rows that were probed.
    pub rows: Rows,
    /// What is right without looking at vectors.
    pub baselines: Baselines,
    /// Each column, in order.
    pub columns: Vec<ColumnReport>,
    /// The name of the column that is best on the development rows.
    pub best: String,
    /// What the probes of the best column said of the test's rows of each class, over all seeds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confusion: Option<Vec<Vec<u64>>>,
    /// How much a probe of all layers takes of each.
    pub mixes: Vec<MixReport>,
    /// How alike the columns are.
    pub cka: Cka,
    /// What should be known before anything is concluded.
    pub notes: Vec<String>,
    /// What decides the values of the vectors, of each output that was read.
    pub provenance: Provenance,
}

/// What was asked.
#[derive(Debug, Clone, Serialize)]
pub struct Question {
    /// The column of labels.
    pub label: String,
    /// What they are.
    pub task: Task,
    /// What was trained.
    pub probe: Probe,
    /// What is on one side of every split.
    pub grouped_by: String,
    /// What shares a label of the control task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub typed_by: Option<String>,
    /// The column that decides the split.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split: Option<String>,
    /// The seeds.
    pub seeds: Vec<u64>,
    /// Resamples of each interval.
    pub resamples: usize,
    /// What the score is called.
    pub score: &'static str,
    /// What the second score is called.
    pub second: &'static str,
}

/// The rows that were probed.
#[derive(Debug, Clone, Serialize)]
pub struct Rows {
    /// All rows of the output.
    pub all: usize,
    /// Those that were probed.
    pub probed: usize,
    /// Those that were not.
    pub left_out: Vec<LeftOut>,
    /// Groups among them.
    pub groups: usize,
    /// Rows of each side, for each seed: learned from, for development, asked.
    pub splits: Vec<[usize; 3]>,
    /// Rows of each class.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<Class>,
}

/// Rows that were not probed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// How many.
    pub rows: usize,
    /// Why.
    pub why: String,
}

/// A class.
#[derive(Debug, Clone, Serialize)]
pub struct Class {
    /// Its name.
    pub name: String,
    /// Its rows.
    pub rows: usize,
}

/// What is right without looking at vectors.
#[derive(Debug, Clone, Serialize)]
pub struct Baselines {
    /// The most frequent class of the rows that are learned from, or their mean.
    pub majority: Estimate,
    /// The most frequent class, or the mean, of each type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by_type: Option<Estimate>,
}

/// What was found in a column.
#[derive(Debug, Clone, Serialize)]
pub struct ColumnReport {
    /// Its name.
    pub column: String,
    /// Its layer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layer: Option<usize>,
    /// Its pooling.
    pub series: String,
    /// Values of a vector.
    pub width: usize,
    /// How right the probe is on the test's rows.
    pub score: Estimate,
    /// The second score.
    pub second: Estimate,
    /// The score on the development rows, by which the best column is chosen.
    pub development: f64,
    /// The score of the same probe on the control output's column of the same name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub control: Option<Estimate>,
    /// The score on the control task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub control_task: Option<Estimate>,
    /// How much better it is at the task than at the control task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selectivity: Option<Estimate>,
    /// Bits that say the labels of the rows that are learned from, of which the probe learns as they are said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    /// The strength of the penalty, for each seed.
    pub l2: Vec<f64>,
    /// Steps of training, for each seed.
    pub iterations: Vec<usize>,
    /// Whether all probes ended at a minimum.
    pub converged: bool,
}

/// The length of an online code (Voita and Titov, 2020).
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Code {
    /// Its bits, the mean over seeds.
    pub bits: f64,
    /// The lengths of the seeds' shortest and longest.
    pub shortest: f64,
    /// The longest.
    pub longest: f64,
    /// The bits of a code that knows the classes alone.
    pub uniform: f64,
}

/// A probe of all layers.
#[derive(Debug, Clone, Serialize)]
pub struct MixReport {
    /// The pooling of the layers.
    pub series: String,
    /// How much it takes of each layer; together 1.
    pub weights: Vec<LayerWeight>,
    /// The score on the test's rows of the first seed.
    pub score: Estimate,
    /// Rows that it learned from.
    pub rows: usize,
    /// Whether it ended at a minimum.
    pub converged: bool,
}

/// How much is taken of a layer.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct LayerWeight {
    /// The layer.
    pub layer: usize,
    /// Its share.
    pub weight: f64,
}

/// How alike columns are: linear CKA.
#[derive(Debug, Clone, Serialize)]
pub struct Cka {
    /// Rows that it was computed from.
    pub rows: usize,
    /// The columns, in order.
    pub columns: Vec<String>,
    /// For each column (outer) how alike it is to each.
    pub own: Vec<Vec<f64>>,
    /// The same with the columns of other outputs.
    pub others: Vec<OtherCka>,
}

/// How alike columns are to those of another output.
#[derive(Debug, Clone, Serialize)]
pub struct OtherCka {
    /// `control` or `compare`.
    pub output: &'static str,
    /// Its columns, in order.
    pub columns: Vec<String>,
    /// For each own column (outer) how alike it is to each.
    pub values: Vec<Vec<f64>>,
}

/// What decides the values of the vectors.
#[derive(Debug, Clone, Serialize)]
pub struct Provenance {
    /// Of the output that was probed.
    pub vectors: OutputProvenance,
    /// Of the control output.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub control: Option<OutputProvenance>,
    /// Of the output that was compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compare: Option<OutputProvenance>,
}

/// An output, and what decides its values.
#[derive(Debug, Clone, Serialize)]
pub struct OutputProvenance {
    /// Its folder, as it was named.
    pub folder: String,
    /// Model, settings, versions.
    pub fingerprint: Map<String, Value>,
}

/// A picture of a report.
struct Picture {
    /// Its file, without extension.
    name: String,
    svg: String,
    /// What it shows.
    title: String,
}

/// What should be known before anything is concluded.
#[derive(Debug, Default)]
pub struct Notes(Vec<String>);

impl Notes {
    /// Adds one.
    pub fn say(&mut self, note: String) {
        tracing::warn!("{note}");
        if !self.0.contains(&note) {
            self.0.push(note);
        }
    }

    /// All of them.
    pub fn into_inner(self) -> Vec<String> {
        self.0
    }
}
