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

use crate::layer::PANEL;
use crate::panels::{BLOCK, Finish, multiply_panel};
use crate::product::{Multiplier, Onto, Product};
use crate::scratch::{Scratch, lines};
use crate::simd::{LANES, Simd};

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
#[inline(always)]
fn left_sums<S: Simd>(simd: S, [a11, a12, a21, a22]: [S::Floats; 4]) -> [S::Floats; 4] {
    let s1 = simd.add(a21, a22);
    let s2 = simd.sub(s1, a11);
    let s3 = simd.sub(a11, a21);
    let s4 = simd.sub(a12, s2);
    [s1, s2, s3, s4]
}

/// `t1` to `t4` of `b11`, `b12`, `b21` and `b22`; `t4` with the other sign, as nothing subtracts.
#[inline(always)]
fn right_sums<S: Simd>(simd: S, [b11, b12, b21, b22]: [S::Floats; 4]) -> [S::Floats; 4] {
    let t1 = simd.sub(b12, b11);
    let t2 = simd.sub(b22, t1);
    let t3 = simd.sub(b22, b12);
    let t4 = simd.sub(b21, t2);
    [t1, t2, t3, t4]
}

/// The matrices of `c[tokens, outputs] = a[tokens, inputs] · b`; `b` in panels.
#[derive(Clone, Copy)]
pub(crate) struct Matrices<'a, S> {
    pub(crate) simd: S,
    pub(crate) a: &'a [f32],
    pub(crate) b: &'a [f32],
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
}

impl<'a, S: Simd> Matrices<'a, S> {
    pub(crate) fn scratch_lines(&self, pairs: &[Pair]) -> usize {
        let (half, odd) = (self.inputs / 2, odd(pairs).count());
        4 * lines::<f32>(BLOCK * PANEL)
            + 4 * lines::<f32>(half * S::WIDTH)
            + lines::<f32>(FACTORS * (pairs.len() - odd) * half)
            + lines::<f32>(odd * self.inputs)
    }

    /// Multiplies the tokens of `pairs`, of sizes such that this [`pays`], and hands each's sums on. A token without a partner is multiplied as it is.
    ///
    /// `scratch` has [`Matrices::scratch_lines`].
    #[inline(always)]
    pub(crate) fn multiply(&self, pairs: &[Pair], mut scratch: Scratch, finish: &mut impl Finish) {
        let Self { simd, b, inputs, outputs, .. } = *self;
        let (half, multiplier) = (inputs / 2, &mut Multiplier::new(simd));
        let mut quarters: [&mut [f32]; 4] = [(); 4].map(|()| scratch.take(BLOCK * PANEL));
        let mut sums: [&mut [f32]; 4] = [(); 4].map(|()| scratch.take(half * S::WIDTH));
        let odd: Vec<usize> = odd(pairs).collect();
        let pairs: Vec<usize> = pairs.iter().filter(|pair| pair.tokens == 2).map(|pair| pair.first).collect();
        let left: &mut [f32] = scratch.take(FACTORS * pairs.len() * half);
        let alone: &mut [f32] = scratch.take(odd.len() * inputs);
        for (row, &token) in alone.chunks_exact_mut(inputs).zip(&odd) {
            row.copy_from_slice(&self.a[token * inputs..][..inputs]);
        }
        for two_panels in (0..outputs).step_by(2 * PANEL) {
            for column in (two_panels..two_panels + PANEL).step_by(S::WIDTH) {
                let right = self.right(column, &mut sums);
                // The factors of a block follow those before it.
                let blocks = pairs.chunks(BLOCK).zip(left.chunks_mut(FACTORS * BLOCK * half));
                for (pairs, left) in blocks {
                    if column == 0 {
                        self.split(pairs, left);
                    }
                    multiply_quarters(simd, multiplier, [pairs.len(), half], left, right, &mut quarters);
                    for (pair, &first) in pairs.iter().enumerate() {
                        for (quarter, sums) in quarters.iter().enumerate() {
                            let sums = sums[pair * S::WIDTH..][..S::WIDTH].as_chunks().0;
                            finish.finish(sums, first + quarter / 2, column + quarter % 2 * PANEL);
                        }
                    }
                }
            }
            let panels = b[two_panels * inputs..][..2 * PANEL * inputs].chunks_exact(PANEL * inputs);
            for (panel, weights) in (two_panels / PANEL..).zip(panels) {
                let token = |place: usize| odd[place];
                multiply_panel(multiplier, inputs, alone, (panel, weights), quarters[0], token, finish);
            }
        }
    }

