//! Seven products for the work of eight: Winograd's form of Strassen's algorithm.
//!
//! Of `c = a · b`, `a` is cut into quarters by two tokens of a text and the halves of their inputs,
//! and `b` by these halves and two panels of outputs. Sums of quarters are multiplied instead of
//! quarters: an eighth fewer multiplications, whose rounding errors are those of sums of up to four
//! quarters.
//!
//! Tokens are paired within their text, so its values depend on nothing else.
//!
//! Source: N. J. Higham, *Accuracy and Stability of Numerical Algorithms*, 2nd ed., section 23.1.

use std::arch::x86_64::*;

use super::multiplier::Multiplier;
use super::panels::{BLOCK, multiply_panel};
use super::product::{Onto, Product};
use super::scratch::{Scratch, lines};
use super::simd::{LANES, load, store};
use crate::layer::PANEL;

/// Products, and factors on either side.
const FACTORS: usize = 7;
/// Fewer inputs or outputs do not make up for the sums.
const LEAST_WIDTH: usize = 512;
/// Of the left factors at a time: what the last cache has for a thread.
const LEFT_BYTES: usize = 16 << 20;

/// Whether a layer of these sizes is multiplied this way. A few tokens would be faster without, but
/// their values may not depend on how many there are.
pub(crate) fn pays(outputs: usize, inputs: usize) -> bool {
    let fits = outputs.is_multiple_of(2 * PANEL) && inputs.is_multiple_of(2 * LANES);
    fits && outputs.min(inputs) >= LEAST_WIDTH
}

/// As many pairs as should be multiplied at a time.
pub(crate) fn most_pairs(inputs: usize) -> usize {
    (LEFT_BYTES / size_of::<f32>() / (FACTORS * inputs / 2)).max(1)
}

/// Two consecutive tokens of a text, or the last of an odd number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pair {
    /// The place of the first in the batch.
    pub(crate) first: usize,
    pub(crate) tokens: usize,
}

/// The pairs of a batch whose texts have these lengths.
pub(crate) fn pairs(lengths: &[usize]) -> Vec<Pair> {
    let mut first = 0;
    let mut pairs = Vec::new();
    for len in lengths {
        let places = (0..*len).step_by(2);
        pairs.extend(places.map(|place| Pair { first: first + place, tokens: 2.min(len - place) }));
        first += len;
    }
    pairs
}

/// `s1` to `s4` of `a11`, `a12`, `a21` and `a22`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn left_sums([a11, a12, a21, a22]: [__m512; 4]) -> [__m512; 4] {
    let s1 = _mm512_add_ps(a21, a22);
    let s2 = _mm512_sub_ps(s1, a11);
    let s3 = _mm512_sub_ps(a11, a21);
    let s4 = _mm512_sub_ps(a12, s2);
    [s1, s2, s3, s4]
}

/// `t1` to `t4` of `b11`, `b12`, `b21` and `b22`; `t4` with the other sign, as nothing subtracts.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn right_sums([b11, b12, b21, b22]: [__m512; 4]) -> [__m512; 4] {
    let t1 = _mm512_sub_ps(b12, b11);
    let t2 = _mm512_sub_ps(b22, t1);
    let t3 = _mm512_sub_ps(b22, b12);
    let t4 = _mm512_sub_ps(b21, t2);
    [t1, t2, t3, t4]
}

/// The matrices of `c[tokens, outputs] = a[tokens, inputs] · b`; `b` in panels.
#[derive(Clone, Copy)]
pub(crate) struct Matrices<'a> {
    pub(crate) a: &'a [f32],
    pub(crate) b: &'a [f32],
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
}

impl<'a> Matrices<'a> {
    pub(crate) fn scratch_lines(inputs: usize, pairs: &[Pair]) -> usize {
        let (half, odd) = (inputs / 2, odd(pairs).count());
        4 * lines::<f32>(BLOCK * PANEL)
            + 4 * lines::<f32>(half * PANEL)
            + lines::<f32>(FACTORS * (pairs.len() - odd) * half)
            + lines::<f32>(odd * inputs)
    }

    /// Multiplies the tokens of `pairs`, of sizes such that this [`pays`]; `finish(sums, token, panel)`
    /// gets each's sums for each panel. A token without a partner is multiplied as it is.
    ///
    /// `scratch` has [`Matrices::scratch_lines`].
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    pub(crate) fn multiply(
        &self,
        multiplier: &mut Multiplier,
        pairs: &[Pair],
        mut scratch: Scratch,
        mut finish: impl FnMut(&[f32; PANEL], usize, usize),
    ) {
        let Self { inputs, outputs, .. } = *self;
        let half = inputs / 2;
        let mut quarters: [&mut [f32]; 4] = [(); 4].map(|()| scratch.take(BLOCK * PANEL));
        let mut sums: [&mut [f32]; 4] = [(); 4].map(|()| scratch.take(half * PANEL));
        let odd: Vec<usize> = odd(pairs).collect();
        let pairs: Vec<usize> = pairs.iter().filter(|pair| pair.tokens == 2).map(|pair| pair.first).collect();
        let left: &mut [f32] = scratch.take(FACTORS * pairs.len() * half);
        let alone: &mut [f32] = scratch.take(odd.len() * inputs);
        for (row, &token) in alone.chunks_exact_mut(inputs).zip(&odd) {
            row.copy_from_slice(&self.a[token * inputs..][..inputs]);
        }
        for panel in (0..outputs / PANEL).step_by(2) {
            let right = self.right(panel, &mut sums);
            // The factors of a block follow those before it.
            let blocks = pairs.chunks(BLOCK).zip(left.chunks_mut(FACTORS * BLOCK * half));
            for (pairs, left) in blocks {
                if panel == 0 {
                    self.split(pairs, left);
                }
                multiply_quarters(multiplier, [pairs.len(), half], left, right, &mut quarters);
                for (pair, &first) in pairs.iter().enumerate() {
                    for (quarter, sums) in quarters.iter().enumerate() {
                        finish(&sums.as_chunks().0[pair], first + quarter / 2, panel + quarter % 2);
                    }
                }
            }
            for panel in [panel, panel + 1] {
                let b = &self.b[panel * inputs * PANEL..][..inputs * PANEL];
                multiply_panel(multiplier, inputs, alone, b, quarters[0], |sums, place| {
                    finish(sums, odd[place], panel);
                });
            }
        }
    }

