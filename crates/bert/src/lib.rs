//! Text in, layer vectors out: encoders of the BERT families on burn.
//!
//! A [`Checkpoint`] is opened, a [`TextTokenizer`] turns texts into [`Encoding`]s, [`batch::plan`]
//! groups them by length, and an [`Extractor`] computes the [`Features`] asked for, running no
//! layer above the highest one among them.
//!
//! ```no_run
//! use strata_bert::{
//!     Checkpoint, Combine, Compute, DeviceKind, Extractor, FeatureOptions, Features, Pooling, TextTokenizer,
//! };
//!
//! # fn main() -> Result<(), strata_bert::Error> {
//! let checkpoint = Checkpoint::open("all-MiniLM-L6-v2".as_ref())?;
//! let options = FeatureOptions {
//!     layers: "0,-1".parse()?,
//!     pooling: vec![Pooling::Mean],
//!     combine: Combine::None,
//!     normalize: false,
//!     count_special_tokens: true,
//! };
//! let features = Features::resolve(&options, &checkpoint.config)?;
//! let encodings = TextTokenizer::load(&checkpoint, None)?.encode(&["a text", "another, longer text"])?;
//! let extractor = Extractor::load(&checkpoint, features, DeviceKind::Cpu, Compute::Float32)?;
//! let vectors = extractor.extract(&encodings.iter().collect::<Vec<_>>())?;
//! assert_eq!(vectors.len(), 2 * extractor.features().width());
//! # Ok(())
//! # }
//! ```
//!
//! No type of burn, of libtorch or of Arrow appears in this interface.

pub mod batch;

mod attention;
mod checkpoint;
mod compute;
mod config;
mod device;
mod embeddings;
mod encoder;
mod error;
mod extract;
mod family;
mod features;
mod layers;
mod memory;
mod model;
mod ops;
#[cfg(test)]
mod parity;
mod pooling;
mod random_weights;
mod relative;
mod tokenizer;
mod weight_files;
mod weights;

pub use checkpoint::{Checkpoint, Fingerprint};
pub use compute::Compute;
pub use config::{Activation, Config};
pub use device::DeviceKind;
pub use error::{Error, ErrorKind};
pub use extract::Extractor;
pub use features::{Column, Combine, FeatureOptions, Features};
pub use layers::LayerSelection;
pub use pooling::Pooling;
pub use tokenizer::{Encoding, TextTokenizer};

/// Bounds the threads that libtorch uses inside one operation.
pub fn set_compute_threads(threads: usize) {
    ops::set_threads(threads);
}

/// The version of libtorch this crate was built against.
pub const LIBTORCH_VERSION: &str = env!("STRATA_LIBTORCH_VERSION");
