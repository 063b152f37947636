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

use bytemuck::{Pod, Zeroable};
use rayon::prelude::*;

use crate::Layer;
use crate::ahead::{Ahead, Lines};
use crate::dense::{BLOCK, share};
use crate::layer::PANEL;
use crate::panels::with_next;
use crate::scratch::{Scratch, lines, with_scratch};
use crate::simd::{Bytes, LANES, Task};
use crate::tail::{Rows, Tail};

/// Inputs that have scales in common.
pub(crate) const GROUP: usize = 64;
/// Bytes of a unit, as which they are multiplied.
const OF_UNIT: usize = size_of::<f32>();
const UNITS: usize = GROUP / OF_UNIT;
/// Rows of sums in registers.
const ROWS: usize = 6;
/// Units between one line that is fetched ahead and another.
const FETCHING: usize = 4;
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
        let bundles = bundles(input.len() / layer.inputs, layer.inputs);
        with_scratch(lines::<Bundle>(bundles) + lines::<f32>(BLOCK * S::WIDTH), |scratch| {
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
        let bundles = scratch.take(bundles(count, inputs));
        let mut tokens = Tokens { groups: inputs / GROUP, bundles, kept: Vec::new() };
        for (token, input) in input.chunks_exact(inputs).enumerate() {
            tokens.quantize(simd, token, input);
        }
        let blocks = (0..count).step_by(BLOCK).map(|row| row..(row + BLOCK).min(count));
        for (panel, words, next) in with_next(layer.panels, packed_len(PANEL, inputs)) {
            // While a panel is at work, the next one is on its way.
            let mut ahead = Ahead::of(next);
            for block in blocks.clone() {
                for (at, words) in words.chunks_exact(words.len() / PANEL * S::WIDTH).enumerate() {
                    let column = panel * PANEL + at * S::WIDTH;
                    if column < layer.outputs() {
                        let columns = Columns::new(words, S::WIDTH);
                        tokens.multiply(simd, &mut ahead, block.clone(), columns, tile);
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

/// What the tokens whose sums are in registers at a time have of a group.
#[repr(C)]
#[derive(Clone, Copy)]
struct Bundle {
    bytes: [[[u8; OF_UNIT]; UNITS]; ROWS],
    scales: [f32; ROWS],
    least: [f32; ROWS],
}

// SAFETY: bytes and floats, which may be anything, without a gap: both are a multiple of four bytes.
unsafe impl Zeroable for Bundle {}
// SAFETY: as above.
unsafe impl Pod for Bundle {}

/// How many of them so many tokens of a layer have.
fn bundles(tokens: usize, inputs: usize) -> usize {
    tokens.div_ceil(ROWS) * (inputs / GROUP)
}

/// The inputs of tokens: `[tokens / ROWS, groups]` of [`Bundle`].
struct Tokens<'s> {
    groups: usize,
    bundles: &'s mut [Bundle],
    /// Token by token.
    kept: Vec<Kept>,
}

impl Tokens<'_> {
    #[inline(always)]
    fn quantize<S: Bytes>(&mut self, simd: S, token: usize, input: &[f32]) {
        let bundles = &mut self.bundles[token / ROWS * self.groups..][..self.groups];
        let at = token % ROWS;
        let limit = limit(simd, input);
        if !limit.is_finite() {
            // What is no number stays none.
            for bundle in bundles {
                (bundle.bytes[at], bundle.scales[at], bundle.least[at]) =
                    ([[0; OF_UNIT]; UNITS], 0.0, f32::NAN);
            }
            return;
        }
        for (group, (values, bundle)) in input.as_chunks::<GROUP>().0.iter().zip(bundles).enumerate() {
            let vectors = values.as_chunks::<LANES>().0;
            let (mut highest, mut lowest) = (simd.load(&vectors[0]), simd.load(&vectors[0]));
            for values in &vectors[1..] {
                highest = simd.max(highest, simd.load(values));
                lowest = simd.min(lowest, simd.load(values));
            }
            let highest = simd.largest(highest);
            let lowest = -simd.largest(simd.sub(simd.splat(0.0), lowest));
            if highest > limit || lowest < -limit {
                for (place, value) in values.iter().enumerate() {
                    let rest = value - value.clamp(-limit, limit);
                    if rest != 0.0 {
                        self.kept.push(Kept { token, input: group * GROUP + place, rest });
                    }
                }
            }
            let (highest, lowest) = (highest.clamp(-limit, limit), lowest.clamp(-limit, limit));
            let range = highest - lowest;
            let steps = if range < NARROW { 0.0 } else { STEPS / range };
            (bundle.scales[at], bundle.least[at]) = (range / STEPS, lowest);
            let (steps, lowest) = (simd.splat(steps), simd.splat(lowest));
            for (values, bytes) in vectors.iter().zip(bundle.bytes[at].as_flattened_mut().as_chunks_mut().0) {
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
        ahead: &mut Ahead,
        block: Range<usize>,
        columns: Columns,
        sums: &mut [f32],
    ) {
        const { assert!(BLOCK.is_multiple_of(ROWS)) };
        let sums = &mut sums[..block.len() * S::WIDTH];
        sums.fill(0.0);
        let tiles = self.bundles.chunks_exact(self.groups).skip(block.start / ROWS);
        for group in 0..self.groups {
            let tiles = tiles.clone().zip(sums.chunks_mut(ROWS * S::WIDTH));
            for (at, (bundles, sums)) in tiles.enumerate() {
                let bundle = &bundles[group];
                let lines = ahead.take(UNITS);
                match block.len() - at * ROWS {
                    1 => bundle.add::<S, 1>(simd, group, columns, lines, sums),
                    2 => bundle.add::<S, 2>(simd, group, columns, lines, sums),
                    3 => bundle.add::<S, 3>(simd, group, columns, lines, sums),
                    4 => bundle.add::<S, 4>(simd, group, columns, lines, sums),
                    5 => bundle.add::<S, 5>(simd, group, columns, lines, sums),
                    _ => bundle.add::<S, ROWS>(simd, group, columns, lines, sums),
                }
            }
        }
        self.add_kept(simd, block, columns, sums);
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

impl Bundle {
    /// Adds the products of its first `M` tokens to `sums`, `[M, S::WIDTH]`.
    #[inline(always)]
    fn add<S: Bytes, const M: usize>(
        &self,
        simd: S,
        group: usize,
        columns: Columns,
        mut lines: Lines<FETCHING>,
        sums: &mut [f32],
    ) {
        /// As many as a panel has; an instruction set may have registers for fewer.
        const MOST: usize = PANEL / LANES;
        let vectors = S::WIDTH / LANES;
        let units: &[f32] = &columns.units[group * UNITS * S::WIDTH..][..UNITS * S::WIDTH];
        let mut products = [[simd.splat(0.0); MOST]; M];
        for (unit, weights) in units.chunks_exact(S::WIDTH).enumerate() {
            lines.at(unit);
            let weights = weights.as_chunks::<LANES>().0;
            let mut loaded = [simd.splat(0.0); MOST];
            for (loaded, weights) in loaded.iter_mut().zip(weights) {
                *loaded = simd.load(weights);
            }
            for (products, bytes) in products.iter_mut().zip(&self.bytes) {
                let inputs = simd.splat(f32::from_bits(u32::from_le_bytes(bytes[unit])));
                for vector in 0..vectors {
                    products[vector] = simd.dot(products[vector], inputs, loaded[vector]);
                }
            }
        }
        let of_columns = group * S::WIDTH..(group + 1) * S::WIDTH;
        let weights = &columns.sums[of_columns.clone()].as_chunks::<LANES>().0[..vectors];
        let columns = &columns.scales[of_columns].as_chunks::<LANES>().0[..vectors];
        let sums = &mut sums.as_chunks_mut::<LANES>().0[..M * vectors];
        for (at, products) in products.iter().enumerate() {
            let (scale, least) = (simd.splat(self.scales[at]), simd.splat(self.least[at]));
            for vector in 0..vectors {
                let place = &mut sums[at * vectors + vector];
                let sum = simd.mul_add(least, simd.load(&weights[vector]), simd.load(place));
                let product = simd.mul(simd.converted(products[vector]), simd.load(&columns[vector]));
                simd.store(place, simd.mul_add(product, scale, sum));
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
