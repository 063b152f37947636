//! What is there, and what is to be made of it.

mod estimate;
pub(crate) mod existing;
pub(crate) mod found;
pub(crate) mod parts;
pub(crate) mod survey;

pub use estimate::{Estimate, Trial};
