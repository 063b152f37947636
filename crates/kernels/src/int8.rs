//! Dense layers whose products are of int8, with sums in 32 bits.
//!
//! Inputs come in groups of 64. A token's inputs of a group are `least + scale · byte`, bytes from 0 to
//! 255; the weights that an output has for a group are `scale · byte`, bytes from -127 to 127. Within a
//! group products are exact; groups are added up in float32:
//!
//! `Σ x·w = Σ over groups of scale·scale·(Σ byte·byte) + least·(Σ w) + Σ of what is kept apart`
//!
//! What an input is beyond six times the root mean square of its token's, outliers not counted, is kept
//! apart as float32: it would take the digits of the whole group. All of this goes by the token, so its
//! values do not depend on its company.
//!
//! Source of the idea to keep outliers: T. Dettmers et al., *LLM.int8()*, 2022.

use std::mem::MaybeUninit;
use std::ops::Range;

use rayon::prelude::*;

use crate::Layer;
use crate::dense::{BLOCK, share};
use crate::layer::PANEL;
use crate::panels::with_next;
use crate::product::{Multiplier, Product};
use crate::scratch::{Scratch, lines, with_scratch};
use crate::simd::{Bytes, LANES, Task, prefetch};
use crate::tail::{Rows, Tail};

/// Inputs that have scales in common.
pub(crate) const GROUP: usize = 64;
/// Bytes of a unit, as which they are multiplied.
const OF_UNIT: usize = size_of::<f32>();
const UNITS: usize = GROUP / OF_UNIT;
/// Rows of sums in registers.
const ROWS: usize = 6;
/// The largest byte of a weight.
const LARGEST: f32 = 127.0;
/// The largest byte of an input.
const STEPS: f32 = 255.0;
/// How many times the root mean square of a token's inputs goes into bytes.
const LIMIT: f32 = 6.0;
/// Groups whose inputs differ by less are all of the least.
const NARROW: f32 = 1e-30;

/// Four int8 weights, or a float32 that belongs to them.
pub(crate) type Word = f32;

/// How many words the packed weights of a layer have.
pub(crate) const fn packed_len(outputs: usize, inputs: usize) -> usize {
    outputs.next_multiple_of(PANEL) * inputs / GROUP * (UNITS + 2)
}

/// Columns that lie side by side: their units of weights, `[inputs / 4, columns]`, then for each group
/// the scale of each column's weights, and their sum.
#[derive(Clone, Copy)]
struct Columns<'a> {
    units: &'a [Word],
    scales: &'a [f32],
    sums: &'a [f32],
}

impl<'a> Columns<'a> {
    #[inline(always)]
    fn new(words: &'a [Word], width: usize) -> Self {
        let groups = words.len() / width / (UNITS + 2);
        let (units, rest) = words.split_at(groups * UNITS * width);
        let (scales, sums) = rest.split_at(groups * width);
        Self { units, scales, sums }
    }
}

/// Fills `panels`, `[panels, PANEL / S::WIDTH]` of [`Columns`], from the weights of each output.
pub(crate) fn pack<S: Bytes>(simd: S, rows: &[&[f32]], panels: &mut [MaybeUninit<Word>]) {
    let together = packed_len(PANEL, rows[0].len()) / PANEL * S::WIDTH;
    let columns = panels.par_chunks_mut(together).enumerate();
    columns.for_each(|(at, words)| {
        words.fill(MaybeUninit::new(0.0));
        // SAFETY: they were just written.
        let words = unsafe { words.assume_init_mut() };
        let rows = rows.get(at * S::WIDTH..).unwrap_or_default();
        simd.run(PackColumns { words, width: S::WIDTH, rows: &rows[..rows.len().min(S::WIDTH)] });
    });
}

struct PackColumns<'a> {
    words: &'a mut [Word],
    width: usize,
    rows: &'a [&'a [f32]],
}

