//! Self-attention over the joint projections, one head of one row at a time.

use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ops::Range;

use rayon::prelude::*;

use crate::math::exp;
use crate::product::{Multiplier, Product};
use crate::scratch::{Scratch, lines, with_scratch};
use crate::simd::{LANES, Lanes, Simd, Task, write};

/// Queries that are worked on together.
const QUERIES: usize = 48;
/// Keys are padded to a multiple of this.
const KEYS: usize = LANES;

/// `softmax(query · keyᵀ / √head_size) · value`, all of which is written; `Kernels` has seen to the sizes.
pub(crate) fn attention<S: Simd, E: Lanes<S>>(
    simd: S,
    projected: &[E],
    lengths: &[usize],
    heads: usize,
    head_size: usize,
    span: Option<usize>,
    context: &mut [MaybeUninit<E>],
) {
    let scale = (head_size as f32).sqrt().recip();
    let shape = Shape { heads, head_size, scale, span: span.unwrap_or(usize::MAX) };
    let wide = head_size.next_multiple_of(LANES);
    if wide == head_size {
        return attend(simd, projected, lengths, shape, context);
    }
    // Zeros change neither a product of queries and keys nor the mean of values.
    let mut padded = vec![E::zeroed(); projected.len() / head_size * wide];
    for (wide, narrow) in padded.chunks_exact_mut(wide).zip(projected.chunks_exact(head_size)) {
        wide[..head_size].copy_from_slice(narrow);
    }
    let mut mixed = vec![MaybeUninit::uninit(); padded.len() / 3];
    attend(simd, &padded, lengths, Shape { head_size: wide, ..shape }, &mut mixed);
    for (narrow, wide) in context.chunks_exact_mut(head_size).zip(mixed.chunks_exact(wide)) {
        narrow.copy_from_slice(&wide[..head_size]);
    }
}

fn attend<S: Simd, E: Lanes<S>>(
    simd: S,
    projected: &[E],
    lengths: &[usize],
    shape: Shape,
    context: &mut [MaybeUninit<E>],
) {
    let attention = Attention { simd, projected, context: Context::new(context), shape };
    let begins = lengths.iter().scan(0, |next, len| Some(std::mem::replace(next, *next + len)));
    let rows: Vec<(usize, usize)> = begins.zip(lengths.iter().copied()).filter(|(_, len)| *len > 0).collect();
    // Head by head: rows come by length, and a share of them alone would be of the long or the short.
    (0..rows.len() * shape.heads).into_par_iter().for_each(|task| {
        let (head, (first, len)) = (task / rows.len(), rows[task % rows.len()]);
        with_scratch(attention.scratch_lines(len), |scratch| {
            // No other task has this head of this row.
            simd.run(Head { attention: &attention, first, head, len, scratch });
        });
    });
}

#[derive(Clone, Copy)]
struct Shape {
    heads: usize,
    head_size: usize,
    /// What scores are multiplied with.
    scale: f32,
    /// How many tokens to either side are seen.
    span: usize,
}

struct Attention<'a, S, E> {
    simd: S,
    projected: &'a [E],
    context: Context<'a, E>,
    shape: Shape,
}

/// The result, of which each task writes the places of its own.
struct Context<'a, E> {
    start: *mut MaybeUninit<E>,
    len: usize,
    memory: PhantomData<&'a mut [E]>,
}

// SAFETY: whoever writes promises to be the only one who has these places.
unsafe impl<E: Send> Sync for Context<'_, E> {}

impl<'a, E> Context<'a, E> {
    fn new(memory: &'a mut [MaybeUninit<E>]) -> Self {
        Self { start: memory.as_mut_ptr(), len: memory.len(), memory: PhantomData }
    }

    /// Stores sixteen elements from `at` on.
    ///
    /// # Safety
    /// No other thread has any of these places.
    #[inline(always)]
    unsafe fn write<S: Simd>(&self, simd: S, at: usize, floats: S::Floats)
    where
        E: Lanes<S>,
    {
        assert!(at + LANES <= self.len);
        // SAFETY: the places are within the memory, which is borrowed as long as this is there.
        let places = unsafe { &mut *self.start.add(at).cast::<[MaybeUninit<E>; LANES]>() };
        write(simd, places, floats);
    }
}

