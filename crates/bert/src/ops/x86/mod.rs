//! Dense layers and attention for x86-64 processors with AVX-512.
//!
//! libtorch's small matrix product does the multiplications; the rest happens here on its results
//! while they are in cache, in float32.

mod attention;
mod dense;
mod scratch;
mod simd;
mod sys;

pub(crate) use attention::{attention, can_attend};
pub(crate) use dense::{After, can_pack, dense, pack};
pub(crate) use simd::available;