impl Task for PackColumns<'_> {
    #[inline(always)]
    fn run(self) {
        let Self { words, width, rows } = self;
        let groups = words.len() / width / (UNITS + 2);
        let (units, rest) = words.split_at_mut(groups * UNITS * width);
        let (scales, sums) = rest.split_at_mut(groups * width);
        for (column, row) in rows.iter().enumerate() {
            for (group, weights) in row.as_chunks::<GROUP>().0.iter().enumerate() {
                let largest = weights.iter().fold(0.0_f32, |largest, weight| largest.max(weight.abs()));
                // What is no number stays none.
                let is_finite = weights.iter().all(|weight| weight.is_finite());
                let scale = if is_finite { largest / LARGEST } else { f32::NAN };
                let mut sum = 0;
                for (unit, weights) in weights.as_chunks::<OF_UNIT>().0.iter().enumerate() {
                    // Where all are 0, bytes may be anything: they are multiplied with a scale of 0.
                    let byte =
                        |weight: f32| (weight / scale).round_ties_even().clamp(-LARGEST, LARGEST) as i8;
                    let bytes = weights.map(byte);
                    sum += bytes.into_iter().map(i32::from).sum::<i32>();
                    units[(group * UNITS + unit) * width + column] =
                        f32::from_bits(u32::from_le_bytes(bytes.map(i8::cast_unsigned)));
                }
                scales[group * width + column] = scale;
                sums[group * width + column] = sum as f32 * scale;
            }
        }
    }
}

/// `[tokens, inputs]` to `[tokens, outputs]`, all of which is written; `Kernels` has seen to the sizes.
pub(crate) fn dense<S: Bytes>(
    simd: S,
    input: &[f32],
    layer: Layer<Word>,
    tail: Tail,
    output: &mut [MaybeUninit<f32>],
) {
    share(input, layer, output, |first, input, output| {
        let groups = input.len() / GROUP;
        let needed = lines::<u8>(input.len()) + 2 * lines::<f32>(groups) + lines::<f32>(BLOCK * S::WIDTH);
        with_scratch(needed, |scratch| {
            let rows = Rows { simd, bias: layer.bias, tail, first, output };
            simd.run(Dense { rows, layer, input, scratch });
        });
    });
}

struct Dense<'a, 'o, 's, S> {
    rows: Rows<'a, 'o, S, f32>,
    layer: Layer<'a, Word>,
    input: &'a [f32],
    scratch: Scratch<'s>,
}

impl<S: Bytes> Task for Dense<'_, '_, '_, S> {
    #[inline(always)]
    fn run(self) {
        let Self { mut rows, layer, input, mut scratch } = self;
        let (simd, inputs, count) = (rows.simd, layer.inputs, input.len() / layer.inputs);
        let tile: &mut [f32] = scratch.take(BLOCK * S::WIDTH);
        let mut tokens = Tokens {
            inputs,
            bytes: scratch.take(input.len()),
            scales: scratch.take(input.len() / GROUP),
            least: scratch.take(input.len() / GROUP),
            kept: Vec::new(),
        };
        for (token, input) in input.chunks_exact(inputs).enumerate() {
            tokens.quantize(simd, token, input);
        }
        let mut multiplier = Multiplier::new(simd);
        let blocks = (0..count).step_by(BLOCK).map(|row| row..(row + BLOCK).min(count));
        for (panel, words, next) in with_next(layer.panels, packed_len(PANEL, inputs)) {
            // While a panel is at work, the next one is on its way.
            let mut next = next.chunks(words.len().div_ceil(blocks.len()));
            for block in blocks.clone() {
                prefetch(next.next().unwrap_or_default());
                for (at, words) in words.chunks_exact(words.len() / PANEL * S::WIDTH).enumerate() {
                    let column = panel * PANEL + at * S::WIDTH;
                    if column < layer.outputs() {
                        let columns = Columns::new(words, S::WIDTH);
                        tokens.multiply(simd, &mut multiplier, block.clone(), columns, tile);
                        for (sums, row) in tile.chunks_exact(S::WIDTH).zip(block.clone()) {
                            rows.finish(sums.as_chunks().0, row, column);
                        }
                    }
                }
            }
        }
        rows.normalize();
    }
}

/// What a token's input is beyond what goes into bytes.
struct Kept {
    token: usize,
    input: usize,
    rest: f32,
}

