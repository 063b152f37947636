//! Self-attention over the joint projections, one head of one row at a time.

use std::arch::x86_64::*;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ops::Range;

use rayon::prelude::*;

use super::Avx512;
use super::element::Lanes;
use super::multiplier::Multiplier;
use super::product::{Onto, Product};
use super::scratch::{Scratch, lines, with_scratch};
use super::simd::{LANES, exp, first_lanes, load, load_units, store, store_units, transposed, write};

/// Queries that are worked on together.
const QUERIES: usize = 48;
/// Keys are padded to a multiple of this.
const KEYS: usize = LANES;

impl Avx512 {
    /// `softmax(query · keyᵀ / √head_size) · value`; `Kernels` has seen to the sizes.
    pub(crate) fn attention<'c, E: Lanes>(
        self,
        projected: &[E],
        lengths: &[usize],
        heads: usize,
        head_size: usize,
        span: Option<usize>,
        context: &'c mut [MaybeUninit<E>],
    ) -> &'c mut [E] {
        self.check::<E>();
        let scale = (head_size as f32).sqrt().recip();
        let shape = Shape { heads, head_size, scale, span: span.unwrap_or(usize::MAX) };
        let wide = head_size.next_multiple_of(LANES);
        if wide == head_size {
            self.attend(projected, lengths, shape, context);
            // SAFETY: of each row, each head was written over the whole of its width.
            return unsafe { context.assume_init_mut() };
        }
        // Zeros change neither a product of queries and keys nor the mean of values.
        let mut padded = vec![E::zeroed(); projected.len() / head_size * wide];
        for (wide, narrow) in padded.chunks_exact_mut(wide).zip(projected.chunks_exact(head_size)) {
            wide[..head_size].copy_from_slice(narrow);
        }
        let mut mixed = vec![MaybeUninit::uninit(); padded.len() / 3];
        self.attend(&padded, lengths, Shape { head_size: wide, ..shape }, &mut mixed);
        for (narrow, wide) in context.chunks_exact_mut(head_size).zip(mixed.chunks_exact(wide)) {
            narrow.copy_from_slice(&wide[..head_size]);
        }
        // SAFETY: as above.
        unsafe { context.assume_init_mut() }
    }

    fn attend<E: Lanes>(
        self,
        projected: &[E],
        lengths: &[usize],
        shape: Shape,
        context: &mut [MaybeUninit<E>],
    ) {
        let attention = Attention { avx512: self, projected, context: Context::new(context), shape };
        let begins = lengths.iter().scan(0, |next, len| Some(std::mem::replace(next, *next + len)));
        let rows: Vec<(usize, usize)> =
            begins.zip(lengths.iter().copied()).filter(|(_, len)| *len > 0).collect();
        // Head by head: rows come by length, and a share of them alone would be of the long or the short.
        (0..rows.len() * shape.heads).into_par_iter().for_each(|task| {
            let (head, (first, len)) = (task / rows.len(), rows[task % rows.len()]);
            with_scratch(attention.scratch_lines(len), |scratch| {
                // SAFETY: the processor has the instructions, as there is an `Avx512`; no other task
                // has this head of this row.
                unsafe { attention.run(first, head, len, scratch) };
            });
        });
    }
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

struct Attention<'a, E> {
    avx512: Avx512,
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

impl<'a, E: Lanes> Context<'a, E> {
    fn new(memory: &'a mut [MaybeUninit<E>]) -> Self {
        Self { start: memory.as_mut_ptr(), len: memory.len(), memory: PhantomData }
    }

    /// Stores sixteen elements from `at` on.
    ///
    /// # Safety
    /// No other thread has any of these places.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    unsafe fn write(&self, at: usize, values: __m512) {
        assert!(at + LANES <= self.len);
        // SAFETY: the places are within the memory, which is borrowed as long as this is there.
        let places = unsafe { &mut *self.start.add(at).cast::<[MaybeUninit<E>; LANES]>() };
        write(places, values);
    }
}

