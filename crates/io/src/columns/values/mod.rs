//! Values from their texts: what a text stands for in a type, if none of it is lost there.

pub(crate) mod numbers;
pub(crate) mod times;

use std::str::FromStr;
use std::sync::Arc;

use arrow::array::timezone::Tz;
use arrow::array::{
    ArrayRef, ArrowPrimitiveType, BooleanBuilder, LargeStringBuilder, PrimitiveBuilder, StringBuilder,
    StringViewBuilder,
};
use arrow::compute::kernels::cast_utils::{parse_decimal, string_to_time_nanoseconds};
use arrow::datatypes::{
    DataType, Date32Type, Date64Type, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type,
    DecimalType, Field, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    Time32MillisecondType, Time32SecondType, Time64MicrosecondType, Time64NanosecondType, TimeUnit,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use half::f16;

use self::numbers::{is_exact, is_not_lost};
use self::times::{date, is_beyond_nanoseconds, timestamp, unit_nanoseconds};
use super::annotations::is_json;

/// The values of one column, collected one after the other.
pub(crate) trait Values: Send {
    /// Adds the value that `text` stands for, a number as its format writes one or another text.
    /// Returns whether there is such a value and nothing of the text is lost.
    fn push(&mut self, text: &str, is_number: bool) -> bool;

    fn push_null(&mut self);

    fn finish(&mut self) -> ArrayRef;
}

/// Values of a field's type; none if no text stands for one.
pub(crate) fn values(field: &Field) -> Option<Box<dyn Values>> {
    use DataType as T;
    let data_type = field.data_type();
    Some(match data_type {
        T::Utf8 if is_json(field) => Box::new(JsonTexts(StringBuilder::new())),
        T::Utf8 => Box::new(Texts(StringBuilder::new())),
        T::LargeUtf8 => Box::new(LargeTexts(LargeStringBuilder::new())),
        T::Utf8View => Box::new(TextViews(StringViewBuilder::new())),
        T::Boolean => Box::new(Booleans(BooleanBuilder::new())),
        T::Int8 => of::<Int8Type>(data_type, |text, _| integer(text)),
        T::Int16 => of::<Int16Type>(data_type, |text, _| integer(text)),
        T::Int32 => of::<Int32Type>(data_type, |text, _| integer(text)),
        T::Int64 => of::<Int64Type>(data_type, |text, _| integer(text)),
        T::UInt8 => of::<UInt8Type>(data_type, |text, _| integer(text)),
        T::UInt16 => of::<UInt16Type>(data_type, |text, _| integer(text)),
        T::UInt32 => of::<UInt32Type>(data_type, |text, _| integer(text)),
        T::UInt64 => of::<UInt64Type>(data_type, |text, _| integer(text)),
        T::Float16 => of::<Float16Type>(data_type, |text, _| float(text, |value: f16| value.to_f64())),
        T::Float32 => of::<Float32Type>(data_type, |text, _| float(text, |value: f32| f64::from(value))),
        T::Float64 => of::<Float64Type>(data_type, |text, _| float(text, |value: f64| value)),
        T::Decimal32(digits, scale) => decimals::<Decimal32Type>(data_type, *digits, *scale),
        T::Decimal64(digits, scale) => decimals::<Decimal64Type>(data_type, *digits, *scale),
        T::Decimal128(digits, scale) => decimals::<Decimal128Type>(data_type, *digits, *scale),
        T::Decimal256(digits, scale) => decimals::<Decimal256Type>(data_type, *digits, *scale),
        T::Date32 => of::<Date32Type>(data_type, |text, _| date(text)),
        T::Date64 => of::<Date64Type>(data_type, |text, _| timestamp(text, TimeUnit::Millisecond, None)),
        T::Time32(TimeUnit::Second) => times::<Time32SecondType>(data_type, TimeUnit::Second),
        T::Time32(TimeUnit::Millisecond) => times::<Time32MillisecondType>(data_type, TimeUnit::Millisecond),
        T::Time64(TimeUnit::Microsecond) => times::<Time64MicrosecondType>(data_type, TimeUnit::Microsecond),
        T::Time64(TimeUnit::Nanosecond) => times::<Time64NanosecondType>(data_type, TimeUnit::Nanosecond),
        T::Timestamp(unit, zone) => {
            let zone = zone.as_deref().map(Tz::from_str).transpose().ok()?;
            match unit {
                TimeUnit::Second => moments::<TimestampSecondType>(data_type, *unit, zone),
                TimeUnit::Millisecond => moments::<TimestampMillisecondType>(data_type, *unit, zone),
                TimeUnit::Microsecond => moments::<TimestampMicrosecondType>(data_type, *unit, zone),
                TimeUnit::Nanosecond => moments::<TimestampNanosecondType>(data_type, *unit, zone),
            }
        }
        _ => return None,
    })
}

/// A whole number, also one that is written like `3.0` or `1e3`.
fn integer<T: FromStr + TryFrom<i64>>(text: &str) -> Option<T> {
    text.parse().ok().or_else(|| {
        const MOST_EXACT: f64 = 9_007_199_254_740_992.0;
        let value: f64 = text.parse().ok()?;
        let is_whole = value.fract() == 0.0 && value.abs() <= MOST_EXACT && is_exact(text, value);
        T::try_from(value as i64).ok().filter(|_| is_whole)
    })
}

/// The nearest float of a type that was asked for; a whole number only if it is one of them.
fn float<T: FromStr + Copy>(text: &str, widened: impl Fn(T) -> f64) -> Option<T> {
    let value: T = text.parse().ok()?;
    let wide = widened(value);
    let is_whole = || text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'+'));
    let survives = is_not_lost(text, wide)
        && (!is_whole() || text.parse::<i128>().is_ok_and(|exact| wide as i128 == exact));
    survives.then_some(value)
}

