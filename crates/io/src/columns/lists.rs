//! Lists of texts, and ranges of a text's characters, whatever their Arrow types.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, LargeListArray, StructArray};
use arrow::buffer::OffsetBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Int64Type};
use arrow::error::ArrowError;

use super::adapt::strict;
use super::nested::child;
use super::{Texts, is_text};
use crate::Error;

/// The fields of a span, in characters: its first, and one past its last.
const ENDS: [&str; 2] = ["start", "end"];

/// Whether a column of this type can be read as lists of texts.
pub fn is_text_list(data_type: &DataType) -> bool {
    element(data_type).is_some_and(|element| is_text(element.data_type()))
}

/// Lists of texts.
#[derive(Debug, Clone)]
pub struct TextLists {
    lists: LargeListArray,
    texts: Texts,
}

impl TextLists {
    /// Views `array` as lists of texts.
    ///
    /// # Errors
    /// [`Error::NotText`] if [`is_text_list`] does not hold for the array's type.
    pub fn try_new(array: &ArrayRef) -> Result<Self, Error> {
        let not_lists = || Error::NotText { expected: "lists of text", found: array.data_type().clone() };
        let lists = as_lists(array).ok_or_else(not_lists)?;
        Ok(Self { texts: Texts::try_new(lists.values())?, lists })
    }

    /// The number of lists, nulls counted.
    pub fn len(&self) -> usize {
        self.lists.len()
    }

    /// Whether there are no lists.
    pub fn is_empty(&self) -> bool {
        self.lists.is_empty()
    }

    /// The texts of the list at `index`; `None` if it is null.
    pub fn get(&self, index: usize) -> Option<impl ExactSizeIterator<Item = Option<&str>>> {
        self.lists.is_valid(index).then(|| places(&self.lists, index).map(|place| self.texts.get(place)))
    }

    /// Some of the lists, shared, not copied.
    ///
    /// # Panics
    /// If the rows reach beyond [`TextLists::len`].
    pub fn slice(&self, rows: Range<usize>) -> Self {
        Self { lists: self.lists.slice(rows.start, rows.len()), texts: self.texts.clone() }
    }
}

/// What stands in the lists of a column, as a column of its own; `None` if it holds no lists.
pub fn list_element(field: &Field) -> Option<FieldRef> {
    // A list may be shorter than what it stands beside says, or missing.
    let element = element(field.data_type())?.as_ref().clone();
    Some(Arc::new(element.with_name(field.name()).with_nullable(true)))
}

/// Lists of whatever stands beside words or spans.
#[derive(Debug, Clone)]
pub struct Lists(LargeListArray);

impl Lists {
    /// Views `array` as lists.
    ///
    /// # Errors
    /// [`Error::NotText`] if [`list_element`] knows none for the array's type.
    pub fn try_new(array: &ArrayRef) -> Result<Self, Error> {
        let not_lists = || Error::NotText { expected: "lists", found: array.data_type().clone() };
        Ok(Self(as_lists(array).ok_or_else(not_lists)?))
    }

    /// Where what stands in the list of a row is in [`Lists::values`]; nowhere for a null.
    pub fn places(&self, row: usize) -> Range<usize> {
        places(&self.0, row)
    }

    /// What stands in all lists.
    pub fn values(&self) -> &ArrayRef {
        self.0.values()
    }

    /// Some of the rows, shared, not copied.
    ///
    /// # Panics
    /// If the rows reach beyond the last.
    #[must_use]
    pub fn slice(&self, rows: Range<usize>) -> Self {
        Self(self.0.slice(rows.start, rows.len()))
    }
}

/// Whether a column of this type can be read as spans: structs with whole numbers `start` and
/// `end`, or lists of such.
pub fn is_spans(data_type: &DataType) -> bool {
    span_fields(data_type).is_some_and(|fields| {
        ENDS.iter()
            .all(|end| fields.iter().any(|field| field.name() == end && field.data_type().is_integer()))
    })
}

/// What spans of this type carry beside their ends.
pub fn span_labels(data_type: &DataType) -> Vec<FieldRef> {
    let fields = span_fields(data_type).into_iter().flatten();
    let labels = fields.filter(|field| !ENDS.contains(&field.name().as_str()));
    // A span may be missing, and its labels with it.
    labels.map(|field| Arc::new(field.as_ref().clone().with_nullable(true))).collect()
}

/// Ranges of characters with what they carry, none, one or several a row.
#[derive(Debug, Clone)]
pub struct Spans {
    lists: LargeListArray,
    starts: Int64Array,
    ends: Int64Array,
}

