//! Which kernels the processor can run, and what they offer.

use std::mem::MaybeUninit;

#[cfg(target_arch = "x86_64")]
use crate::avx512::{Avx512, Tail};
use crate::layer::{check_len, tokens};
use crate::{Activation, Element, Layer, Norm, can_pack, packed_len};

/// The kernels of the processor at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kernels(InstructionSet);

/// Each has a folder of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum InstructionSet {
    #[cfg(target_arch = "x86_64")]
    Avx512(Avx512),
}

impl Kernels {
    /// None where the processor has no instructions that kernels are written for.
    pub fn detect() -> Option<Self> {
        #[cfg(target_arch = "x86_64")]
        return Avx512::detect().map(|avx512| Self(InstructionSet::Avx512(avx512)));
        #[cfg(not(target_arch = "x86_64"))]
        None
    }

    /// The same without tile registers (AMX), whose products round elsewhere.
    pub fn without_tiles(self) -> Self {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512(avx512) => Self(InstructionSet::Avx512(avx512.without_tiles())),
        }
    }

    /// Whether they take bfloat16.
    pub fn has_bfloat16(self) -> bool {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512(avx512) => avx512.has_bfloat16(),
        }
    }

    /// The weights of a layer as products take them, from the weights of each output: `[panels,
    /// inputs, 64]`, in bfloat16 with the rows of a panel interleaved in pairs.
    ///
    /// # Panics
    /// The rows are not of one length, or not such that [`can_pack`]; `panels` has not
    /// [`packed_len`] elements; the processor has no instructions for bfloat16 and `E` is that.
    pub fn pack<'p, E: Element>(self, rows: &[&[f32]], panels: &'p mut [MaybeUninit<E>]) -> &'p mut [E] {
        let inputs = rows.first().map_or(0, |row| row.len());
        assert!(can_pack(rows.len(), inputs), "{} × {inputs} weights can be packed", rows.len());
        assert!(rows.iter().all(|row| row.len() == inputs), "outputs have {inputs} weights each");
        let panels = &mut panels[..packed_len(rows.len(), inputs)];
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512(avx512) => avx512.pack(rows, panels),
        }
    }

    /// `[tokens, inputs]` to `[tokens, outputs]` of the weights' type; `lengths` are the tokens of each
    /// text, one text after the other.
    ///
    /// # Panics
    /// A slice is not as long as the sizes say; the processor has no instructions for bfloat16 and one
    /// of the types is that.
    pub fn dense<'o, I: Element, E: Element>(
        self,
        input: &[I],
        lengths: &[usize],
        layer: Layer<E>,
        activation: Activation,
        output: &'o mut [MaybeUninit<E>],
    ) -> &'o mut [E] {
        layer.check(input.len(), lengths, output.len());
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512(avx512) => {
                let tail = match activation {
                    Activation::None => Tail::Nothing,
                    Activation::Gelu => Tail::Gelu,
                };
                avx512.dense(input, lengths, layer, tail, output)
            }
        }
    }

    /// [`Kernels::dense`], plus a `residual` `[tokens, outputs]`, normalized if there is a norm; float32.
    ///
    /// # Panics
    /// As [`Kernels::dense`].
    pub fn dense_add<'o, I: Element, E: Element>(
        self,
        input: &[I],
        lengths: &[usize],
        layer: Layer<E>,
        residual: &[f32],
        norm: Option<Norm>,
        output: &'o mut [MaybeUninit<f32>],
    ) -> &'o mut [f32] {
        layer.check(input.len(), lengths, output.len());
        check_len("residual", residual.len(), &[tokens(lengths), layer.outputs()]);
        if let Some(norm) = norm {
            norm.check(layer.outputs());
        }
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512(avx512) => {
                avx512.dense(input, lengths, layer, Tail::Add { residual, norm }, output)
            }
        }
    }

    /// `softmax(query · keyᵀ / √head_size) · value` of every head and text.
    ///
    /// `projected` is `[tokens, 3 · heads · head_size]`: queries, keys, values; `lengths` are the tokens
    /// of each text, of which each sees `span` to either side, or all. The result is `[tokens, heads ·
    /// head_size]`.
    ///
    /// # Panics
    /// As [`Kernels::dense`].
    pub fn attention<'c, E: Element>(
        self,
        projected: &[E],
        lengths: &[usize],
        heads: usize,
        head_size: usize,
        span: Option<usize>,
        context: &'c mut [MaybeUninit<E>],
    ) -> &'c mut [E] {
        let tokens = tokens(lengths);
        check_len("projected", projected.len(), &[tokens, 3, heads, head_size]);
        check_len("context", context.len(), &[tokens, heads, head_size]);
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512(avx512) => {
                avx512.attention(projected, lengths, heads, head_size, span, context)
            }
        }
    }
}