impl<S: Simd, E: Lanes<S>> Attention<'_, S, E> {
    fn scratch_lines(&self, len: usize) -> usize {
        let (keys, head_size) = (Columns::of::<S>(len.next_multiple_of(KEYS)), self.shape.head_size);
        lines::<E>(keys.with_padding() * head_size)
            + lines::<E>(keys.count * Columns::of::<S>(head_size).with_padding())
            + lines::<f32>(QUERIES * keys.count)
            + lines::<E>(QUERIES * keys.count)
            + lines::<f32>(QUERIES * head_size)
    }
}

/// The columns of a product's second operand, and how many of them lie side by side.
#[derive(Clone, Copy)]
struct Columns {
    count: usize,
    together: usize,
}

impl Columns {
    fn of<S: Simd>(count: usize) -> Self {
        Self { count, together: S::WIDTH.min(count) }
    }

    fn with_padding(self) -> usize {
        self.count.next_multiple_of(self.together)
    }
}

/// One head of the row of `len` tokens that begins at token `first`.
struct Head<'a, 's, S, E> {
    attention: &'a Attention<'a, S, E>,
    first: usize,
    head: usize,
    len: usize,
    scratch: Scratch<'s>,
}

impl<S: Simd, E: Lanes<S>> Task for Head<'_, '_, S, E> {
    #[inline(always)]
    fn run(self) {
        let Self { attention, first, head, len, mut scratch } = self;
        let Attention { simd, projected, ref context, shape: Shape { heads, head_size, scale, span } } =
            *attention;
        let hidden = heads * head_size;
        let (keys, mixed_columns) =
            (Columns::of::<S>(len.next_multiple_of(KEYS)), Columns::of::<S>(head_size));
        let transposed: &mut [E] = scratch.take(keys.with_padding() * head_size);
        let values: &mut [E] = scratch.take(keys.count * mixed_columns.with_padding());
        let scores: &mut [f32] = scratch.take(QUERIES * keys.count);
        let weights: &mut [E] = scratch.take(QUERIES * keys.count);
        let mixed: &mut [f32] = scratch.take(QUERIES * head_size);
        let stride = 3 * hidden;
        let query = &projected[first * stride + head * head_size..];
        let rows = Rows { elements: query, stride, len, width: head_size };
        rows.of(hidden).transpose(simd, keys, transposed);
        rows.of(2 * hidden).interleave(simd, mixed_columns, keys.count, values);
        let mut multiplier = Multiplier::new(simd);
        let span = span.min(len);
        for at in (0..len).step_by(QUERIES) {
            let block = QUERIES.min(len - at);
            // The keys that one of these queries sees, from where columns lie together, and in whole vectors.
            let from = at.saturating_sub(span) / keys.together * keys.together;
            let seen = keys.count.min((at + block + span).next_multiple_of(KEYS)) - from;
            let size = Product {
                m: block,
                n: seen,
                k: head_size,
                lda: stride,
                ldb: keys.together,
                depth: head_size,
                ldc: seen,
                adds: false,
            };
            multiplier.multiply(size, &query[at * stride..], &transposed[from * head_size..], scores);
            let mut sums = [0.0; QUERIES];
            let rows = scores.chunks_exact(seen).zip(weights.chunks_exact_mut(seen)).zip(at..at + block);
            for (sum, ((scores, weights), query)) in sums.iter_mut().zip(rows) {
                let visible = query.saturating_sub(span).max(from) - from..len.min(query + span + 1) - from;
                *sum = softmax(simd, scores, weights, visible, scale);
            }
            let size = Product {
                m: block,
                n: head_size,
                k: seen,
                lda: seen,
                ldb: mixed_columns.together,
                depth: keys.count,
                ldc: head_size,
                adds: false,
            };
            let values = &values[from * mixed_columns.together..];
            multiplier.multiply(size, weights, values, mixed);
            for ((sum, mixed), query) in sums.iter().zip(mixed.chunks_exact(head_size)).zip(at..at + block) {
                let share = simd.splat(sum.recip());
                let target = (first + query) * hidden + head * head_size;
                for (column, values) in mixed.as_chunks().0.iter().enumerate() {
                    let values = simd.mul(simd.load(values), share);
                    // SAFETY: no other task has this head of this row.
                    unsafe { context.write(simd, target + column * LANES, values) };
                }
            }
        }
    }
}