/// A decimal number whose digits all have a place.
fn decimal<T: DecimalType>(text: &str, precision: u8, scale: i8) -> Option<T::Native> {
    let unsigned = text.trim_start_matches('-');
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let is_plain = whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit());
    let places = fraction.trim_end_matches('0').len();
    let fits = is_plain && usize::try_from(scale).is_ok_and(|scale| places <= scale);
    parse_decimal::<T>(text, precision, scale).ok().filter(|_| fits)
}

type Parse<T> = Box<dyn Fn(&str, bool) -> Option<<T as ArrowPrimitiveType>::Native> + Send>;

struct Primitives<T: ArrowPrimitiveType> {
    builder: PrimitiveBuilder<T>,
    parse: Parse<T>,
}

fn of<T: ArrowPrimitiveType>(
    data_type: &DataType,
    parse: impl Fn(&str, bool) -> Option<T::Native> + Send + 'static,
) -> Box<dyn Values> {
    let builder = PrimitiveBuilder::<T>::new().with_data_type(data_type.clone());
    Box::new(Primitives { builder, parse: Box::new(parse) })
}

fn decimals<T: DecimalType>(data_type: &DataType, precision: u8, scale: i8) -> Box<dyn Values> {
    of::<T>(data_type, move |text, _| decimal::<T>(text, precision, scale))
}

fn times<T: ArrowPrimitiveType>(data_type: &DataType, unit: TimeUnit) -> Box<dyn Values>
where
    T::Native: TryFrom<i64> + FromStr,
{
    of::<T>(data_type, move |text, is_number| {
        if is_number {
            return text.parse().ok();
        }
        let nanoseconds = string_to_time_nanoseconds(text).ok().filter(|_| !is_beyond_nanoseconds(text))?;
        let of_unit = unit_nanoseconds(unit);
        (nanoseconds % of_unit == 0).then(|| T::Native::try_from(nanoseconds / of_unit).ok())?
    })
}

fn moments<T: ArrowPrimitiveType<Native = i64>>(
    data_type: &DataType,
    unit: TimeUnit,
    zone: Option<Tz>,
) -> Box<dyn Values> {
    of::<T>(data_type, move |text, is_number| match is_number {
        true => text.parse().ok(),
        false => timestamp(text, unit, zone),
    })
}

impl<T: ArrowPrimitiveType> Values for Primitives<T> {
    fn push(&mut self, text: &str, is_number: bool) -> bool {
        let value = (self.parse)(text, is_number);
        self.builder.append_option(value);
        value.is_some()
    }

    fn push_null(&mut self) {
        self.builder.append_null();
    }

    fn finish(&mut self) -> ArrayRef {
        Arc::new(self.builder.finish())
    }
}

struct Booleans(BooleanBuilder);

impl Values for Booleans {
    fn push(&mut self, text: &str, _: bool) -> bool {
        let value = [(true, "true"), (false, "false")].into_iter();
        let value = value.filter(|(_, name)| text.eq_ignore_ascii_case(name)).map(|(value, _)| value).next();
        self.0.append_option(value);
        value.is_some()
    }

    fn push_null(&mut self) {
        self.0.append_null();
    }

    fn finish(&mut self) -> ArrayRef {
        Arc::new(self.0.finish())
    }
}

/// Texts as they are.
macro_rules! texts {
    ($name:ident, $builder:ty, $is_value:expr) => {
        struct $name($builder);

        impl Values for $name {
            fn push(&mut self, text: &str, _: bool) -> bool {
                self.0.append_value(text);
                $is_value(text)
            }

            fn push_null(&mut self) {
                self.0.append_null();
            }

            fn finish(&mut self) -> ArrayRef {
                Arc::new(self.0.finish())
            }
        }
    };
}

texts!(Texts, StringBuilder, |_| true);
texts!(LargeTexts, LargeStringBuilder, |_| true);
texts!(TextViews, StringViewBuilder, |_| true);
texts!(JsonTexts, StringBuilder, is_json_text);

/// Whether a text is one JSON value, without what only Python has.
fn is_json_text(text: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}
