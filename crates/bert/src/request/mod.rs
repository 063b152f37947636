//! What is asked of a model: which layers, pooled how, of what.

mod asked;
pub(crate) mod columns;
mod combine;
mod division;
pub(crate) mod features;
mod layers;
mod pooling;
mod sentence;
mod statistic;
mod unit;

pub use asked::FeatureRequest;
pub use columns::Column;
pub use combine::Combine;
pub use division::Division;
pub use features::Features;
pub use layers::LayerSelection;
pub use pooling::Pooling;
pub(crate) use pooling::Reduction;
pub use sentence::Sentence;
pub(crate) use statistic::Statistic;
pub use unit::Unit;
