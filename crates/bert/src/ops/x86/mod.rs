//! Dense layers and attention for x86-64 processors with AVX-512.
//!
//! What follows a product happens on its sums while they are in cache, in float32. Where there are
//! tile registers (AMX), libtorch multiplies.

mod attention;
mod dense;
mod element;
mod panels;
mod product;
mod scratch;
mod simd;
mod strassen;
mod sys;

pub(crate) use attention::{attention, can_attend};
pub(crate) use dense::{After, dense};
pub(crate) use panels::{can_pack, pack};
pub(crate) use simd::available;
