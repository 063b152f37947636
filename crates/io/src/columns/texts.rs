//! Any string array, read as `Option<&str>`.

use std::ops::Range;

use arrow::array::{Array, ArrayRef, AsArray, StringViewArray};
use arrow::compute::{cast, take};
use arrow::datatypes::DataType;

use crate::Error;

/// Whether a column of this type can be read as text: any of the three string types, or a
/// dictionary of them.
pub fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Dictionary(_, values) => is_text(values),
        _ => false,
    }
}

/// The texts of an array, whatever its string type. Strings are shared with the array, not copied.
#[derive(Debug, Clone)]
pub struct Texts(StringViewArray);

impl Texts {
    /// Views `array` as texts.
    ///
    /// # Errors
    /// [`Error::NotText`] if [`is_text`] does not hold for the array's type.
    pub fn try_new(array: &dyn Array) -> Result<Self, Error> {
        let not_text = || Error::NotText {
            expected: "text (a string column, or a dictionary of strings)",
            found: array.data_type().clone(),
        };
        if !is_text(array.data_type()) {
            return Err(not_text());
        }
        let views = views(array).map_err(|_| not_text())?;
        Ok(Self(views.as_string_view().clone()))
    }

    /// The number of texts, nulls counted.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no texts.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text at `index`; `None` if it is null, or if `index` is not below [`Texts::len`].
    pub fn get(&self, index: usize) -> Option<&str> {
        (index < self.0.len() && self.0.is_valid(index)).then(|| self.0.value(index))
    }

    /// The texts of some rows, shared, not copied.
    ///
    /// # Panics
    /// If the rows reach beyond [`Texts::len`].
    pub fn slice(&self, rows: Range<usize>) -> Self {
        Self(self.0.slice(rows.start, rows.len()))
    }

    /// The texts in order, `None` for a null.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Option<&str>> {
        self.0.iter()
    }
}

/// `array` as a string view array. Dictionaries take views of their values, so a text that many
/// rows share is kept once.
fn views(array: &dyn Array) -> Result<ArrayRef, arrow::error::ArrowError> {
    match array.as_any_dictionary_opt() {
        Some(dictionary) => take(&views(dictionary.values())?, dictionary.keys(), None),
        None => cast(array, &DataType::Utf8View),
    }
}
