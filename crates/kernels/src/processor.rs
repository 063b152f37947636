//! Which kernels the processor can run, and what they offer.

use std::mem::MaybeUninit;

#[cfg(target_arch = "x86_64")]
use crate::avx2::Avx2;
#[cfg(target_arch = "x86_64")]
use crate::avx512::Avx512;
use crate::dense::{dense, same};
use crate::layer::{check_len, tokens};
use crate::portable::Portable;
use crate::tail::Tail;
use crate::{
    Activation, Element, Layer, Norm, attention, can_pack, can_pack_int8, int8, packed_int8_len, packed_len,
    panels,
};

/// The kernels of the processor at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kernels(InstructionSet);

/// Each has a room of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum InstructionSet {
    #[cfg(target_arch = "x86_64")]
    Avx512(Avx512),
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    Portable(Portable),
}

/// Calls `$kernel(simd, operands…)` for the instruction set. All but AVX-512 have float32 alone.
macro_rules! call {
    ($set:expr, $kernel:path, ($($wide:expr),*), ($($float32:expr),*)) => {
        match $set {
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512(simd) => $kernel(simd, $($wide),*),
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2(simd) => $kernel(simd, $($float32),*),
            InstructionSet::Portable(simd) => $kernel(simd, $($float32),*),
        }
    };
}

/// Calls `$kernel(simd, operands…)` for an instruction set that multiplies bytes.
macro_rules! call_int8 {
    ($set:expr, $kernel:path, ($($operand:expr),*)) => {
        match $set {
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512(simd) if simd.has_int8() => $kernel(simd, $($operand),*),
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2(simd) if simd.has_int8() => $kernel(simd, $($operand),*),
            _ => panic!("the processor has instructions for int8 (avx512_vnni or avx_vnni)"),
        }
    };
}

impl Kernels {
    /// The fastest of the processor.
    pub fn detect() -> Self {
        Self::all().remove(0)
    }

    /// Those of every instruction set that the processor has, the fastest first.
    pub fn all() -> Vec<Self> {
        let mut all = Vec::new();
        #[cfg(target_arch = "x86_64")]
        if let Some(avx512) = Avx512::detect() {
            all.push(InstructionSet::Avx512(avx512));
            all.push(InstructionSet::Avx512(avx512.without_tiles()));
        }
        #[cfg(target_arch = "x86_64")]
        all.extend(Avx2::detect().map(InstructionSet::Avx2));
        all.push(InstructionSet::Portable(Portable));
        all.dedup();
        all.into_iter().map(Self).collect()
    }