    /// The right factors of the outputs from `column` on and of those a panel later, `[inputs / 2, S::WIDTH]`
    /// each.
    #[inline(always)]
    fn right<'s>(&self, column: usize, sums: &'s mut [&mut [f32]; 4]) -> [&'s [f32]; FACTORS]
    where
        'a: 's,
    {
        let (simd, size) = (self.simd, self.inputs / 2 * S::WIDTH);
        let halves = |column: usize| self.b[column * self.inputs..][..2 * size].split_at(size);
        let ((b11, b21), (b12, b22)) = (halves(column), halves(column + PANEL));
        for at in 0..size / LANES {
            let mut quarters = [simd.splat(0.0); 4];
            for (to, quarter) in quarters.iter_mut().zip([b11, b12, b21, b22]) {
                *to = simd.load(&quarter.as_chunks().0[at]);
            }
            for (sum, value) in sums.iter_mut().zip(right_sums(simd, quarters)) {
                simd.store(&mut sum.as_chunks_mut().0[at], value);
            }
        }
        let [t1, t2, t3, t4] = sums.each_ref().map(|sum| &**sum);
        [b11, b21, t2, t3, t1, t4, b22]
    }

    /// The left factors of a block of pairs, `[FACTORS, pairs, inputs / 2]`, each by its first token.
    #[inline(always)]
    fn split(&self, pairs: &[usize], to: &mut [f32]) {
        let (simd, vectors) = (self.simd, self.inputs / 2 / LANES);
        let to = to.as_chunks_mut().0;
        for (pair, first) in pairs.iter().enumerate() {
            // The quarters of two tokens lie end to end.
            let tokens = self.a[first * self.inputs..][..2 * self.inputs].as_chunks().0;
            for at in 0..vectors {
                let mut quarters = [simd.splat(0.0); 4];
                for (quarter, to) in quarters.iter_mut().enumerate() {
                    *to = simd.load(&tokens[quarter * vectors + at]);
                }
                let [a11, a12, _, a22] = quarters;
                let [s1, s2, s3, s4] = left_sums(simd, quarters);
                for (factor, value) in [a11, a12, s2, s3, s1, a22, s4].into_iter().enumerate() {
                    simd.store(&mut to[(factor * pairs.len() + pair) * vectors + at], value);
                }
            }
        }
    }
}

/// The tokens that have no partner.
fn odd(pairs: &[Pair]) -> impl Iterator<Item = usize> {
    pairs.iter().filter(|pair| pair.tokens == 1).map(|pair| pair.first)
}

/// `c11`, `c12`, `c21` and `c22`, `[pairs, S::WIDTH]` each, from the factors.
#[inline(always)]
fn multiply_quarters<S: Simd>(
    simd: S,
    multiplier: &mut Multiplier<S>,
    [pairs, half]: [usize; 2],
    left: &[f32],
    right: [&[f32]; FACTORS],
    quarters: &mut [&mut [f32]; 4],
) {
    let [c11, c12, c21, c22] = quarters.each_mut().map(|quarter| &mut quarter[..pairs * S::WIDTH]);
    let mut product = |factor: usize, onto: Onto, to: &mut [f32]| {
        let (n, ldb, ldc) = (S::WIDTH, S::WIDTH, S::WIDTH);
        let size = Product { m: pairs, n, k: half, lda: half, ldb, depth: half, ldc };
        multiplier.multiply(size, &left[factor * pairs * half..], right[factor], onto, to);
    };
    product(0, Onto::Nothing, c11);
    product(2, Onto::Other(c11), c12);
    product(1, Onto::Itself, c11);
    product(3, Onto::Other(c12), c21);
    product(4, Onto::Nothing, c22);
    add(simd, c22, c12);
    add(simd, c21, c22);
    product(5, Onto::Itself, c21);
    product(6, Onto::Itself, c12);
}

#[inline(always)]
fn add<S: Simd>(simd: S, from: &[f32], to: &mut [f32]) {
    for (from, to) in from.as_chunks().0.iter().zip(to.as_chunks_mut().0) {
        simd.store(to, simd.add(simd.load(from), simd.load(to)));
    }
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
