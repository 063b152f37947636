//! What stands beside the vectors of an output row: how much of a text the model saw, or which token,
//! word or span of it the row is.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, StringArray, UInt32Array};
use arrow::datatypes::{DataType, Field};
use strata_bert::{Document, Item, Unit};

use crate::table::on_null::OnNull;

/// The place of a row in its input file.
const ROW: &str = "row";

/// The column that says which input row an output row is of, where that does not follow from its place.
pub fn row_name(unit: Unit, on_null: OnNull) -> Option<&'static str> {
    (unit != Unit::Row || on_null == OnNull::Drop).then_some(ROW)
}

/// The column that numbers the items of a row.
pub fn index_name(unit: Unit) -> Option<String> {
    (unit != Unit::Row).then(|| format!("{unit}_index"))
}

/// The columns between the kept ones and the vectors.
pub fn fields(unit: Unit) -> Vec<Field> {
    match index_name(unit) {
        None => vec![
            Field::new("n_tokens", DataType::UInt32, false),
            Field::new("truncated", DataType::Boolean, false),
        ],
        Some(index) => vec![
            Field::new(index, DataType::UInt32, false),
            Field::new(unit.to_string(), DataType::Utf8, true),
            Field::new("start", DataType::UInt32, true),
            Field::new("end", DataType::UInt32, true),
        ],
    }
}

/// The columns of [`fields`] for some documents.
pub fn arrays(unit: Unit, documents: &[Option<Document>]) -> Vec<ArrayRef> {
    if unit == Unit::Row {
        let documents = || documents.iter().map(Option::as_ref);
        let n_tokens = documents().map(|document| document.map_or(0, |document| document.n_tokens as u32));
        let truncated = documents().map(|document| Some(document.is_some_and(|document| document.truncated)));
        return vec![
            Arc::new(UInt32Array::from_iter_values(n_tokens)),
            Arc::new(BooleanArray::from_iter(truncated)),
        ];
    }
    let items = || documents.iter().flatten().flat_map(|document| &document.items);
    let end = |of: fn(&Range<u32>) -> u32| {
        UInt32Array::from_iter(items().map(|item: &Item| item.characters.as_ref().map(of)))
    };
    vec![
        Arc::new(UInt32Array::from_iter_values(items().map(|item| item.index))),
        Arc::new(StringArray::from_iter(items().map(|item| item.text.as_deref()))),
        Arc::new(end(|characters| characters.start)),
        Arc::new(end(|characters| characters.end)),
    ]
}