    /// `avx512 with tiles`, `avx512`, `avx2` or `portable`.
    pub fn name(self) -> &'static str {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512(avx512) if avx512.has_tiles() => "avx512 with tiles",
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512(_) => "avx512",
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2(_) => "avx2",
            InstructionSet::Portable(_) => "portable",
        }
    }

    /// Whether they take bfloat16.
    pub fn has_bfloat16(self) -> bool {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512(avx512) => avx512.has_bfloat16(),
            _ => false,
        }
    }

    /// Whether bfloat16, which they take, may well be slower than float32.
    pub fn is_slow_in_bfloat16(self) -> bool {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512(avx512) => avx512.leaves_bfloat16_to_tiles(),
            _ => false,
        }
    }

    /// Whether bfloat16, which they take, is multiplied in tile registers.
    pub fn has_tiles(self) -> bool {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512(avx512) => avx512.has_tiles(),
            _ => false,
        }
    }

    /// Whether they take int8.
    pub fn has_int8(self) -> bool {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512(avx512) => avx512.has_int8(),
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2(avx2) => avx2.has_int8(),
            InstructionSet::Portable(_) => false,
        }
    }

    /// The weights of a layer as products take them, from the weights of each output: in panels
    /// of 64 outputs, of which as many as the instruction set multiplies at a time lie side by side,
    /// `[inputs, outputs]`; in bfloat16 with the rows interleaved in pairs.
    ///
    /// # Panics
    /// The rows are not of one length, or not such that [`can_pack`]; `panels` has not
    /// [`packed_len`] elements; the processor has no instructions for bfloat16 and `E` is that.
    pub fn pack<'p, E: Element>(self, rows: &[&[f32]], panels: &'p mut [MaybeUninit<E>]) -> &'p mut [E] {
        let inputs = rows.first().map_or(0, |row| row.len());
        assert!(can_pack(rows.len(), inputs), "{} × {inputs} weights can be packed", rows.len());
        assert!(rows.iter().all(|row| row.len() == inputs), "outputs have {inputs} weights each");
        self.check::<E>();
        let panels = &mut panels[..packed_len(rows.len(), inputs)];
        call!(self.0, panels::pack, (rows, panels), (rows, floats_mut(panels)));
        // SAFETY: each panel was written from its first to its last element.
        unsafe { panels.assume_init_mut() }
    }

    /// `[tokens, inputs]` to `[tokens, outputs]` of the weights' type.
    ///
    /// # Panics
    /// A slice is not as long as the sizes say; the processor has no instructions for bfloat16 and one
    /// of the types is that.
    pub fn dense<'o, I: Element, E: Element>(
        self,
        input: &[I],
        layer: Layer<E>,
        activation: Activation,
        output: &'o mut [MaybeUninit<E>],
    ) -> &'o mut [E] {
        layer.check(input.len(), output.len());
        self.compute(input, layer, activation.into(), output)
    }

    /// [`Kernels::dense`], plus a `residual` `[tokens, outputs]`, normalized if there is a norm; float32.
    ///
    /// # Panics
    /// As [`Kernels::dense`].
    pub fn dense_add<'o, I: Element, E: Element>(
        self,
        input: &[I],
        layer: Layer<E>,
        residual: &[f32],
        norm: Option<Norm>,
        output: &'o mut [MaybeUninit<f32>],
    ) -> &'o mut [f32] {
        layer.check(input.len(), output.len());
        let tail = layer.add(residual, output.len(), norm);
        self.compute(input, layer, tail, output)
    }

    /// [`Kernels::pack`] of int8: each output's weights are rounded to 255 steps, which 64 inputs have in
    /// common. Words are four weights, or a float that belongs to them, as the bits of a float32.
    ///
    /// # Panics
    /// The rows are not of one length, or not such that [`can_pack_int8`]; `panels` has not
    /// [`packed_int8_len`] words; the processor has no instructions for int8.
    pub fn pack_int8<'p>(self, rows: &[&[f32]], panels: &'p mut [MaybeUninit<f32>]) -> &'p mut [f32] {
        let inputs = rows.first().map_or(0, |row| row.len());
        assert!(can_pack_int8(rows.len(), inputs), "{} × {inputs} weights can be packed as int8", rows.len());
        assert!(rows.iter().all(|row| row.len() == inputs), "outputs have {inputs} weights each");
        let panels = &mut panels[..packed_int8_len(rows.len(), inputs)];
        call_int8!(self.0, int8::pack, (rows, panels));
        // SAFETY: each panel was written from its first to its last word.
        unsafe { panels.assume_init_mut() }
    }

    /// [`Kernels::dense`] with weights from [`Kernels::pack_int8`]: inputs are rounded to 256 steps, which
    /// 64 of a token have in common, but for outliers; the result is float32. A token whose inputs have squares
    /// beyond float32 becomes no number.
    ///
    /// # Panics
    /// A slice is not as long as the sizes say; the processor has no instructions for int8.
    pub fn dense_int8<'o>(
        self,
        input: &[f32],
        layer: Layer<f32>,
        activation: Activation,
        output: &'o mut [MaybeUninit<f32>],
    ) -> &'o mut [f32] {
        layer.check_int8(input.len(), output.len());
        self.compute_int8(input, layer, activation.into(), output)
    }

    /// [`Kernels::dense_add`] with weights from [`Kernels::pack_int8`].
    ///
    /// # Panics
    /// As [`Kernels::dense_int8`].
    pub fn dense_add_int8<'o>(
        self,
        input: &[f32],
        layer: Layer<f32>,
        residual: &[f32],
        norm: Option<Norm>,
        output: &'o mut [MaybeUninit<f32>],
    ) -> &'o mut [f32] {
        layer.check_int8(input.len(), output.len());
        let tail = layer.add(residual, output.len(), norm);
        self.compute_int8(input, layer, tail, output)
    }

    fn compute_int8<'o>(
        self,
        input: &[f32],
        layer: Layer<f32>,
        tail: Tail,
        output: &'o mut [MaybeUninit<f32>],
    ) -> &'o mut [f32] {
        call_int8!(self.0, int8::dense, (input, layer, tail, output));
        // SAFETY: each row was finished over the whole of its width.
        unsafe { output.assume_init_mut() }
    }

    fn compute<'o, I: Element, E: Element, O: Element>(
        self,
        input: &[I],
        layer: Layer<E>,
        tail: Tail,
        output: &'o mut [MaybeUninit<O>],
    ) -> &'o mut [O] {
        self.check::<I>();
        self.check::<E>();
        call!(
            self.0,
            dense,
            (input, layer, tail, output),
            (
                floats(input),
                Layer { inputs: layer.inputs, panels: floats(layer.panels), bias: layer.bias },
                tail,
                floats_mut(output)
            )
        );
        // SAFETY: each row was finished over the whole of its width.
        unsafe { output.assume_init_mut() }
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
        self.check::<E>();
        call!(
            self.0,
            attention::attention,
            (projected, lengths, heads, head_size, span, context),
            (floats(projected), lengths, heads, head_size, span, floats_mut(context))
        );
        // SAFETY: of each row, each head was written over the whole of its width.
        unsafe { context.assume_init_mut() }
    }

    /// Panics unless the processor has what this type takes.
    fn check<E: Element>(self) {
        let is_float32 = same::<E, f32>(&[]).is_some();
        assert!(
            is_float32 || self.has_bfloat16(),
            "the processor has instructions for bfloat16 (avx512_bf16)"
        );
    }
}

/// As the float32 that they are: what else there is was refused.
fn floats<E: Element>(elements: &[E]) -> &[f32] {
    same(elements).expect("elements are float32")
}

/// [`floats`], where nothing is yet.
fn floats_mut<E: Element>(elements: &mut [MaybeUninit<E>]) -> &mut [MaybeUninit<f32>] {
    assert!(same::<E, f32>(&[]).is_some(), "elements are float32");
    // SAFETY: the types are the same.
    unsafe { &mut *(std::ptr::from_mut(elements) as *mut [MaybeUninit<f32>]) }
}