/// The queries, keys or values of a head: `len` rows of `width`, `stride` apart.
#[derive(Clone, Copy)]
struct Rows<'a, E> {
    elements: &'a [E],
    stride: usize,
    len: usize,
    width: usize,
}

impl<E> Rows<'_, E> {
    /// Those that begin so many elements later.
    fn of(self, part: usize) -> Self {
        Self { elements: &self.elements[part..], ..self }
    }

    #[inline(always)]
    fn row(&self, row: usize) -> &[E] {
        &self.elements[row * self.stride..][..self.width]
    }

    /// Rows become columns, in units of as many elements as lie interleaved; zero beyond the last.
    #[inline(always)]
    fn transpose<S: Simd>(self, simd: S, columns: Columns, target: &mut [E])
    where
        E: Lanes<S>,
    {
        let Columns { count, together } = columns;
        for first_row in (0..count).step_by(LANES) {
            let panel = &mut target[first_row / together * together * self.width..];
            for first in (0..self.width / E::OF_UNIT).step_by(LANES) {
                let mut rows = [simd.splat(0.0); LANES];
                for (units, row) in rows.iter_mut().zip(first_row..self.len) {
                    *units = E::load_units(simd, &self.row(row)[first * E::OF_UNIT..]);
                }
                let columns = panel[first * together * E::OF_UNIT..].chunks_exact_mut(together * E::OF_UNIT);
                for (column, units) in columns.zip(simd.transposed(rows)) {
                    E::store_units(simd, &mut column[first_row % together * E::OF_UNIT..], units);
                }
            }
        }
    }

    /// Rows as the second operand of a product, as many interleaved as a unit has elements; zero from the
    /// last to `depth`.
    #[inline(always)]
    fn interleave<S: Simd>(self, simd: S, columns: Columns, depth: usize, target: &mut [E])
    where
        E: Lanes<S>,
    {
        let together = columns.together;
        for (panel, target) in target.chunks_exact_mut(depth * together).enumerate() {
            for (group, to) in target.chunks_exact_mut(together * E::OF_UNIT).enumerate() {
                for (vector, to) in to.chunks_exact_mut(LANES * E::OF_UNIT).enumerate() {
                    let column = panel * together + vector * LANES;
                    let part = |row: usize| {
                        let row = group * E::OF_UNIT + row;
                        let is_there = row < self.len && column < self.width;
                        if is_there {
                            E::load(simd, &self.row(row)[column..].as_chunks().0[0])
                        } else {
                            simd.splat(0.0)
                        }
                    };
                    E::store_units(simd, to, E::interleaved(simd, part));
                }
            }
        }
    }
}

/// Exponentials of the `visible` scaled scores, less their maximum; zero elsewhere. Returns their sum.
#[inline(always)]
fn softmax<S: Simd, E: Lanes<S>>(
    simd: S,
    scores: &[f32],
    weights: &mut [E],
    visible: Range<usize>,
    scale: f32,
) -> f32 {
    let scores = scores.as_chunks().0;
    let visible = |vector: usize| {
        let at = vector * LANES;
        visible.start.saturating_sub(at)..visible.end.saturating_sub(at)
    };
    let lowest = simd.splat(f32::NEG_INFINITY);
    let mut highest = lowest;
    for (vector, scores) in scores.iter().enumerate() {
        highest = simd.max(highest, simd.select(visible(vector), simd.load(scores), lowest));
    }
    let highest = simd.splat(simd.largest(highest));
    let (scale, nothing) = (simd.splat(scale), simd.splat(0.0));
    let mut sum = nothing;
    for (vector, (scores, weights)) in scores.iter().zip(weights.as_chunks_mut().0).enumerate() {
        let value = exp(simd, simd.mul(simd.sub(simd.load(scores), highest), scale));
        let value = simd.select(visible(vector), value, nothing);
        sum = simd.add(sum, value);
        E::store(simd, weights, value);
    }
    simd.sum(sum)
}
