//! What is counted on the data's way.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use strata_io::PartRecord;

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
    /// Those of them that did not go through the model, as others like them had.
    pub repeated_tokens: u64,
}

/// How many values of a column are infinite or not a number, by its name; columns with none are not there.
pub type NonFinite = BTreeMap<String, u64>;

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        let Self { rows, output_rows, without_vector, nulls, truncated, tokens, repeated_tokens } = other;
        self.rows += rows;
        self.output_rows += output_rows;
        self.without_vector += without_vector;
        self.nulls += nulls;
        self.truncated += truncated;
        self.tokens += tokens;
        self.repeated_tokens += repeated_tokens;
    }
}

/// What the manifest notes about a part beside its rows.
pub fn recorded(counts: Counts, non_finite: &NonFinite) -> Map<String, Value> {
    let Counts { nulls, truncated, tokens, without_vector, rows: _, output_rows: _, repeated_tokens: _ } =
        counts;
    let fields = [("nulls", nulls), ("truncated", truncated), ("tokens", tokens)];
    let lacking = (without_vector > 0).then_some(("without_vector", without_vector));
    let fields = fields.into_iter().chain(lacking).map(|(name, count)| (name.to_owned(), json!(count)));
    let broken = (!non_finite.is_empty()).then(|| ("non_finite".to_owned(), json!(non_finite)));
    fields.chain(broken).collect()
}

/// What was counted in a part, from what the manifest notes about it.
pub fn counted_in(part: &PartRecord) -> (Counts, NonFinite) {
    let count = |name: &str| part.counts.get(name).and_then(Value::as_u64).unwrap_or_default();
    let counts = Counts {
        rows: part.rows[1] - part.rows[0],
        output_rows: part.output_rows,
        without_vector: count("without_vector"),
        nulls: count("nulls"),
        truncated: count("truncated"),
        tokens: count("tokens"),
        repeated_tokens: 0,
    };
    let non_finite = part.counts.get("non_finite").and_then(|broken| NonFinite::deserialize(broken).ok());
    (counts, non_finite.unwrap_or_default())
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
