//! How right a probe is, and how sure that is.

mod cka;
mod classes;
mod estimate;
mod numbers;

pub use cka::{Centred, cka};
pub use classes::{accuracy, confusion, macro_f1};
pub use estimate::{Estimate, Resampled, below};
pub use numbers::{order, r_squared, spearman};
