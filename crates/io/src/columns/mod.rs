//! Types and values of columns, whatever file they come from: how one type is brought to another
//! without loss, which type two files have in common, and which types an output can hold.

mod adapt;
mod common;
mod intervals;
mod sizes;
mod storable;
mod tree;

pub use common::common_field;
pub use sizes::row_bytes;
pub use storable::storable_field;

pub(crate) use adapt::{adapt, can_adapt, first_misfit};
pub(crate) use tree::map_leaves;
