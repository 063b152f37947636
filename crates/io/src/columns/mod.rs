//! Types and values of columns, whatever file they come from: how one type is brought to another
//! without loss, which type two files have in common, which types an output can hold, and what texts,
//! lists, spans and vectors are in all of them.

mod adapt;
pub(crate) mod annotations;
mod carried;
mod common;
pub(crate) mod fits;
mod intervals;
mod lists;
mod nested;
mod sizes;
mod storable;
mod summary;
mod texts;
mod tree;
pub(crate) mod values;
mod vectors;

pub use carried::carried_metadata;
pub use common::common_field;
pub use lists::{Lists, Spans, TextLists, is_spans, is_text_list, list_element, span_labels};
pub use sizes::row_bytes;
pub use storable::{states_categories, storable_field};
pub use summary::VectorSummary;
pub use texts::{Texts, is_text};
pub use vectors::{FloatType, is_vector, vector_array, vector_field, vector_shape};

pub(crate) use adapt::{adapt, can_adapt, first_misfit};
pub(crate) use annotations::{is_json, json_field};
pub(crate) use fits::Fits;
pub(crate) use nested::child;
pub(crate) use tree::{map_fields, map_leaves};
pub(crate) use values::{Values, values};
