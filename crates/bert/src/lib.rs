//! Text in, layer vectors out: encoders of the BERT families on burn.
//!
//! A [`Checkpoint`] is opened, a [`TextTokenizer`] turns texts into [`Document`]s, [`batch::plan`]
//! groups their windows by length into full batches, an [`Extractor`] computes what the [`Features`] asked for need of
//! each, running no layer above the highest one among them, and an [`Assembly`] puts it together.
//!
//! ```no_run
//! use strata_bert::{
//!     Assembly, Checkpoint, Compute, DeviceKind, Extractor, FeatureOptions, Features, Pooling, TextTokenizer,
//!     TokenizerOptions,
//! };
//!
//! # fn main() -> Result<(), strata_bert::Error> {
//! let checkpoint = Checkpoint::open("all-MiniLM-L6-v2".as_ref())?;
//! let options = FeatureOptions {
//!     layers: "0,-1".parse()?,
//!     pooling: vec![Pooling::Mean, Pooling::Cls],
//!     ..FeatureOptions::default()
//! };
//! let features = Features::resolve(&options, &checkpoint.config)?;
//! let tokenizer = TextTokenizer::load(&checkpoint, &TokenizerOptions::default())?;
//! let documents = tokenizer.encode(&["a text".into(), "another, longer text".into()])?;
//! let extractor = Extractor::load(&checkpoint, features, DeviceKind::Cpu, Compute::Float32)?;
//! let mut assembly = Assembly::new(extractor.features(), documents.iter().map(Some));
//! for (index, document) in documents.iter().enumerate() {
//!     assembly.add(index, 0, &extractor.extract(&[&document.windows[0]])?);
//! }
//! let columns = assembly.finish();
//! assert_eq!(columns[0].values.len(), 2 * extractor.features().columns()[0].width());
//! # Ok(())
//! # }
//! ```
//!
//! No type of burn, of libtorch or of Arrow appears in this interface.

pub mod batch;

mod assembly;
mod attention;
mod attentions;
mod characters;
mod checkpoint;
mod combine;
mod compute;
mod config;
mod device;
mod document;
mod embeddings;
mod encoder;
mod error;
mod extract;
mod family;
mod features;
mod items;
mod layers;
mod layout;
mod memory;
mod model;
mod names;
mod ops;
#[cfg(test)]
mod parity;
mod pooling;
mod random_weights;
mod relative;
mod tokenizer;
mod unit;
mod weight_files;
mod weights;
mod windows;

pub use assembly::{Assembly, VectorColumn};
pub use checkpoint::{Checkpoint, Fingerprint};
pub use combine::Combine;
pub use compute::Compute;
pub use config::{Activation, Config};
pub use device::DeviceKind;
pub use document::{Document, Encoding, Item, TextInput};
pub use error::{Error, ErrorKind};
pub use extract::Extractor;
pub use features::{Column, FeatureOptions, Features};
pub use items::Division;
pub use layers::LayerSelection;
pub use pooling::Pooling;
pub use tokenizer::{Overflow, TextTokenizer, TokenizerOptions};
pub use unit::Unit;

/// Bounds the threads that libtorch uses inside one operation.
pub fn set_compute_threads(threads: usize) {
    ops::set_threads(threads);
}

/// The version of libtorch this crate was built against.
pub const LIBTORCH_VERSION: &str = env!("STRATA_LIBTORCH_VERSION");