    /// The right factors of a panel and the next, `[inputs / 2, PANEL]` each.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    fn right<'s>(&self, panel: usize, sums: &'s mut [&mut [f32]; 4]) -> [&'s [f32]; FACTORS]
    where
        'a: 's,
    {
        let size = self.inputs / 2 * PANEL;
        let quarter = |quarter: usize| &self.b[(2 * panel + quarter) * size..][..size];
        let [b11, b21, b12, b22] = [0, 1, 2, 3].map(quarter);
        for at in 0..size / LANES {
            let vector = |quarter: &[f32]| load(&quarter.as_chunks().0[at]);
            let quarters = [vector(b11), vector(b12), vector(b21), vector(b22)];
            for (sum, value) in sums.iter_mut().zip(right_sums(quarters)) {
                store(&mut sum.as_chunks_mut().0[at], value);
            }
        }
        let [t1, t2, t3, t4] = sums.each_ref().map(|sum| &**sum);
        [b11, b21, t2, t3, t1, t4, b22]
    }

    /// The left factors of a block of pairs, `[FACTORS, pairs, inputs / 2]`, each by its first token.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    fn split(&self, pairs: &[usize], to: &mut [f32]) {
        let vectors = self.inputs / 2 / LANES;
        let to = to.as_chunks_mut().0;
        for (pair, first) in pairs.iter().enumerate() {
            // The quarters of two tokens lie end to end.
            let tokens = self.a[first * self.inputs..][..2 * self.inputs].as_chunks().0;
            for at in 0..vectors {
                let quarters = [0, 1, 2, 3].map(|quarter| load(&tokens[quarter * vectors + at]));
                let [a11, a12, _, a22] = quarters;
                let [s1, s2, s3, s4] = left_sums(quarters);
                for (factor, value) in [a11, a12, s2, s3, s1, a22, s4].into_iter().enumerate() {
                    store::<f32>(&mut to[(factor * pairs.len() + pair) * vectors + at], value);
                }
            }
        }
    }
}

/// The tokens that have no partner.
fn odd(pairs: &[Pair]) -> impl Iterator<Item = usize> {
    pairs.iter().filter(|pair| pair.tokens == 1).map(|pair| pair.first)
}

/// `c11`, `c12`, `c21` and `c22`, `[pairs, PANEL]` each, from the factors.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn multiply_quarters(
    multiplier: &mut Multiplier,
    [pairs, half]: [usize; 2],
    left: &[f32],
    right: [&[f32]; FACTORS],
    quarters: &mut [&mut [f32]; 4],
) {
    let [c11, c12, c21, c22] = quarters.each_mut().map(|quarter| &mut quarter[..pairs * PANEL]);
    let mut product = |factor: usize, onto: Onto, to: &mut [f32]| {
        let size = Product { m: pairs, n: PANEL, k: half, lda: half, ldb: PANEL, ldc: PANEL };
        multiplier.multiply(size, &left[factor * pairs * half..], right[factor], onto, to);
    };
    let add = |from: &[f32], to: &mut [f32]| {
        for (from, to) in from.as_chunks().0.iter().zip(to.as_chunks_mut().0) {
            store::<f32>(to, _mm512_add_ps(load(from), load(to)));
        }
    };
    product(0, Onto::Nothing, c11);
    product(2, Onto::Other(c11), c12);
    product(1, Onto::Itself, c11);
    product(3, Onto::Other(c12), c21);
    product(4, Onto::Nothing, c22);
    add(c22, c12);
    add(c21, c22);
    product(5, Onto::Itself, c21);
    product(6, Onto::Itself, c12);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_token_is_in_one_pair_with_its_neighbour_of_the_same_text(lengths in prop::collection::vec(0usize..9, 0..9)) {
            let pairs = pairs(&lengths);
            let tokens: Vec<usize> = pairs.iter().flat_map(|pair| pair.first..pair.first + pair.tokens).collect();
            prop_assert_eq!(tokens, (0..lengths.iter().sum()).collect::<Vec<usize>>());
            let begins = lengths.iter().scan(0, |next, len| Some(std::mem::replace(next, *next + len)));
            for (begin, len) in begins.zip(&lengths) {
                let inside: Vec<&Pair> = pairs.iter().filter(|pair| (begin..begin + len).contains(&pair.first)).collect();
                prop_assert_eq!(inside.iter().map(|pair| pair.tokens).sum::<usize>(), *len);
                prop_assert_eq!(inside.iter().filter(|pair| pair.tokens == 1).count(), len % 2);
            }
        }
    }
}
