//! Columns of text to columns of vectors, row by row.

pub(crate) mod assemble;
pub(crate) mod columns;
pub(crate) mod documents;
pub(crate) mod featurizer;
pub(crate) mod keep;
pub(crate) mod on_null;
pub(crate) mod rows;
pub(crate) mod subjects;
pub mod unit;
