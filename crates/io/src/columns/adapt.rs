//! Values of one type as values of another: each of them, or an error.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, FixedSizeListArray, GenericListArray, MapArray, OffsetSizeTrait, StructArray,
    new_null_array,
};
use arrow::buffer::OffsetBuffer;
use arrow::compute::kernels::cmp::not_distinct;
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, FieldRef, Fields, IntervalUnit};
use arrow::error::ArrowError;

use super::intervals::{self, STORED};
use super::values::{Values, values};

/// The values of `array` as `to`.
///
/// # Errors
/// A value would become another one: cut, rounded, beyond the range, no text.
pub(crate) fn adapt(array: &ArrayRef, to: &DataType) -> Result<ArrayRef, ArrowError> {
    use DataType::{
        Dictionary, FixedSizeBinary, FixedSizeList, Interval, LargeList, LargeListView, List, ListView, Map,
        Null, RunEndEncoded, Struct,
    };
    let from = array.data_type();
    if from == to {
        return Ok(array.clone());
    }
    match (from, to) {
        (Null, _) => Ok(new_null_array(to, array.len())),
        (RunEndEncoded(_, values), _) => adapt(&strict(array, values.data_type())?, to),
        (List(_), List(element)) => list::<i32>(array, element),
        (LargeList(_), LargeList(element)) => list::<i64>(array, element),
        (FixedSizeList(_, size), FixedSizeList(element, wanted)) if size == wanted => {
            let lists = array.as_fixed_size_list();
            let values = adapt(lists.values(), element.data_type())?;
            Ok(Arc::new(FixedSizeListArray::try_new(element.clone(), *size, values, lists.nulls().cloned())?))
        }
        (ListView(element) | LargeListView(element) | LargeList(element), List(_)) => {
            adapt(&strict(array, &List(element.clone()))?, to)
        }
        (ListView(element) | LargeListView(element) | List(element), LargeList(_)) => {
            adapt(&strict(array, &LargeList(element.clone()))?, to)
        }
        (Struct(_), Struct(fields)) => structs(array.as_struct(), fields),
        (Map(..), Map(entries, sorted)) => {
            let maps = array.as_map();
            let (offsets, range) = trimmed(maps.offsets());
            let structs = maps.entries().slice(range.0, range.1);
            let values = entries_of(&structs, entries)?;
            let nulls = maps.nulls().cloned();
            Ok(Arc::new(MapArray::try_new(entries.clone(), offsets, values, nulls, *sorted)?))
        }
        (Dictionary(_, values), Dictionary(key, wanted)) => {
            let keyed = strict(array, &Dictionary(key.clone(), values.clone()))?;
            let dictionary = keyed.as_any_dictionary();
            Ok(dictionary.with_values(adapt(dictionary.values(), wanted)?))
        }
        (Dictionary(_, values), _) => adapt(&strict(array, values)?, to),
        (_, Dictionary(_, values)) => strict(&adapt(array, values)?, to),
        (FixedSizeBinary(STORED), Interval(unit)) => {
            let whole = intervals::from_stored(array.as_fixed_size_binary())?;
            intervals::to_unit(&whole, *unit)
        }
        (Interval(_), FixedSizeBinary(STORED)) => {
            let whole = strict(array, &Interval(IntervalUnit::MonthDayNano))?;
            intervals::to_stored(whole.as_primitive())
        }
        // The cast would make lists of single values, and texts of lists.
        _ if from.is_nested() != to.is_nested() => {
            Err(ArrowError::CastError(format!("no value of {from} is one of {to}")))
        }
        _ => exact(array, to),
    }
}

/// Whether [`adapt`] knows a way from one type to another.
pub(crate) fn can_adapt(from: &DataType, to: &DataType) -> bool {
    adapt(&new_null_array(from, 1), to).is_ok()
}

/// The first row of `array` that is no value of `to`, and why.
pub(crate) fn first_misfit(array: &ArrayRef, to: &DataType) -> Option<(usize, ArrowError)> {
    (0..array.len()).find_map(|row| Some((row, adapt(&array.slice(row, 1), to).err()?)))
}

