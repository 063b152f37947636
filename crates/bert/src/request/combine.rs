//! What becomes of several layers.

use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, VariantNames};

/// What becomes of several chosen layers.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, EnumString, Display, VariantNames, Serialize, Deserialize,
)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum Combine {
    /// Each layer is a column of its own.
    #[default]
    None,
    /// One list, the layers' vectors one after the other.
    Concat,
    /// One list with an entry per layer.
    Stack,
    /// The sum of the layers' hidden states, then pooled.
    Sum,
    /// The mean of the layers' hidden states, then pooled.
    Mean,
}
