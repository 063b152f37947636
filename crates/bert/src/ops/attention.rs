//! Attention in burn's own operations, one block of rows of one length at a time.

use std::ops::Range;

use burn::backend::Backend;
use burn::backend::TensorMetadata;
use burn::backend::ops::AttentionModuleOptions;
use burn::backend::tensor::FloatTensor;
use burn::tensor::Slice;

use crate::ops::layout::{Block, Window, blocks, windows};

/// `bias`, `[heads, longest, longest]`, is added to the scores.
pub(super) fn attention_by_blocks<B: Backend>(
    projected: FloatTensor<B>,
    bias: Option<FloatTensor<B>>,
    lengths: &[usize],
    heads: usize,
) -> FloatTensor<B> {
    let of_block = |block: Block| {
        let [query, key, value] = heads_of::<B>(&projected, &block, heads);
        let Block { rows, len, .. } = block;
        let bias = bias.clone().map(|bias| {
            let bias = B::float_slice(bias, &[Slice::full(), range(0, len), range(0, len)]);
            let bias = B::float_reshape(bias, [1, heads, len, len].into());
            B::float_expand(bias, [rows, heads, len, len].into())
        });
        tokens_of::<B>(B::attention(query, key, value, None, bias, AttentionModuleOptions::default()), &block)
    };
    B::float_cat(blocks(lengths).map(of_block).collect(), 0)
}

/// Each token sees `span` to either side.
pub(super) fn local_attention_by_blocks<B: Backend>(
    projected: FloatTensor<B>,
    lengths: &[usize],
    heads: usize,
    span: usize,
) -> FloatTensor<B> {
    let of_block = |block: Block| {
        let [query, key, value] = heads_of::<B>(&projected, &block, heads);
        let of_window = |window: Window| {
            let mask = (block.len > span.saturating_add(1))
                .then(|| B::float_from_data(window.mask(span), &query.device()));
            let part = |of: &FloatTensor<B>, places: &Range<usize>| {
                let (all, places) = (Slice::full(), range(places.start, places.end));
                B::float_slice(of.clone(), &[all, all, places, all])
            };
            let (keys, values) = (part(&key, &window.keys), part(&value, &window.keys));
            let queries = part(&query, &window.queries);
            B::attention(queries, keys, values, None, mask, AttentionModuleOptions::default())
        };
        let windows: Vec<Window> = windows(block.len, span).collect();
        let context = B::float_cat(windows.into_iter().map(of_window).collect(), 2);
        tokens_of::<B>(context, &block)
    };
    B::float_cat(blocks(lengths).map(of_block).collect(), 0)
}

fn range(start: usize, end: usize) -> Slice {
    Slice::new(start as isize, Some(end as isize), 1)
}

/// Query, key and value of a block, `[rows, heads, len, head_size]` each.
fn heads_of<B: Backend>(projected: &FloatTensor<B>, block: &Block, heads: usize) -> [FloatTensor<B>; 3] {
    let [_, width] = projected.shape().dims();
    let Block { first, rows, len, .. } = *block;
    let head_size = width / 3 / heads;
    let tokens = range(first, first + block.tokens());
    let joint = B::float_slice(projected.clone(), &[tokens, Slice::full()]);
    let joint = B::float_reshape(joint, [rows, len, 3, heads, head_size].into());
    [0, 1, 2].map(|index| {
        let all = Slice::full();
        let part = B::float_slice(joint.clone(), &[all, all, range(index, index + 1), all, all]);
        let part = B::float_reshape(part, [rows, len, heads, head_size].into());
        B::float_swap_dims(part, 1, 2)
    })
}

/// `[tokens, hidden_size]` of `[rows, heads, len, head_size]`.
fn tokens_of<B: Backend>(context: FloatTensor<B>, block: &Block) -> FloatTensor<B> {
    let [_, heads, _, head_size] = context.shape().dims();
    B::float_reshape(B::float_swap_dims(context, 1, 2), [block.tokens(), heads * head_size].into())
}