impl Spans {
    /// Views `array` as spans.
    ///
    /// # Errors
    /// [`Error::NotText`] if [`is_spans`] does not hold for the array's type.
    pub fn try_new(array: &ArrayRef) -> Result<Self, Error> {
        let not_spans = || Error::NotText {
            expected: "structs with whole numbers `start` and `end`, or lists of such",
            found: array.data_type().clone(),
        };
        let lists = match array.data_type() {
            DataType::Struct(_) => one_each(array),
            _ => as_lists(array),
        };
        let lists = lists.filter(|_| is_spans(array.data_type())).ok_or_else(not_spans)?;
        let lists = with_nulls_within(lists).map_err(|_| Error::NotText {
            expected: "spans whose fields can be missing",
            found: array.data_type().clone(),
        })?;
        let end = |name: &str| {
            let column = lists.values().as_struct().column_by_name(name).ok_or_else(not_spans)?;
            let numbers = strict(column, &DataType::Int64).map_err(|_| not_spans())?;
            Ok::<_, Error>(numbers.as_primitive::<Int64Type>().clone())
        };
        Ok(Self { starts: end("start")?, ends: end("end")?, lists })
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.lists.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.lists.is_empty()
    }

    /// The spans of a row; `None` for one that is missing or lacks an end. A null row has none.
    pub fn get(&self, row: usize) -> impl ExactSizeIterator<Item = Option<Range<i64>>> {
        self.places(row).map(|place| {
            let is_whole = self.lists.values().is_valid(place)
                && self.starts.is_valid(place)
                && self.ends.is_valid(place);
            is_whole.then(|| self.starts.value(place)..self.ends.value(place))
        })
    }

    fn places(&self, row: usize) -> Range<usize> {
        places(&self.lists, row)
    }

    /// What spans carry, lists as long as those of the spans for each of [`span_labels`].
    pub fn labels(&self) -> Vec<Lists> {
        let structs = self.lists.values().as_struct();
        let labels = structs.fields().iter().zip(structs.columns());
        let lists = |(field, column): (&FieldRef, &ArrayRef)| {
            let (offsets, nulls) = (self.lists.offsets().clone(), self.lists.nulls().cloned());
            let field = Arc::new(field.as_ref().clone().with_nullable(true));
            LargeListArray::try_new(field, offsets, column.clone(), nulls).ok().map(Lists)
        };
        labels.filter(|(field, _)| !ENDS.contains(&field.name().as_str())).filter_map(lists).collect()
    }

    /// Some of the rows, shared, not copied.
    ///
    /// # Panics
    /// If the rows reach beyond [`Spans::len`].
    pub fn slice(&self, rows: Range<usize>) -> Self {
        Self { lists: self.lists.slice(rows.start, rows.len()), ..self.clone() }
    }
}

fn element(data_type: &DataType) -> Option<&FieldRef> {
    match data_type {
        DataType::List(element) | DataType::LargeList(element) | DataType::FixedSizeList(element, _) => {
            Some(element)
        }
        _ => None,
    }
}

fn span_fields(data_type: &DataType) -> Option<&arrow::datatypes::Fields> {
    match data_type {
        DataType::Struct(fields) => Some(fields),
        _ => match element(data_type)?.data_type() {
            DataType::Struct(fields) => Some(fields),
            _ => None,
        },
    }
}

fn as_lists(array: &ArrayRef) -> Option<LargeListArray> {
    let element = element(array.data_type())?.clone();
    let lists = cast(array, &DataType::LargeList(element)).ok()?;
    Some(lists.as_list::<i64>().clone())
}

/// Each value as a list of its own.
fn one_each(array: &ArrayRef) -> Option<LargeListArray> {
    let field = Arc::new(Field::new("item", array.data_type().clone(), true));
    let offsets = OffsetBuffer::from_lengths(std::iter::repeat_n(1, array.len()));
    LargeListArray::try_new(field, offsets, array.clone(), None).ok()
}

/// Lists of structs, in which what a missing struct holds is missing, too.
fn with_nulls_within(lists: LargeListArray) -> Result<LargeListArray, ArrowError> {
    let structs = lists.values().as_struct();
    let Some(nulls) = structs.nulls() else { return Ok(lists) };
    let columns: Vec<ArrayRef> =
        (0..structs.num_columns()).map(|index| child(structs, index)).collect::<Result<_, _>>()?;
    let fields = structs.fields().iter().map(|field| field.as_ref().clone().with_nullable(true));
    let structs = StructArray::try_new(fields.collect(), columns, Some(nulls.clone()))?;
    let element = Field::new("item", structs.data_type().clone(), true);
    LargeListArray::try_new(
        Arc::new(element),
        lists.offsets().clone(),
        Arc::new(structs),
        lists.nulls().cloned(),
    )
}

