//! Formats of text: what they hold is found by looking at all of it that is needed, and what was
//! found is what is read.

mod batches;
mod bytes;
pub(super) mod csv;
mod decode;
mod decompress;
pub(crate) mod fault;
pub(super) mod json;

use arrow::datatypes::SchemaRef;

use super::ReadOptions;

/// What was found in a file.
pub(super) struct Opened {
    /// Its columns; those that are not needed are of the type null.
    pub schema: SchemaRef,
    /// Its rows, if all of it was looked at.
    pub rows: Option<u64>,
}

/// Whether nothing is to be found out about the columns but that they are there.
fn settled(options: &ReadOptions) -> bool {
    let is_settled = |name: &String| options.text_columns.contains(name) || options.types.contains_key(name);
    options.needed.as_ref().is_some_and(|needed| needed.iter().all(is_settled))
}
