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

mod checkpoint;
mod compute;
mod device;
mod error;
mod extract;
mod model;
mod ops;
#[cfg(test)]
mod parity;
mod request;
mod text;

pub use checkpoint::{Activation, Checkpoint, Config, Fingerprint, Modules};
pub use compute::Compute;
pub use device::DeviceKind;
pub use error::{Error, ErrorKind};
pub use extract::{Assembly, Extractor, VectorColumn, batch};
pub use request::{
    Column, Combine, Division, FeatureOptions, Features, LayerSelection, Pooling, Sentence, Unit,
};
pub use text::{
    Document, Encoding, Item, Overflow, TOKENIZER_FILES, TextInput, TextTokenizer, TokenizerOptions,
};

/// Bounds the threads that libtorch uses inside one operation.
pub fn set_compute_threads(threads: usize) {
    ops::set_threads(threads);
}

/// The version of libtorch this crate was built against.
pub const LIBTORCH_VERSION: &str = env!("STRATA_LIBTORCH_VERSION");
