//! What the kernels promise, held against definitions in 64 bits, through their public interface.

mod attention;
mod dense;
mod int8;
mod refusals;
mod support;