/// A cast that fails on a value that is none of the type, instead of giving a null.
pub(super) fn strict(array: &dyn Array, to: &DataType) -> Result<ArrayRef, ArrowError> {
    cast_with_options(array, to, &CastOptions { safe: false, ..CastOptions::default() })
}

/// A cast that is taken back to see what became of the values, as numbers and times are cut and rounded
/// without a word; of texts, what they stand for.
fn exact(array: &ArrayRef, to: &DataType) -> Result<ArrayRef, ArrowError> {
    let from = array.data_type();
    if from.is_string()
        && !to.is_string()
        && let Some(values) = values(&Field::new("", to.clone(), true))
    {
        return parsed(array, values, to);
    }
    let cast = strict(array, to)?;
    let keeps_all =
        |data_type: &DataType| data_type.is_string() || data_type.is_binary() || data_type.is_null();
    if keeps_all(from) || keeps_all(to) {
        return Ok(cast);
    }
    let back = strict(&cast, from)?;
    let same = not_distinct(&back, array)?;
    match same.values().iter().position(|same| !same) {
        None => Ok(cast),
        Some(row) => {
            let value = arrow::util::display::array_value_to_string(array, row)?;
            Err(ArrowError::CastError(format!("{value} ({from}) is no {to}")))
        }
    }
}

/// What texts stand for, as in a text format.
fn parsed(texts: &ArrayRef, mut values: Box<dyn Values>, to: &DataType) -> Result<ArrayRef, ArrowError> {
    for text in strict(texts, &DataType::LargeUtf8)?.as_string::<i64>() {
        match text {
            None => values.push_null(),
            Some(text) if values.push(text, false) => {}
            Some(text) => {
                return Err(ArrowError::CastError(format!("`{text}` is no {to}, or not without a loss")));
            }
        }
    }
    Ok(values.finish())
}

fn list<O: OffsetSizeTrait>(array: &ArrayRef, element: &FieldRef) -> Result<ArrayRef, ArrowError> {
    let lists = array.as_list::<O>();
    let (offsets, range) = trimmed(lists.offsets());
    let values = adapt(&lists.values().slice(range.0, range.1), element.data_type())?;
    Ok(Arc::new(GenericListArray::<O>::try_new(element.clone(), offsets, values, lists.nulls().cloned())?))
}

/// Offsets that begin at zero, and what they were about: where it begins and how much it is. A slice of
/// a large array has all of its elements.
fn trimmed<O: OffsetSizeTrait>(offsets: &OffsetBuffer<O>) -> (OffsetBuffer<O>, (usize, usize)) {
    let (first, last) = (offsets[0], offsets[offsets.len() - 1]);
    let lengths = offsets.lengths();
    (OffsetBuffer::from_lengths(lengths), (first.as_usize(), last.as_usize() - first.as_usize()))
}

fn structs(array: &StructArray, fields: &Fields) -> Result<ArrayRef, ArrowError> {
    if array.num_columns() != fields.len() {
        return Err(ArrowError::CastError("a struct has other fields".to_owned()));
    }
    let by_name = fields.iter().all(|field| array.column_by_name(field.name()).is_some());
    let columns = fields.iter().enumerate().map(|(place, field)| {
        let column = array.column_by_name(field.name()).filter(|_| by_name);
        adapt(column.unwrap_or_else(|| array.column(place)), field.data_type())
    });
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    let nulls = array.nulls().cloned();
    Ok(Arc::new(StructArray::try_new_with_length(fields.clone(), columns, nulls, array.len())?))
}

/// The entries of a map, whatever their fields are called.
fn entries_of(array: &StructArray, entries: &FieldRef) -> Result<StructArray, ArrowError> {
    let DataType::Struct(fields) = entries.data_type() else {
        return Err(ArrowError::CastError("a map has no entries".to_owned()));
    };
    let columns = array.columns().iter().zip(fields).map(|(column, field)| adapt(column, field.data_type()));
    StructArray::try_new_with_length(
        fields.clone(),
        columns.collect::<Result<_, _>>()?,
        array.nulls().cloned(),
        array.len(),
    )
}
