//! Dense layers and attention for x86-64 processors with AVX-512.
//!
//! What follows a product happens on its sums while they are in cache, in float32. Where there are
//! tile registers (AMX), libtorch multiplies.

mod attention;
mod dense;
mod element;
mod product;
mod scratch;
mod simd;
mod sys;

pub(crate) use attention::{attention, can_attend};
pub(crate) use dense::{After, can_pack, dense, pack};
pub(crate) use simd::available;
