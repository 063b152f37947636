//! A convolution over neighbouring tokens, beside the first encoder layer.

use burn::tensor::{Device, FloatDType, Tensor};

use crate::checkpoint::architecture;
use crate::checkpoint::weights::{Shapes, Weights};
use crate::model::linear::{Linear, activate};
use crate::model::norm::LayerNorm;
use crate::ops::layout::{Block, blocks};
use crate::{Activation, Compute, Config, Error};

/// Adds to what the first layer gives what neighbouring tokens of its input give, normalized.
///
/// Source: `ConvLayer` in
/// <https://github.com/huggingface/transformers/blob/main/src/transformers/models/deberta_v2/modeling_deberta_v2.py>
pub(crate) struct Convolution {
    /// Over the states of neighbours side by side, `[hidden_size, width · hidden_size]`.
    dense: Linear,
    width: usize,
    activation: Activation,
    layer_norm: LayerNorm,
}

const CONVOLUTION: &str = "encoder.conv.conv";
const NORM: &str = "encoder.conv.LayerNorm";

impl Convolution {
    pub(crate) fn shapes(config: &Config, shapes: &mut Shapes) {
        let Some(architecture::Convolution { width, groups, .. }) = config.architecture.convolution else {
            return;
        };
        let hidden = config.hidden_size;
        shapes.insert(format!("{CONVOLUTION}.weight"), vec![hidden, hidden / groups, width]);
        shapes.insert(format!("{CONVOLUTION}.bias"), vec![hidden]);
        LayerNorm::shapes(NORM, hidden, config, shapes);
    }

    /// None where the configuration has none.
    pub(crate) fn load(
        weights: &Weights,
        config: &Config,
        device: &Device,
        compute: Compute,
    ) -> Result<Option<Self>, Error> {
        let Some(architecture::Convolution { width, groups, activation }) = config.architecture.convolution
        else {
            return Ok(None);
        };
        let (values, _) = weights.values(&format!("{CONVOLUTION}.weight"))?;
        let (hidden, part) = (config.hidden_size, config.hidden_size / groups);
        let row = |(output, values): (usize, &[f32])| {
            // What a group does not see has a weight of 0.
            let mut row = vec![0.0; width * hidden];
            let first = output / part * part;
            for (input, of_neighbours) in values.chunks_exact(width).enumerate() {
                for (neighbour, &value) in of_neighbours.iter().enumerate() {
                    row[neighbour * hidden + first + input] = value;
                }
            }
            row
        };
        let rows: Vec<Vec<f32>> = values.chunks_exact(part * width).enumerate().map(row).collect();
        let rows: Vec<&[f32]> = rows.iter().map(Vec::as_slice).collect();
        let bias = weights.load(&format!("{CONVOLUTION}.bias"), device)?;
        Ok(Some(Self {
            dense: Linear::new(&rows, bias, compute),
            width,
            activation,
            layer_norm: LayerNorm::load(NORM, weights, config, device)?,
        }))
    }

    /// From the first layer's input and output, `[tokens, hidden_size]` each, to the same shape.
    pub(crate) fn forward(&self, input: &Tensor<2>, output: Tensor<2>, lengths: &[usize]) -> Tensor<2> {
        let of_block = |block: Block| {
            let states = block.of(input);
            let [rows, len, hidden] = states.dims();
            let beside = Tensor::zeros([rows, self.width / 2, hidden], &states.device());
            let states = Tensor::cat(vec![beside.clone(), states, beside], 1);
            let shifted = (0..self.width).map(|first| states.clone().narrow(1, first, len));
            Tensor::cat(shifted.collect(), 2).reshape([rows * len, self.width * hidden])
        };
        let neighbours = Tensor::cat(blocks(lengths).map(of_block).collect(), 0);
        let mixed = self.dense.forward(neighbours).cast(FloatDType::F32);
        self.layer_norm.forward(output + activate(mixed, self.activation))
    }
}
