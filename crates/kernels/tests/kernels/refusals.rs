//! Operands that do not fit are refused before anything is touched.

use std::panic::{AssertUnwindSafe, catch_unwind};

use strata_kernels::{
    Activation, Kernels, Layer, Norm, can_pack, can_pack_int8, packed_int8_len, packed_len,
};

use crate::support::kernels_of;

const INPUTS: usize = 32;
const OUTPUTS: usize = 48;
const TOKENS: usize = 5;

/// How long the operands of a layer are.
#[derive(Clone, Copy)]
struct Lengths {
    input: usize,
    panels: usize,
    bias: usize,
    residual: usize,
    norm: usize,
    output: usize,
}

const RIGHT: Lengths = Lengths {
    input: TOKENS * INPUTS,
    panels: 64 * INPUTS,
    bias: OUTPUTS,
    residual: TOKENS * OUTPUTS,
    norm: OUTPUTS,
    output: TOKENS * OUTPUTS,
};

/// What is said of it, if anything.
fn refusal(run: impl FnOnce()) -> Option<String> {
    let panic = catch_unwind(AssertUnwindSafe(run)).err()?;
    Some(panic.downcast_ref::<String>().cloned().unwrap_or_default())
}

fn dense_add(kernels: Kernels, lengths: Lengths) -> Option<String> {
    let zeros = |len| vec![0.0_f32; len];
    let (panels, bias, norm) = (zeros(lengths.panels), zeros(lengths.bias), zeros(lengths.norm));
    let layer = Layer { inputs: INPUTS, panels: &panels, bias: &bias };
    let norm = Norm { weight: &norm, bias: &norm, epsilon: 1e-12 };
    let (input, residual) = (zeros(lengths.input), zeros(lengths.residual));
    let mut output = Vec::with_capacity(lengths.output);
    refusal(|| {
        let output = &mut output.spare_capacity_mut()[..lengths.output];
        kernels.dense_add(&input, layer, &residual, Some(norm), output);
    })
}

#[test]
fn operands_of_a_layer_that_do_not_fit_are_refused() {
    for kernels in kernels_of::<f32>("operands_of_a_layer_that_do_not_fit_are_refused") {
        assert_eq!(packed_len(OUTPUTS, INPUTS), RIGHT.panels);
        assert_eq!(dense_add(kernels, RIGHT), None);
        for (wrong, word) in [
            (Lengths { input: RIGHT.input - 1, ..RIGHT }, "input"),
            (Lengths { panels: RIGHT.panels - 1, ..RIGHT }, "panels"),
            (Lengths { panels: RIGHT.panels + 1, ..RIGHT }, "panels"),
            (Lengths { bias: RIGHT.bias - 1, ..RIGHT }, "packed"),
            (Lengths { bias: 0, ..RIGHT }, "packed"),
            (Lengths { residual: RIGHT.residual - 16, ..RIGHT }, "residual"),
            (Lengths { norm: RIGHT.norm - 16, ..RIGHT }, "norm"),
            (Lengths { output: RIGHT.output - 16, ..RIGHT }, "output"),
        ] {
            let said = dense_add(kernels, wrong).unwrap_or_default();
            assert!(said.contains(word), "`{said}` speaks of {word}");
        }
    }
}

#[test]
fn rows_that_cannot_be_packed_are_refused() {
    for kernels in kernels_of::<f32>("rows_that_cannot_be_packed_are_refused") {
        let pack = |rows: &[usize], room: usize| {
            let rows: Vec<Vec<f32>> = rows.iter().map(|&len| vec![0.0; len]).collect();
            let rows: Vec<&[f32]> = rows.iter().map(Vec::as_slice).collect();
            let mut panels = Vec::<f32>::with_capacity(room);
            refusal(|| _ = kernels.pack(&rows, &mut panels.spare_capacity_mut()[..room]))
        };
        assert!(can_pack(16, 16) && !can_pack(16, 20) && !can_pack(20, 16) && !can_pack(0, 16));
        assert_eq!(pack(&[16; 16], 64 * 16), None);
        for (rows, room) in
            [(&[16; 15][..], 64 * 16), (&[20; 16], 64 * 20), (&[16; 16], 64 * 16 - 1), (&[], 64)]
        {
            assert!(pack(rows, room).is_some(), "{rows:?} into {room}");
        }
        let mut uneven = [16; 16];
        uneven[7] = 32;
        assert!(pack(&uneven, 64 * 16).is_some());
    }
}

#[test]
fn projections_that_do_not_fit_are_refused() {
    for kernels in kernels_of::<f32>("projections_that_do_not_fit_are_refused") {
        let attend = |projected: usize, context: usize, lengths: &[usize], heads: usize| {
            let projected = vec![0.0_f32; projected];
            let mut memory = Vec::with_capacity(context);
            refusal(|| {
                let context = &mut memory.spare_capacity_mut()[..context];
                kernels.attention(&projected, lengths, heads, 16, None, context);
            })
        };
        assert_eq!(attend(5 * 96, 5 * 32, &[2, 3], 2), None);
        for (projected, context, lengths, heads) in [
            (5 * 96 - 1, 5 * 32, &[2, 3][..], 2),
            (5 * 96, 5 * 32 - 1, &[2, 3], 2),
            (5 * 96, 5 * 32, &[2, 4], 2),
            (5 * 96, 5 * 32, &[2, 3], 3),
            (5 * 96, 5 * 32, &[2, 3], usize::MAX),
        ] {
            assert!(attend(projected, context, lengths, heads).is_some());
        }
    }
}

#[test]
fn int8_refuses_what_does_not_fit_and_a_processor_without_it() {
    assert!(can_pack_int8(16, 64) && !can_pack_int8(16, 96) && !can_pack_int8(20, 64));
    for kernels in Kernels::all() {
        let words = packed_int8_len(16, 64);
        let pack = |inputs: usize, room: usize| {
            let row = vec![0.0_f32; inputs];
            let mut panels = Vec::with_capacity(room);
            refusal(|| _ = kernels.pack_int8(&[row.as_slice(); 16], &mut panels.spare_capacity_mut()[..room]))
        };
        let dense = |input: usize, panels: usize, output: usize| {
            let (input, panels, bias) = (vec![0.0; input], vec![0.0; panels], [0.0; 16]);
            let mut memory = Vec::with_capacity(output);
            let layer = Layer { inputs: 64, panels: &panels, bias: &bias };
            refusal(|| {
                let output = &mut memory.spare_capacity_mut()[..output];
                kernels.dense_int8(&input, layer, Activation::Gelu, output);
            })
        };
        assert_eq!(pack(64, words).is_none(), kernels.has_int8(), "{kernels:?}");
        assert_eq!(dense(2 * 64, words, 2 * 16).is_none(), kernels.has_int8(), "{kernels:?}");
        assert!(pack(96, 2 * words).is_some() && pack(64, words - 1).is_some());
        for (input, panels, output) in
            [(2 * 64 - 1, words, 2 * 16), (2 * 64, words - 1, 2 * 16), (2 * 64, words, 16)]
        {
            assert!(dense(input, panels, output).is_some(), "{input}, {panels}, {output}");
        }
    }
}
