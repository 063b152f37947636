//! Text in, layer vectors out: encoders of the BERT families on burn.
//!
//! ```
//! use strata_bert::{Checkpoint, Encoder, FeatureRequest, Pooling};
//!
//! # fn main() -> Result<(), strata_bert::Error> {
//! # let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/tiny-bert");
//! let checkpoint = Checkpoint::open(folder.as_ref())?;
//! let features = FeatureRequest {
//!     layers: "0,-1".parse()?,
//!     pooling: vec![Pooling::Mean, Pooling::Cls],
//!     ..FeatureRequest::default()
//! };
//! let encoder = Encoder::builder(&checkpoint).features(features).build()?;
//! let vectors = encoder.encode(&["a text".into(), "another, longer text".into()])?;
//! for (column, vectors) in encoder.features().columns().iter().zip(&vectors) {
//!     assert_eq!(vectors.values.len(), 2 * column.width());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Its pieces can be had one by one: a [`TextTokenizer`] turns texts into [`Document`]s, an [`Extractor`] groups their
//! windows by length into batches ([`Extractor::plan`]), and computes what the [`Features`] asked for need of each, running no layer above the highest one among them, and an [`Assembly`] puts it together.
//!
//! No type of burn, of libtorch or of Arrow appears in this interface.

mod checkpoint;
mod compute;
mod device;
mod encoder;
mod error;
mod extract;
mod model;
mod ops;
#[cfg(test)]
mod parity;
#[cfg(test)]
mod precision;
mod request;
mod text;
mod threads;

pub use checkpoint::{Activation, Checkpoint, Config, ConfigFile, Fingerprint, Modules, SENTENCE_FILES};
pub use compute::Compute;
pub use device::DeviceKind;
pub use encoder::{Encoder, EncoderBuilder};
pub use error::{Error, ErrorKind};
pub use extract::{Assembly, Extractor, VectorColumn, batch};
pub use request::{
    Column, Combine, Division, FeatureRequest, Features, LayerSelection, Pooling, Sentence, Unit,
};
pub use text::{
    Document, Encoding, Item, Overflow, TOKENIZER_FILES, TextInput, TextTokenizer, TokenizerOptions,
};

/// Which values the same texts, model and settings give on a device: raised when they are no longer those of
/// before, by whoever changes them. Outputs of other numerics do not mix. `tests/numerics.rs` of the repository
/// has values recorded for them.
pub fn numerics(device: DeviceKind) -> u32 {
    match device {
        // Kernels for more processors left it as it was, and so did sums in another order: what they change are
        // last digits, as another machine does.
        DeviceKind::Cpu | DeviceKind::Cuda(_) => 1,
        // 1 was without kernels.
        DeviceKind::Flex => 2,
    }
}

/// The version of libtorch this crate was built against; none if it was built without.
pub const LIBTORCH_VERSION: Option<&str> = option_env!("STRATA_LIBTORCH_VERSION");
