//! What the model knows of where tokens stand, beside position embeddings.

mod relative;

pub(crate) use relative::RelativeBias;