fn places(lists: &LargeListArray, row: usize) -> Range<usize> {
    let offsets = lists.value_offsets();
    if lists.is_null(row) { 0..0 } else { offsets[row] as usize..offsets[row + 1] as usize }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{
        FixedSizeListBuilder, Int32Array, Int32Builder, ListBuilder, StringArray, StringBuilder,
        StructBuilder,
    };
    use arrow::buffer::NullBuffer;

    fn texts(lists: &TextLists) -> Vec<Option<Vec<Option<&str>>>> {
        (0..lists.len()).map(|row| lists.get(row).map(Iterator::collect)).collect()
    }

    #[test]
    fn lists_of_texts_are_read_whatever_their_type_also_from_the_middle() {
        let mut list = ListBuilder::new(StringBuilder::new());
        let mut fixed = FixedSizeListBuilder::new(StringBuilder::new(), 2);
        for row in [Some(["a", "b"]), None, Some(["c", "d"])] {
            for value in row.unwrap_or(["x", "y"]) {
                fixed.values().append_value(value);
                if row.is_some() {
                    list.values().append_value(value);
                }
            }
            list.append(row.is_some());
            fixed.append(row.is_some());
        }
        let expected = vec![Some(vec![Some("a"), Some("b")]), None, Some(vec![Some("c"), Some("d")])];
        for array in [Arc::new(list.finish()) as ArrayRef, Arc::new(fixed.finish())] {
            assert!(is_text_list(array.data_type()));
            let lists = TextLists::try_new(&array).unwrap();
            assert_eq!(texts(&lists), expected, "{}", array.data_type());
            assert_eq!(texts(&lists.slice(1..3)), expected[1..]);
            assert_eq!(texts(&TextLists::try_new(&array.slice(2, 1)).unwrap()), expected[2..]);
        }
    }

    fn fields() -> Vec<Field> {
        vec![
            Field::new("start", DataType::Int32, true),
            Field::new("end", DataType::Int32, true),
            Field::new("label", DataType::Utf8, true),
        ]
    }

    #[test]
    fn a_struct_is_one_span_and_a_list_is_several_with_their_labels() {
        let structs = StructArray::new(
            fields().into(),
            vec![
                Arc::new(Int32Array::from(vec![Some(0), Some(2), None])),
                Arc::new(Int32Array::from(vec![1, 5, 9])),
                Arc::new(StringArray::from(vec!["A", "B", "C"])),
            ],
            None,
        );
        let one = Spans::try_new(&(Arc::new(structs) as ArrayRef)).unwrap();
        let spans = |spans: &Spans, row| spans.get(row).collect::<Vec<_>>();
        assert_eq!((spans(&one, 1), spans(&one, 2)), (vec![Some(2..5)], vec![None]));

        let mut list = ListBuilder::new(StructBuilder::from_fields(fields(), 4));
        for row in [vec![(0, 1, "A"), (2, 3, "B")], vec![], vec![(4, 5, "C")]] {
            for (start, end, label) in row {
                list.values().field_builder::<Int32Builder>(0).unwrap().append_value(start);
                list.values().field_builder::<Int32Builder>(1).unwrap().append_value(end);
                list.values().field_builder::<StringBuilder>(2).unwrap().append_value(label);
                list.values().append(true);
            }
            list.append(true);
        }
        let array: ArrayRef = Arc::new(list.finish());
        assert!(is_spans(array.data_type()) && !is_text_list(array.data_type()));
        assert_eq!(span_labels(array.data_type())[0].name(), "label");
        let several = Spans::try_new(&array).unwrap().slice(1..3);
        assert_eq!((spans(&several, 0), spans(&several, 1)), (vec![], vec![Some(4..5)]));
        let labels = &several.labels()[0];
        assert_eq!(labels.values().as_string::<i32>().value(labels.places(1).start), "C");
    }

    #[test]
    fn a_missing_span_has_no_label_whatever_stands_there() {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int32Array::from(vec![0, 0])),
            Arc::new(Int32Array::from(vec![1, 0])),
            Arc::new(StringArray::from(vec!["A", ""])),
        ];
        let required = fields().into_iter().map(|field| field.with_nullable(false)).collect::<Vec<_>>();
        let nulls = NullBuffer::from(vec![true, false]);
        let structs: ArrayRef = Arc::new(StructArray::new(required.into(), columns, Some(nulls)));
        let one = Spans::try_new(&structs).unwrap();
        let labels = &one.labels()[0];
        let label =
            |row: usize| labels.places(row).map(|place| labels.values().is_valid(place)).collect::<Vec<_>>();
        assert_eq!((label(0), label(1)), (vec![true], vec![false]));
        assert_eq!(one.get(1).collect::<Vec<_>>(), [None]);
    }

    #[test]
    fn other_types_are_neither() {
        for data_type in [
            DataType::Utf8,
            DataType::new_list(DataType::Int32, true),
            DataType::Struct(fields()[1..].to_vec().into()),
        ] {
            assert!(!is_text_list(&data_type) && !is_spans(&data_type), "{data_type}");
        }
    }
}
