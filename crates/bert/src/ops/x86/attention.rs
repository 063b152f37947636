//! Self-attention over the joint projections, one head of one row at a time.

use std::arch::x86_64::*;
use std::ops::Range;

use half::bf16;
use tch::{Device, Kind, Tensor};

use super::element::Element;
use super::product::{Product, multiply};
use super::scratch::{Scratch, lines, with_scratch};
use super::simd::{LANES, exp, first_lanes, load, store, transposed};
use super::sys::parallel;

/// Queries that are worked on together.
const QUERIES: usize = 48;
/// Keys are padded to a multiple of this.
const KEYS: usize = LANES;

/// `softmax(query · keyᵀ / √head_size) · value`.
///
/// `projected` is `[tokens, 3 · heads · head_size]`, contiguous: queries, keys, values; `lengths` are
/// the tokens of each row, of which each sees `span` to either side, or all. The result is
/// `[tokens, heads · head_size]` of the same kind.
pub(crate) fn attention(projected: &Tensor, lengths: &[usize], heads: usize, span: Option<usize>) -> Tensor {
    let (tokens, heads_of_all) = (projected.size()[0], heads as i64);
    let head_size = projected.size()[1] / 3 / heads_of_all;
    let scale = (head_size as f32).sqrt().recip();
    let attend = if projected.kind() == Kind::BFloat16 { attention_of::<bf16> } else { attention_of::<f32> };
    let missing = (-head_size).rem_euclid(LANES as i64);
    if missing == 0 {
        return attend(projected, lengths, heads, scale, span);
    }
    // Zeros change neither a product of queries and keys nor the mean of values.
    let wide = projected.view([tokens, 3 * heads_of_all, head_size]).constant_pad_nd([0, missing]);
    let context =
        attend(&wide.view([tokens, 3 * heads_of_all * (head_size + missing)]), lengths, heads, scale, span);
    let context = context.view([tokens, heads_of_all, head_size + missing]);
    context.narrow(2, 0, head_size).reshape([tokens, heads_of_all * head_size])
}

fn attention_of<E: Element>(
    projected: &Tensor,
    lengths: &[usize],
    heads: usize,
    scale: f32,
    span: Option<usize>,
) -> Tensor {
    let (tokens, width) = (projected.size()[0], projected.size()[1]);
    assert_eq!(tokens as usize, lengths.iter().sum::<usize>(), "rows end where the tokens do");
    let context = Tensor::empty([tokens, width / 3], (E::KIND, Device::Cpu));
    let hidden = width as usize / 3;
    let heads_of = Heads::<E> {
        projected: projected.data_ptr().cast(),
        context: context.data_ptr().cast(),
        hidden,
        head_size: hidden / heads,
        scale,
        span: span.unwrap_or(usize::MAX),
    };
    let begins = lengths.iter().scan(0, |next, len| Some(std::mem::replace(next, *next + len)));
    let rows: Vec<(usize, usize)> = begins.zip(lengths.iter().copied()).collect();
    // Head by head: rows come by length, and a share of them alone would be of the long or the short.
    parallel(rows.len() * heads, &|task| {
        let (head, (first, len)) = (task / rows.len(), rows[task % rows.len()]);
        // SAFETY: the shapes were settled above, and the caller has asked for the instructions.
        with_scratch(heads_of.scratch_lines(len), |scratch| unsafe {
            heads_of.run(first, head, len, scratch);
        });
    });
    context
}

struct Heads<E> {
    projected: *const E,
    context: *mut E,
    hidden: usize,
    head_size: usize,
    scale: f32,
    /// How many tokens to either side are seen.
    span: usize,
}

// SAFETY: each task reads shared inputs and writes a place of its own.
unsafe impl<E: Sync> Sync for Heads<E> {}

impl<E: Element> Heads<E> {
    fn scratch_lines(&self, len: usize) -> usize {
        let keys = len.next_multiple_of(KEYS);
        2 * lines::<E>(keys * self.head_size)
            + lines::<f32>(QUERIES * keys)
            + lines::<E>(QUERIES * keys)
            + lines::<f32>(QUERIES * self.head_size)
    }