/// The inputs of tokens: `bytes` `[tokens, inputs]`, `scales` and `least` `[tokens, groups]`.
struct Tokens<'s> {
    inputs: usize,
    bytes: &'s mut [u8],
    scales: &'s mut [f32],
    least: &'s mut [f32],
    /// Token by token.
    kept: Vec<Kept>,
}

impl Tokens<'_> {
    #[inline(always)]
    fn quantize<S: Bytes>(&mut self, simd: S, token: usize, input: &[f32]) {
        let groups = self.inputs / GROUP;
        let bytes = self.bytes[token * self.inputs..][..self.inputs].as_chunks_mut::<GROUP>().0;
        let scales = &mut self.scales[token * groups..][..groups];
        let least = &mut self.least[token * groups..][..groups];
        let limit = limit(simd, input);
        if !limit.is_finite() {
            // What is no number stays none.
            bytes.as_flattened_mut().fill(0);
            scales.fill(0.0);
            return least.fill(f32::NAN);
        }
        for (group, values) in input.as_chunks::<GROUP>().0.iter().enumerate() {
            let vectors = values.as_chunks::<LANES>().0;
            let (mut highest, mut lowest) = (simd.load(&vectors[0]), simd.load(&vectors[0]));
            for values in &vectors[1..] {
                highest = simd.max(highest, simd.load(values));
                lowest = simd.min(lowest, simd.load(values));
            }
            let highest = simd.largest(highest);
            let lowest = -simd.largest(simd.sub(simd.splat(0.0), lowest));
            if highest > limit || lowest < -limit {
                for (at, value) in values.iter().enumerate() {
                    let rest = value - value.clamp(-limit, limit);
                    if rest != 0.0 {
                        self.kept.push(Kept { token, input: group * GROUP + at, rest });
                    }
                }
            }
            let (highest, lowest) = (highest.clamp(-limit, limit), lowest.clamp(-limit, limit));
            let range = highest - lowest;
            let steps = if range < NARROW { 0.0 } else { STEPS / range };
            scales[group] = range / STEPS;
            least[group] = lowest;
            let (steps, lowest) = (simd.splat(steps), simd.splat(lowest));
            for (values, bytes) in vectors.iter().zip(bytes[group].as_chunks_mut().0) {
                let stepped = simd.mul(simd.sub(simd.load(values), lowest), steps);
                simd.store_bytes(bytes, simd.min(simd.max(stepped, simd.splat(0.0)), simd.splat(STEPS)));
            }
        }
    }

    /// The products of the rows of a block, `[block, S::WIDTH]`.
    #[inline(always)]
    fn multiply<S: Bytes>(
        &self,
        simd: S,
        multiplier: &mut Multiplier<S>,
        block: Range<usize>,
        columns: Columns,
        sums: &mut [f32],
    ) {
        let (m, n, groups) = (block.len(), S::WIDTH, self.inputs / GROUP);
        let size = Product { m, n, k: groups, lda: groups, ldb: n, depth: groups, ldc: n };
        multiplier.multiply(size, &self.least[block.start * groups..], columns.sums, sums);
        for group in 0..groups {
            for row in block.clone().step_by(ROWS) {
                let sums = &mut sums[(row - block.start) * n..];
                match block.end - row {
                    1 => self.add_group::<S, 1>(simd, row, group, columns, sums),
                    2 => self.add_group::<S, 2>(simd, row, group, columns, sums),
                    3 => self.add_group::<S, 3>(simd, row, group, columns, sums),
                    4 => self.add_group::<S, 4>(simd, row, group, columns, sums),
                    5 => self.add_group::<S, 5>(simd, row, group, columns, sums),
                    _ => self.add_group::<S, ROWS>(simd, row, group, columns, sums),
                }
            }
        }
        self.add_kept(simd, block, columns, sums);
    }

    /// Adds a group's products of `M` rows from `row` on to `sums`, `[M, S::WIDTH]`.
    #[inline(always)]
    fn add_group<S: Bytes, const M: usize>(
        &self,
        simd: S,
        row: usize,
        group: usize,
        columns: Columns,
        sums: &mut [f32],
    ) {
        /// As many as a panel has; an instruction set may have registers for fewer.
        const MOST: usize = PANEL / LANES;
        let vectors = S::WIDTH / LANES;
        let units: &[f32] = &columns.units[group * UNITS * S::WIDTH..][..UNITS * S::WIDTH];
        let mut inputs: [&[[u8; OF_UNIT]; UNITS]; M] = [&[[0; OF_UNIT]; UNITS]; M];
        for (at, inputs) in inputs.iter_mut().enumerate() {
            let bytes = &self.bytes[(row + at) * self.inputs + group * GROUP..][..GROUP];
            *inputs = bytes.as_chunks().0.try_into().expect("a group has so many units");
        }
        let mut products = [[simd.splat(0.0); MOST]; M];
        for (unit, weights) in units.chunks_exact(S::WIDTH).enumerate() {
            let weights = weights.as_chunks::<LANES>().0;
            let mut loaded = [simd.splat(0.0); MOST];
            for (loaded, weights) in loaded.iter_mut().zip(weights) {
                *loaded = simd.load(weights);
            }
            for (products, inputs) in products.iter_mut().zip(&inputs) {
                let inputs = simd.splat(f32::from_bits(u32::from_le_bytes(inputs[unit])));
                for vector in 0..vectors {
                    products[vector] = simd.dot(products[vector], inputs, loaded[vector]);
                }
            }
        }
        let scales = columns.scales[group * S::WIDTH..][..S::WIDTH].as_chunks::<LANES>().0;
        for (at, products) in products.iter().enumerate() {
            let scale = simd.splat(self.scales[(row + at) * (self.inputs / GROUP) + group]);
            let sums = sums[at * S::WIDTH..][..S::WIDTH].as_chunks_mut::<LANES>().0;
            for vector in 0..vectors {
                let product = simd.mul(simd.converted(products[vector]), simd.load(&scales[vector]));
                let sum = simd.mul_add(product, scale, simd.load(&sums[vector]));
                simd.store(&mut sums[vector], sum);
            }
        }
    }

    /// Adds what was kept apart of the tokens of a block to their sums, `[block, S::WIDTH]`.
    #[inline(always)]
    fn add_kept<S: Bytes>(&self, simd: S, block: Range<usize>, columns: Columns, sums: &mut [f32]) {
        let begin = self.kept.partition_point(|kept| kept.token < block.start);
        let of_block = self.kept[begin..].iter().take_while(|kept| kept.token < block.end);
        for &Kept { token, input, rest } in of_block {
            // One byte of the unit, once.
            let once = simd.splat(f32::from_bits(1 << (u8::BITS as usize * (input % OF_UNIT))));
            let units = columns.units[input / OF_UNIT * S::WIDTH..][..S::WIDTH].as_chunks::<LANES>().0;
            let scales = columns.scales[input / GROUP * S::WIDTH..][..S::WIDTH].as_chunks::<LANES>().0;
            let sums = sums[(token - block.start) * S::WIDTH..][..S::WIDTH].as_chunks_mut::<LANES>().0;
            for (sums, (units, scales)) in sums.iter_mut().zip(units.iter().zip(scales)) {
                let weights = simd.converted(simd.dot(simd.splat(0.0), once, simd.load(units)));
                let weights = simd.mul(weights, simd.load(scales));
                simd.store(sums, simd.mul_add(weights, simd.splat(rest), simd.load(sums)));
            }
        }
    }
}

/// Of a token's inputs, what is larger is an outlier. Not finite, if one of them is not.
#[inline(always)]
fn limit<S: Bytes>(simd: S, input: &[f32]) -> f32 {
    let limit_of = |squares: S::Floats| LIMIT * (simd.sum(squares) / input.len() as f32).sqrt();
    let mut squares = simd.splat(0.0);
    for values in input.as_chunks().0 {
        let values = simd.load(values);
        squares = simd.mul_add(values, values, squares);
    }
    // Again without those, as a large one hides itself. What is no number stays none.
    let limit = simd.splat(limit_of(squares));
    let mut of_others = simd.sub(squares, squares);
    for values in input.as_chunks().0 {
        let values = simd.within(simd.load(values), limit);
        of_others = simd.mul_add(values, values, of_others);
    }
    limit_of(of_others)
}
