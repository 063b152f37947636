//! What a dense layer is made of.

use crate::int8;
use crate::simd::LANES;
use crate::tail::Tail;

/// Outputs whose weights are one panel: [`Simd::WIDTH`](crate::simd::Simd::WIDTH) divides it.
pub(crate) const PANEL: usize = 64;

/// Whether the weights of a layer of these sizes can be packed.
pub fn can_pack(outputs: usize, inputs: usize) -> bool {
    outputs > 0 && inputs > 0 && outputs.is_multiple_of(LANES) && inputs.is_multiple_of(LANES)
}

/// Whether the weights of a layer of these sizes can be packed as int8.
pub fn can_pack_int8(outputs: usize, inputs: usize) -> bool {
    can_pack(outputs, inputs) && inputs.is_multiple_of(int8::GROUP)
}

/// How many elements the packed weights of such a layer have: some more than the layer has weights,
/// where outputs do not fill panels of 64.
pub fn packed_len(outputs: usize, inputs: usize) -> usize {
    outputs.next_multiple_of(PANEL) * inputs
}

/// How many words the packed int8 weights of such a layer have.
pub fn packed_int8_len(outputs: usize, inputs: usize) -> usize {
    int8::packed_len(outputs, inputs)
}

/// A dense layer: the weights that [`Kernels::pack`](crate::Kernels::pack) made of its rows of
/// `inputs` weights, and the bias of each output.
#[derive(Debug, Clone, Copy)]
pub struct Layer<'a, E> {
    /// How many numbers of a token it takes.
    pub inputs: usize,
    /// Its packed weights.
    pub panels: &'a [E],
    /// As long as there are outputs.
    pub bias: &'a [f32],
}

impl<E> Layer<'_, E> {
    pub(crate) fn outputs(&self) -> usize {
        self.bias.len()
    }

    /// Panics unless the layer is whole, and these are inputs and outputs of as many tokens.
    pub(crate) fn check(&self, input: usize, output: usize) {
        let (inputs, outputs) = (self.inputs, self.outputs());
        assert!(can_pack(outputs, inputs), "{outputs} × {inputs} weights can be packed");
        self.check_lens(packed_len(outputs, inputs), input, output);
    }

    /// [`Layer::check`] of int8 weights.
    pub(crate) fn check_int8(&self, input: usize, output: usize) {
        let (inputs, outputs) = (self.inputs, self.outputs());
        assert!(can_pack_int8(outputs, inputs), "{outputs} × {inputs} weights can be packed as int8");
        self.check_lens(packed_int8_len(outputs, inputs), input, output);
    }

    /// What adds a residual to this layer's output. Panics unless it is whole.
    pub(crate) fn add<'a>(&self, residual: &'a [f32], output: usize, norm: Option<Norm<'a>>) -> Tail<'a> {
        check_len("residual", residual.len(), &[output / self.outputs(), self.outputs()]);
        if let Some(norm) = norm {
            norm.check(self.outputs());
        }
        Tail::Add { residual, norm }
    }

    fn check_lens(&self, panels: usize, input: usize, output: usize) {
        let (inputs, outputs) = (self.inputs, self.outputs());
        let tokens = input / inputs;
        assert_eq!(self.panels.len(), panels, "the panels are those of the layer");
        check_len("input", input, &[tokens, inputs]);
        check_len("output", output, &[tokens, outputs]);
    }
}

/// What is done to each output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// Nothing.
    None,
    /// `x / 2 · (1 + erf(x / √2))`
    Gelu,
}

/// Layer norm of each token.
#[derive(Debug, Clone, Copy)]
pub struct Norm<'a> {
    /// What normalized values are multiplied with.
    pub weight: &'a [f32],
    /// What is added to them then.
    pub bias: &'a [f32],
    /// What is added to variances, so that none is zero.
    pub epsilon: f32,
}

impl Norm<'_> {
    pub(crate) fn check(&self, width: usize) {
        assert_eq!(self.weight.len(), width, "the norm has a weight for each output");
        assert_eq!(self.bias.len(), width, "the norm has a bias for each output");
    }
}

/// How many tokens texts of these lengths have.
pub(crate) fn tokens(lengths: &[usize]) -> usize {
    let total = lengths.iter().try_fold(0_usize, |total, &len| total.checked_add(len));
    total.expect("the tokens of all texts can be counted")
}

/// Panics unless a slice of `len` elements has this shape.
pub(crate) fn check_len(name: &str, len: usize, shape: &[usize]) {
    let expected = shape.iter().try_fold(1_usize, |product, &size| product.checked_mul(size));
    assert_eq!(Some(len), expected, "{name} has the elements of {shape:?}");
}