impl<E: Lanes> Attention<'_, E> {
    fn scratch_lines(&self, len: usize) -> usize {
        let (keys, head_size) = (len.next_multiple_of(KEYS), self.shape.head_size);
        2 * lines::<E>(keys * head_size)
            + lines::<f32>(QUERIES * keys)
            + lines::<E>(QUERIES * keys)
            + lines::<f32>(QUERIES * head_size)
    }

    /// One head of the row of `len` tokens that begins at token `first`.
    ///
    /// # Safety
    /// No other thread has this head of this row.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    unsafe fn run(&self, first: usize, head: usize, len: usize, mut scratch: Scratch) {
        let Shape { heads, head_size, scale, span } = self.shape;
        let (hidden, keys) = (heads * head_size, len.next_multiple_of(KEYS));
        let transposed: &mut [E] = scratch.take(keys * head_size);
        let values: &mut [E] = scratch.take(keys * head_size);
        let scores: &mut [f32] = scratch.take(QUERIES * keys);
        let weights: &mut [E] = scratch.take(QUERIES * keys);
        let mixed: &mut [f32] = scratch.take(QUERIES * head_size);
        let stride = 3 * hidden;
        let query = &self.projected[first * stride + head * head_size..];
        let key_of = |key: usize| &query[hidden + key * stride..][..head_size];
        let value_of = |key: usize| &query[2 * hidden + key * stride..][..head_size];
        transpose(key_of, len, head_size, transposed, keys);
        interleave(value_of, len, head_size, values);
        let mut multiplier = Multiplier::new::<E>(self.avx512);
        let span = span.min(len);
        for at in (0..len).step_by(QUERIES) {
            let block = QUERIES.min(len - at);
            // The keys that one of these queries sees, in whole vectors.
            let from = at.saturating_sub(span) / KEYS * KEYS;
            let seen = keys.min((at + block + span).next_multiple_of(KEYS)) - from;
            let size = Product { m: block, n: seen, k: head_size, lda: stride, ldb: keys, ldc: seen };
            let (query, transposed) = (&query[at * stride..], &transposed[from * E::OF_UNIT..]);
            multiplier.multiply(size, query, transposed, Onto::Nothing, scores);
            let mut sums = [0.0; QUERIES];
            let rows = scores.chunks_exact(seen).zip(weights.chunks_exact_mut(seen)).zip(at..at + block);
            for (sum, ((scores, weights), query)) in sums.iter_mut().zip(rows) {
                let visible = query.saturating_sub(span).max(from) - from..len.min(query + span + 1) - from;
                *sum = softmax(scores, weights, visible, scale);
            }
            let size = Product { n: head_size, k: seen, lda: seen, ldb: head_size, ldc: head_size, ..size };
            multiplier.multiply(size, weights, &values[from * head_size..], Onto::Nothing, mixed);
            for ((sum, mixed), query) in sums.iter().zip(mixed.chunks_exact(head_size)).zip(at..at + block) {
                let share = _mm512_set1_ps(sum.recip());
                let target = (first + query) * hidden + head * head_size;
                for (column, values) in mixed.as_chunks().0.iter().enumerate() {
                    let values = _mm512_mul_ps(load::<f32>(values), share);
                    // SAFETY: as promised to this function.
                    unsafe { self.context.write(target + column * LANES, values) };
                }
            }
        }
    }
}

/// `keys` columns from `len` rows, in units of as many elements as lie interleaved; zero beyond.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn transpose<'a, E: Lanes>(
    row_of: impl Fn(usize) -> &'a [E],
    len: usize,
    head_size: usize,
    target: &mut [E],
    keys: usize,
) {
    let units = head_size / E::OF_UNIT;
    for first_key in (0..keys).step_by(LANES) {
        for first in (0..units).step_by(LANES) {
            let mut rows = [_mm512_setzero_ps(); LANES];
            for (row, key) in rows.iter_mut().zip(first_key..len) {
                *row = load_units(&row_of(key)[first * E::OF_UNIT..]);
            }
            let columns = target[first * keys * E::OF_UNIT..].chunks_exact_mut(keys * E::OF_UNIT);
            for (column, units) in columns.zip(transposed(rows)) {
                store_units(&mut column[first_key * E::OF_UNIT..], units);
            }
        }
    }
}

/// `len` rows, as many of them interleaved as a product wants; zero to the end of `target`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn interleave<'a, E: Lanes>(
    row_of: impl Fn(usize) -> &'a [E],
    len: usize,
    head_size: usize,
    target: &mut [E],
) {
    for (group, to) in target.chunks_exact_mut(head_size * E::OF_UNIT).enumerate() {
        let part = |row: usize, vector: usize| {
            let row = group * E::OF_UNIT + row;
            if row < len { load(&row_of(row).as_chunks().0[vector]) } else { _mm512_setzero_ps() }
        };
        for (vector, to) in to.chunks_exact_mut(LANES * E::OF_UNIT).enumerate() {
            let mut units = part(0, vector);
            if E::OF_UNIT == 2 {
                // As floats, both have their bits in the upper half.
                let [even, odd] = [units, part(1, vector)].map(|half| _mm512_castps_si512(half));
                units = _mm512_castsi512_ps(_mm512_or_si512(_mm512_srli_epi32::<16>(even), odd));
            }
            store_units(to, units);
        }
    }
}

/// Exponentials of the `visible` scaled scores, less their maximum; zero elsewhere. Returns their sum.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn softmax<E: Lanes>(scores: &[f32], weights: &mut [E], visible: Range<usize>, scale: f32) -> f32 {
    let scores = scores.as_chunks().0;
    let visible = |vector: usize| {
        let at = vector * LANES;
        first_lanes(visible.end.saturating_sub(at)) & !first_lanes(visible.start.saturating_sub(at))
    };
    let lowest = _mm512_set1_ps(f32::NEG_INFINITY);
    let mut highest = lowest;
    for (vector, scores) in scores.iter().enumerate() {
        highest = _mm512_max_ps(highest, _mm512_mask_mov_ps(lowest, visible(vector), load(scores)));
    }
    let highest = _mm512_set1_ps(_mm512_reduce_max_ps(highest));
    let scale = _mm512_set1_ps(scale);
    let mut sum = _mm512_setzero_ps();
    for (vector, (scores, weights)) in scores.iter().zip(weights.as_chunks_mut().0).enumerate() {
        let value = exp(_mm512_mul_ps(_mm512_sub_ps(load(scores), highest), scale));
        let value = _mm512_maskz_mov_ps(visible(vector), value);
        sum = _mm512_add_ps(sum, value);
        store(weights, value);
    }
    _mm512_reduce_add_ps(sum)
}
