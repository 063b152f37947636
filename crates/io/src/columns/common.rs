//! The type that columns of two files have in common.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Fields, IntervalUnit, TimeUnit};

use super::fits::{Fits, is_open};

/// What the metadata of extension types begins with.
const EXTENSION: &str = "ARROW:extension:";

/// A field that holds the values of both, each as it is; `None` where their types have none in common. It
/// has the name of `one`, and of the metadata what both say.
///
/// A type that was found by looking at values is found anew, as if the values of both stood in one file.
pub fn common_field(one: &Field, other: &Field) -> Option<Field> {
    let nullable = |field: &Field| Some(field.clone().with_name(one.name()).with_nullable(true));
    let found = |data_type: &DataType| Field::new(one.name(), data_type.clone(), true);
    match (Fits::of(one), Fits::of(other)) {
        (Some(Fits::ALL), _) => nullable(other),
        (_, Some(Fits::ALL)) => nullable(one),
        (Some(ones), Some(others)) => {
            let both = ones.and(others);
            (both != Fits::NONE).then(|| both.field(one.name()))
        }
        (Some(ones), None) => ones.types().find_map(|one| common_stated(&found(one), other)),
        (None, Some(others)) => others.types().find_map(|other| common_stated(one, &found(other))),
        (None, None) => common_stated(one, other),
    }
}

/// As [`common_field`], of types that are as they are.
fn common_stated(one: &Field, other: &Field) -> Option<Field> {
    let data_type = match (keys(one), keys(other)) {
        (Some(ones), Some(others)) if !ones.is_empty() || !others.is_empty() => {
            DataType::Struct(common_keys(ones, is_open(one), others, is_open(other))?)
        }
        // Objects without keys are kept as their text, and are no text for that.
        (Some(_), None) if is_open(one) && !other.data_type().is_null() => return None,
        (None, Some(_)) if is_open(other) && !one.data_type().is_null() => return None,
        _ => common_type(one.data_type(), other.data_type())?,
    };
    let metadata = match (one.data_type(), other.data_type()) {
        (_, DataType::Null) => one.metadata().clone(),
        (DataType::Null, _) => other.metadata().clone(),
        _ => {
            let mut both = one.metadata().clone();
            both.retain(|key, value| other.metadata().get(key) == Some(value));
            let is_extension = |key: &str| key.starts_with(EXTENSION);
            let extensions = |field: &Field| field.metadata().keys().filter(|key| is_extension(key)).count();
            let kept = both.keys().filter(|key| is_extension(key)).count();
            if kept < extensions(one).max(extensions(other)) {
                both.retain(|key, _| !is_extension(key));
            }
            both
        }
    };
    let nullable = one.is_nullable() || other.is_nullable();
    let is_ordered = [one, other].iter().any(|field| field.dict_is_ordered() == Some(true));
    let field = Field::new(one.name(), data_type, nullable).with_dict_is_ordered(is_ordered);
    Some(field.with_metadata(metadata))
}

fn common_type(one: &DataType, other: &DataType) -> Option<DataType> {
    use DataType::{
        Date32, Date64, Dictionary, Duration, FixedSizeBinary, FixedSizeList, Interval, Map, Null, Struct,
        Time32, Time64, Timestamp,
    };
    if one == other {
        return Some(one.clone());
    }
    match (one, other) {
        (Null, some) | (some, Null) => return Some(some.clone()),
        (Dictionary(key, values), Dictionary(other_key, other_values)) => {
            let key = if key == other_key { key.clone() } else { Box::new(DataType::Int32) };
            return Some(Dictionary(key, Box::new(common_type(values, other_values)?)));
        }
        (Dictionary(_, values), plain) | (plain, Dictionary(_, values)) => return common_type(values, plain),
        _ => {}
    }
    let either = |is: fn(&DataType) -> bool| is(one) || is(other);
    Some(match (one, other) {
        _ if one.is_string() && other.is_string() => match either(|t| matches!(t, DataType::LargeUtf8)) {
            true => DataType::LargeUtf8,
            false => DataType::Utf8,
        },
        (FixedSizeBinary(_), FixedSizeBinary(_)) => return None,
        _ if one.is_binary() && other.is_binary() => match either(|t| matches!(t, DataType::LargeBinary)) {
            true => DataType::LargeBinary,
            false => DataType::Binary,
        },
        _ if one.is_integer() && other.is_integer() => integer(one, other)?,
        _ if one.is_floating() && other.is_floating() => wider(one, other),
        _ if one.is_numeric()
            && other.is_numeric()
            && either(DataType::is_floating)
            && !either(DataType::is_decimal) =>
        {
            DataType::Float64
        }
        _ if one.is_decimal() && other.is_decimal() => decimal(one, other)?,
        (Timestamp(unit, zone), Timestamp(other, other_zone)) if zone == other_zone => {
            Timestamp(finer(*unit, *other), zone.clone())
        }
        (Time32(unit) | Time64(unit), Time32(other) | Time64(other)) => match finer(*unit, *other) {
            unit @ (TimeUnit::Second | TimeUnit::Millisecond) => Time32(unit),
            unit => Time64(unit),
        },
        (Duration(unit), Duration(other)) => Duration(finer(*unit, *other)),
        (Date32 | Date64, Date32 | Date64) => Date32,
        (Interval(_), Interval(_)) => Interval(IntervalUnit::MonthDayNano),
        (FixedSizeList(element, size), FixedSizeList(other, other_size)) if size == other_size => {
            FixedSizeList(common_child(element, other)?, *size)
        }
        (Struct(fields), Struct(others)) => Struct(common_keys(fields, false, others, false)?),
        (Map(entries, sorted), Map(others, other_sorted)) => {
            Map(common_entries(entries, others)?, *sorted && *other_sorted)
        }
        _ => {
            let element = common_child(element(one)?, element(other)?)?;
            let is_large = |t: &DataType| matches!(t, DataType::LargeList(_) | DataType::LargeListView(_));
            if either(is_large) { DataType::LargeList(element) } else { DataType::List(element) }
        }
    })
}

