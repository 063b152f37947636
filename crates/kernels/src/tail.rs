//! What is done with the sums of a dense layer while they are in cache.

use std::mem::MaybeUninit;

use crate::simd::{LANES, Lanes, Simd, write};
use crate::{Activation, Norm, math};

/// What follows the product.
#[derive(Clone, Copy)]
pub(crate) enum Tail<'a> {
    Nothing,
    Gelu,
    /// Adds `residual` and normalizes each row, if there is a norm; the result is float32.
    Add {
        residual: &'a [f32],
        norm: Option<Norm<'a>>,
    },
}

impl From<Activation> for Tail<'_> {
    fn from(activation: Activation) -> Self {
        match activation {
            Activation::None => Self::Nothing,
            Activation::Gelu => Self::Gelu,
        }
    }
}

/// The rows of a layer's output from `first` on.
pub(crate) struct Rows<'a, 'o, S, O> {
    pub(crate) simd: S,
    pub(crate) bias: &'a [f32],
    pub(crate) tail: Tail<'a>,
    pub(crate) first: usize,
    pub(crate) output: &'o mut [MaybeUninit<O>],
}

impl<S: Simd, O: Lanes<S>> Rows<'_, '_, S, O> {
    /// Takes the sums of a row, counted from the first, to the outputs from the `first` on.
    #[inline(always)]
    pub(crate) fn finish(&mut self, sums: &[[f32; LANES]], row: usize, first: usize) {
        let Self { simd, bias, tail, .. } = *self;
        let outputs = bias.len();
        let output = &mut self.output[row * outputs..][..outputs];
        let biased = sums.iter().zip(bias[first..].as_chunks().0);
        let places = biased.zip(output[first..].as_chunks_mut().0);
        match tail {
            Tail::Nothing => {
                for ((sum, bias), place) in places {
                    write(simd, place, simd.add(simd.load(sum), simd.load(bias)));
                }
            }
            Tail::Gelu => {
                for ((sum, bias), place) in places {
                    write(simd, place, math::gelu(simd, simd.add(simd.load(sum), simd.load(bias))));
                }
            }
            Tail::Add { residual, .. } => {
                let residual = residual[(self.first + row) * outputs + first..].as_chunks().0;
                for (((sum, bias), place), residual) in places.zip(residual) {
                    let sum = simd.add(simd.load(sum), simd.load(bias));
                    write(simd, place, simd.add(sum, simd.load(residual)));
                }
            }
        }
    }

    /// The norm of finished rows, where one is asked for.
    #[inline(always)]
    pub(crate) fn normalize(self) {
        if let Tail::Add { norm: Some(norm), .. } = self.tail {
            // SAFETY: the rows are finished.
            let output = unsafe { self.output.assume_init_mut() };
            for row in bytemuck::cast_slice_mut(output).chunks_exact_mut(self.bias.len()) {
                normalize(self.simd, row, norm);
            }
        }
    }
}

/// Layer norm of one row, in place.
#[inline(always)]
fn normalize<S: Simd>(simd: S, row: &mut [f32], norm: Norm) {
    let (len, row) = (row.len() as f32, row.as_chunks_mut().0);
    let mut sum = simd.splat(0.0);
    for values in row.iter() {
        sum = simd.add(sum, simd.load(values));
    }
    let mean = simd.splat(simd.sum(sum) / len);
    let mut squares = simd.splat(0.0);
    for values in row.iter() {
        let distance = simd.sub(simd.load(values), mean);
        squares = simd.mul_add(distance, distance, squares);
    }
    let variance = simd.sum(squares) / len;
    let scale = simd.splat(1.0 / (variance + norm.epsilon).sqrt());
    let terms = norm.weight.as_chunks().0.iter().zip(norm.bias.as_chunks().0);
    for (values, (weight, bias)) in row.iter_mut().zip(terms) {
        let scaled = simd.mul(simd.sub(simd.load(values), mean), scale);
        simd.store(values, simd.mul_add(scaled, simd.load(weight), simd.load(bias)));
    }
}
