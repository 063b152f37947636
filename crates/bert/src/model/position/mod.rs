//! What the model knows of where tokens stand, beside position embeddings.

mod disentangled;
mod relative;
mod rotary;

pub(crate) use disentangled::Disentangled;
pub(crate) use relative::RelativeBias;
pub(crate) use rotary::Rotation;
