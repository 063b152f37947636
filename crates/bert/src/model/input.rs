//! A batch as the model takes it.

use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::Encoding;

/// A batch on the device: the tokens of its rows end to end.
pub(crate) struct ModelInput {
    /// `[tokens]`
    pub(crate) input_ids: Tensor<1, Int>,
    /// `[tokens]`
    pub(crate) token_type_ids: Tensor<1, Int>,
    /// `[tokens]`, rows of the position embeddings.
    pub(crate) position_ids: Tensor<1, Int>,
    /// Tokens of each row.
    pub(crate) lengths: Vec<usize>,
}

impl ModelInput {
    /// Brings rows to a device; `positions` gives each token of a row its row of the position embeddings.
    pub(crate) fn new(rows: &[&Encoding], positions: impl Fn(&[u32]) -> Vec<i64>, device: &Device) -> Self {
        let on_device = |ids: Vec<i64>| {
            let count = ids.len();
            Tensor::from_data(TensorData::new(ids, [count]), device)
        };
        let ids = |of: fn(&Encoding) -> &[u32]| {
            on_device(rows.iter().flat_map(|row| of(row)).map(|&id| i64::from(id)).collect())
        };
        Self {
            input_ids: ids(|row| &row.input_ids),
            token_type_ids: ids(|row| &row.token_type_ids),
            position_ids: on_device(rows.iter().flat_map(|row| positions(&row.input_ids)).collect()),
            lengths: rows.iter().map(|row| row.len()).collect(),
        }
    }
}