fn common_child(one: &FieldRef, other: &FieldRef) -> Option<FieldRef> {
    common_field(one, other).map(Arc::new)
}

/// The fields of objects; none of other values.
fn keys(field: &Field) -> Option<&[FieldRef]> {
    match field.data_type() {
        DataType::Struct(fields) => Some(fields),
        _ => is_open(field).then_some(&[]),
    }
}

/// Fields of the same names, in the order of `ones`. Objects that are open may lack some, which are null
/// there.
fn common_keys(ones: &[FieldRef], is_open: bool, others: &[FieldRef], other_is_open: bool) -> Option<Fields> {
    let find = |fields: &[FieldRef], name: &str| fields.iter().find(|field| field.name() == name).cloned();
    let nullable = |field: &FieldRef| Arc::new(field.as_ref().clone().with_nullable(true));
    let of_one = ones.iter().map(|one| match find(others, one.name()) {
        Some(other) => common_child(one, &other),
        None => other_is_open.then(|| nullable(one)),
    });
    let of_other = others.iter().filter(|other| find(ones, other.name()).is_none());
    let of_other = of_other.map(|other| is_open.then(|| nullable(other)));
    of_one.chain(of_other).collect()
}

/// Keys and values of maps have their places, not their names.
fn common_entries(one: &FieldRef, other: &FieldRef) -> Option<FieldRef> {
    let (DataType::Struct(ones), DataType::Struct(others)) = (one.data_type(), other.data_type()) else {
        return None;
    };
    let fields: Option<Fields> =
        ones.iter().zip(others).map(|(one, other)| common_child(one, other)).collect();
    Some(one.as_ref().clone().with_data_type(DataType::Struct(fields?)).into())
}

fn element(list: &DataType) -> Option<&FieldRef> {
    match list {
        DataType::List(element)
        | DataType::LargeList(element)
        | DataType::ListView(element)
        | DataType::LargeListView(element)
        | DataType::FixedSizeList(element, _) => Some(element),
        _ => None,
    }
}

fn wider(one: &DataType, other: &DataType) -> DataType {
    if one.primitive_width() >= other.primitive_width() { one.clone() } else { other.clone() }
}

fn integer(one: &DataType, other: &DataType) -> Option<DataType> {
    if one.is_signed_integer() == other.is_signed_integer() {
        return Some(wider(one, other));
    }
    let (signed, unsigned) = if one.is_signed_integer() { (one, other) } else { (other, one) };
    let holds_unsigned = match unsigned {
        DataType::UInt8 => DataType::Int16,
        DataType::UInt16 => DataType::Int32,
        DataType::UInt32 => DataType::Int64,
        _ => return None,
    };
    Some(wider(signed, &holds_unsigned))
}

fn finer(one: TimeUnit, other: TimeUnit) -> TimeUnit {
    one.max(other)
}

fn decimal(one: &DataType, other: &DataType) -> Option<DataType> {
    let ((precision, scale), (other_precision, other_scale)) = (digits(one)?, digits(other)?);
    let whole = (precision - scale).max(other_precision - other_scale);
    let scale = scale.max(other_scale);
    let (precision, scale) = (u8::try_from(whole + scale).ok()?, i8::try_from(scale).ok()?);
    match precision {
        ..=38 => Some(DataType::Decimal128(precision, scale)),
        39..=76 => Some(DataType::Decimal256(precision, scale)),
        _ => None,
    }
}

/// The precision and the scale of a decimal type.
fn digits(data_type: &DataType) -> Option<(i16, i16)> {
    match *data_type {
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
        | DataType::Decimal256(precision, scale) => Some((precision.into(), scale.into())),
        _ => None,
    }
}
