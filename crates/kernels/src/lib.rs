//! Dense layers and attention on slices.
//!
//! [`Kernels`] are those of an instruction set that the processor at hand has: a value of that type says
//! so, which makes its methods safe. They share their work among the
//! threads of the rayon pool they are called in, and give the same bits with any number of them:
//! every sum runs over one token, in one order.
//!
//! Matrices lie row by row in slices. Each function checks that slices are as long as the sizes say,
//! and panics with what it expected where they are not: such a call is a mistake of its caller.
//!
//! ```
//! use strata_kernels::{Activation, Kernels, Layer, can_pack, packed_len};
//!
//! let kernels = Kernels::detect();
//! let (inputs, outputs) = (32, 16);
//! assert!(can_pack(outputs, inputs));
//! let weights = vec![vec![0.5_f32; inputs]; outputs];
//! let rows: Vec<&[f32]> = weights.iter().map(Vec::as_slice).collect();
//! let mut panels = Vec::with_capacity(packed_len(outputs, inputs));
//! let panels: &[f32] = kernels.pack(&rows, panels.spare_capacity_mut());
//!
//! let layer = Layer { inputs, panels, bias: &vec![1.0; outputs] };
//! let mut output = Vec::with_capacity(3 * outputs);
//! let output: &[f32] =
//!     kernels.dense(&vec![1.0_f32; 3 * inputs], layer, Activation::None, output.spare_capacity_mut());
//! assert_eq!(output, vec![17.0; 3 * outputs]);
//! ```

mod ahead;
mod attention;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod dense;
mod element;
mod int8;
mod layer;
mod math;
mod panels;
mod portable;
mod processor;
mod product;
mod scratch;
mod simd;
mod tail;

pub use element::Element;
pub use layer::{Activation, Layer, Norm, can_pack, can_pack_int8, packed_int8_len, packed_len};
pub use processor::Kernels;
pub use scratch::CacheLine;
