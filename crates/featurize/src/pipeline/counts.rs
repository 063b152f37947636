//! What is counted on the data's way.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::pipeline::stages::StageTimes;

/// Counts over the rows that were encoded.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Counts {
    /// Rows of the input, nulls counted.
    pub rows: u64,
    /// Rows of the output: as many, unless they stand for tokens, words or spans, or some are left out.
    pub output_rows: u64,
    /// Rows that lack a vector, whatever becomes of them in the output.
    pub without_vector: u64,
    /// Rows without a text.
    pub nulls: u64,
    /// Texts that were cut to the greatest length.
    pub truncated: u64,
    /// Tokens of texts, special ones counted.
    pub tokens: u64,
}

/// How many values of a column are infinite or not a number, by its name; columns with none are not there.
pub type NonFinite = BTreeMap<String, u64>;

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        let Self { rows, output_rows, without_vector, nulls, truncated, tokens } = other;
        self.rows += rows;
        self.output_rows += output_rows;
        self.without_vector += without_vector;
        self.nulls += nulls;
        self.truncated += truncated;
        self.tokens += tokens;
    }
}

/// How the stages of a run spent their time.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Stages {
    /// Files to chunks of rows.
    pub read: StageTimes,
    /// Texts to token ids.
    pub tokenize: StageTimes,
    /// Token ids to vectors.
    pub encode: StageTimes,
    /// Vectors to parts.
    pub write: StageTimes,
}