    /// One head of the row of `len` tokens that begins at token `first`.
    ///
    /// # Safety
    /// The pointers reach as far as the sizes say; the processor has AVX-512.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    unsafe fn run(&self, first: usize, head: usize, len: usize, mut scratch: Scratch) {
        let Self { hidden, head_size, .. } = *self;
        let keys = len.next_multiple_of(KEYS);
        let transposed: *mut E = scratch.take(keys * head_size);
        let values: *mut E = scratch.take(keys * head_size);
        let scores: *mut f32 = scratch.take(QUERIES * keys);
        let weights: *mut E = scratch.take(QUERIES * keys);
        let mixed: *mut f32 = scratch.take(QUERIES * head_size);
        let stride = 3 * hidden;
        // SAFETY: as promised to this function.
        unsafe {
            let query = self.projected.add(first * stride + head * head_size);
            transpose(query.add(hidden), stride, len, head_size, transposed, keys);
            interleave(query.add(2 * hidden), stride, len, head_size, values, keys);
            let span = self.span.min(len);
            for at in (0..len).step_by(QUERIES) {
                let block = QUERIES.min(len - at);
                // The keys that one of these queries sees, in whole vectors.
                let from = at.saturating_sub(span) / KEYS * KEYS;
                let seen = keys.min((at + block + span).next_multiple_of(KEYS)) - from;
                let size = Product {
                    m: block,
                    n: seen,
                    k: head_size,
                    lda: stride,
                    ldb: keys,
                    ldc: seen,
                    onto: None,
                };
                let transposed = transposed.add(from * E::ROWS_INTERLEAVED);
                multiply(size, query.add(at * stride), transposed, scores);
                let mut sums = [0.0; QUERIES];
                for (row, sum) in sums.iter_mut().enumerate().take(block) {
                    let (scores, weights) = (scores.add(row * seen), weights.add(row * seen));
                    let visible =
                        (at + row).saturating_sub(span).max(from) - from..len.min(at + row + span + 1) - from;
                    *sum = softmax(scores, weights, visible, seen, self.scale);
                }
                let size =
                    Product { n: head_size, k: seen, lda: seen, ldb: head_size, ldc: head_size, ..size };
                multiply(size, weights, values.add(from * head_size), mixed);
                for (row, sum) in sums.iter().enumerate().take(block) {
                    let target = self.context.add((first + at + row) * hidden + head * head_size);
                    let share = _mm512_set1_ps(sum.recip());
                    for column in (0..head_size).step_by(LANES) {
                        let value = load(mixed.add(row * head_size + column));
                        store(target.add(column), _mm512_mul_ps(value, share));
                    }
                }
            }
        }
    }
}

/// `keys` columns from `len` rows, in units of as many elements as lie interleaved; zero beyond.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
unsafe fn transpose<E: Element>(
    source: *const E,
    stride: usize,
    len: usize,
    head_size: usize,
    target: *mut E,
    keys: usize,
) {
    // Two bfloat16 or one float32: a unit has four bytes either way.
    let (units, stride) = (head_size / E::ROWS_INTERLEAVED, stride / E::ROWS_INTERLEAVED);
    let (source, target) = (source.cast::<f32>(), target.cast::<f32>());
    for first_key in (0..keys).step_by(LANES) {
        for first in (0..units).step_by(LANES) {
            let there = first_lanes(units - first);
            let mut rows = [_mm512_setzero_ps(); LANES];
            for (row, key) in rows.iter_mut().zip(first_key..len) {
                // SAFETY: units beyond the head are masked; otherwise as promised to `run`.
                *row = unsafe { _mm512_maskz_loadu_ps(there, source.add(key * stride + first)) };
            }
            for (unit, &column) in transposed(rows).iter().enumerate().take(units - first) {
                // SAFETY: as promised to `run`.
                unsafe { _mm512_storeu_ps(target.add((first + unit) * keys + first_key), column) };
            }
        }
    }
}

/// `len` rows, as many of them interleaved as a product wants; zero up to `keys`.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
unsafe fn interleave<E: Element>(
    source: *const E,
    stride: usize,
    len: usize,
    head_size: usize,
    target: *mut E,
    keys: usize,
) {
    // SAFETY: as promised to `run`.
    unsafe {
        for row in (0..keys).step_by(E::ROWS_INTERLEAVED) {
            let to = target.add(row * head_size);
            for at in (0..head_size).step_by(LANES) {
                let half = |row: usize| source.add(row * stride + at);
                if E::ROWS_INTERLEAVED == 1 {
                    let value = if row < len { load(half(row)) } else { _mm512_setzero_ps() };
                    store(to.add(at), value);
                } else {
                    let part = |row: usize| {
                        let value = if row < len {
                            _mm256_loadu_si256(half(row).cast())
                        } else {
                            _mm256_setzero_si256()
                        };
                        _mm512_cvtepu16_epi32(value)
                    };
                    let pair = _mm512_or_si512(part(row), _mm512_slli_epi32::<16>(part(row + 1)));
                    _mm512_storeu_si512(to.add(2 * at).cast(), pair);
                }
            }
        }
    }
}

/// Exponentials of the `visible` scaled scores, less their maximum; zero elsewhere up to `keys`. Returns
/// their sum.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
unsafe fn softmax<E: Element>(
    scores: *const f32,
    weights: *mut E,
    visible: Range<usize>,
    keys: usize,
    scale: f32,
) -> f32 {
    let visible = |at: usize| {
        first_lanes(visible.end.saturating_sub(at)) & !first_lanes(visible.start.saturating_sub(at))
    };
    // SAFETY: as promised to `run`.
    unsafe {
        let lowest = _mm512_set1_ps(f32::NEG_INFINITY);
        let score = |at: usize| _mm512_mask_mov_ps(lowest, visible(at), load(scores.add(at)));
        let mut highest = lowest;
        for at in (0..keys).step_by(LANES) {
            highest = _mm512_max_ps(highest, score(at));
        }
        let highest = _mm512_set1_ps(_mm512_reduce_max_ps(highest));
        let scale = _mm512_set1_ps(scale);
        let mut sum = _mm512_setzero_ps();
        for at in (0..keys).step_by(LANES) {
            let value = exp(_mm512_mul_ps(_mm512_sub_ps(load(scores.add(at)), highest), scale));
            let value = _mm512_maskz_mov_ps(visible(at), value);
            sum = _mm512_add_ps(sum, value);
            store(weights.add(at), value);
        }
        _mm512_reduce_add_ps(sum)
    }
}
