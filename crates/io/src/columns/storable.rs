//! Types that every reader of an output understands.

use arrow::datatypes::{DataType, Field, FieldRef, TimeUnit};

use super::annotations::Annotation;
use super::intervals::STORED;
use super::map_leaves;
use crate::OutputFormat;

const STORED_INTERVAL: DataType = DataType::FixedSizeBinary(STORED);

/// Whether metadata, which Polars reads, says which categories there are and in which order.
pub fn states_categories(field: &Field) -> bool {
    field.metadata().keys().any(|key| key.starts_with("_PL_ENUM_VALUES"))
}

/// `field` with types in which its values mean the same to every reader of `format`.
///
/// - Dictionaries have keys of at least 32 bits, since batches bring values of their own. Of nested values,
///   and inside other types of an Arrow file, values stand in their place.
/// - That their values are in order is said by the metadata of Polars alone: they are gathered as they come.
/// - Runs are written out, and list views are lists.
/// - Parquet has no seconds and no dates in milliseconds: times are in milliseconds, dates in days.
pub fn storable_field(field: &FieldRef, format: OutputFormat) -> FieldRef {
    let mut plain = plain(field);
    // Polars says in the metadata which values there are, and in which order.
    if states_categories(&plain) {
        plain = plain.as_ref().clone().with_dict_is_ordered(false).into();
    }
    if let DataType::Dictionary(key, values) = plain.data_type() {
        return with_type(&plain, dictionary(key, values, format)).into();
    }
    map_leaves(&plain, &mut |inner| {
        let data_type = match inner.data_type() {
            // The writer knows no months beside days; readers of Parquet find all of it in twelve bytes.
            DataType::Interval(_) if format == OutputFormat::Parquet => {
                return Annotation::Interval.put_on(&with_type(inner, STORED_INTERVAL));
            }
            DataType::Dictionary(_, values) if format == OutputFormat::Arrow => leaf(values, format),
            DataType::Dictionary(key, values) => dictionary(key, values, format),
            other => leaf(other, format),
        };
        with_type(inner, data_type)
    })
}

fn dictionary(key: &DataType, values: &DataType, format: OutputFormat) -> DataType {
    let key = match key {
        DataType::Int8 | DataType::Int16 | DataType::UInt8 | DataType::UInt16 => DataType::Int32,
        key => key.clone(),
    };
    DataType::Dictionary(Box::new(key), Box::new(leaf(values, format)))
}

fn with_type(field: &Field, data_type: DataType) -> Field {
    if *field.data_type() == data_type { field.clone() } else { field.clone().with_data_type(data_type) }
}

/// `field` without runs, list views and dictionaries of nested values.
fn plain(field: &FieldRef) -> FieldRef {
    let data_type = match field.data_type() {
        DataType::ListView(element) | DataType::List(element) => DataType::List(plain(element)),
        DataType::LargeListView(element) | DataType::LargeList(element) => {
            DataType::LargeList(plain(element))
        }
        DataType::FixedSizeList(element, size) => DataType::FixedSizeList(plain(element), *size),
        DataType::Map(entries, sorted) => DataType::Map(plain(entries), *sorted),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(plain).collect()),
        DataType::RunEndEncoded(_, values) => {
            let nullable = field.is_nullable() || values.is_nullable();
            let written_out = field.as_ref().clone().with_nullable(nullable);
            return with_type(&written_out, plain(values).data_type().clone()).into();
        }
        DataType::Dictionary(_, values) if values.is_nested() => {
            let values: FieldRef = Field::new("values", values.as_ref().clone(), true).into();
            return with_type(
                &field.as_ref().clone().with_nullable(true),
                plain(&values).data_type().clone(),
            )
            .into();
        }
        _ => return field.clone(),
    };
    with_type(field, data_type).into()
}

fn leaf(data_type: &DataType, format: OutputFormat) -> DataType {
    match (format, data_type) {
        (OutputFormat::Parquet, DataType::Timestamp(TimeUnit::Second, zone)) => {
            DataType::Timestamp(TimeUnit::Millisecond, zone.clone())
        }
        (OutputFormat::Parquet, DataType::Time32(TimeUnit::Second)) => {
            DataType::Time32(TimeUnit::Millisecond)
        }
        (OutputFormat::Parquet, DataType::Date64) => DataType::Date32,
        _ => data_type.clone(),
    }
}
