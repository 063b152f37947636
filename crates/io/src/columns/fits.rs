//! The types that hold the values of a column which states none, noted in its field: so columns of
//! several files can have the type that they would have in one.

use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, FieldRef, TimeUnit};

use super::map_fields;

/// The key of a field under which they are noted.
const KEY: &str = "strata:fits";

/// Marks objects that may have other keys in other files.
const OPEN: &str = "strata:open";

/// What text formats find; of those that hold all values, the first is a column's type.
static TYPES: LazyLock<[DataType; 14]> = LazyLock::new(|| {
    let local = |unit| DataType::Timestamp(unit, None);
    let utc = |unit| DataType::Timestamp(unit, Some(Arc::from("UTC")));
    use TimeUnit::{Microsecond, Millisecond, Nanosecond, Second};
    [
        DataType::Int64,
        DataType::UInt64,
        DataType::Float64,
        DataType::Boolean,
        DataType::Date32,
        local(Second),
        local(Millisecond),
        local(Microsecond),
        local(Nanosecond),
        utc(Second),
        utc(Millisecond),
        utc(Microsecond),
        utc(Nanosecond),
        DataType::Utf8,
    ]
});

/// Some of the types that text formats find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fits(u16);

impl Fits {
    pub const NONE: Self = Self(0);
    pub const SIGNED: Self = Self(1);
    pub const UNSIGNED: Self = Self(1 << 1);
    pub const FLOAT: Self = Self(1 << 2);
    pub const NUMBERS: Self = Self(0b111);
    pub const BOOLEAN: Self = Self(1 << 3);
    pub const DAY: Self = Self(1 << 4);
    pub const LOCAL: Self = Self(0b1111 << 5);
    pub const UTC: Self = Self(0b1111 << 9);
    pub const TEXT: Self = Self(1 << 13);
    /// Those of a column without a value, which could be of any type, also of none of these.
    pub const ALL: Self = Self((1 << 14) - 1);

    /// Those moments that count in units as fine as this one, and not in nanoseconds where those are too
    /// many.
    pub fn moments(is_utc: bool, unit: TimeUnit, fits_nanoseconds: bool) -> Self {
        let coarser = unit as u16;
        let units = 0b1111_u16 << coarser & if fits_nanoseconds { 0b1111 } else { 0b0111 };
        Self(units << if is_utc { 9 } else { 5 })
    }

    pub fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub fn has_any(self, other: Self) -> bool {
        self.and(other) != Self::NONE
    }

    /// Whether no value has said anything.
    pub fn is_all(self) -> bool {
        self == Self::ALL
    }

    /// The types, the preferred one first.
    pub fn types(self) -> impl Iterator<Item = &'static DataType> {
        TYPES.iter().enumerate().filter(move |(place, _)| self.0 & 1 << place != 0).map(|(_, found)| found)
    }

    /// The type of a column whose values these hold: text, where there is no value.
    pub fn data_type(self) -> DataType {
        let first = self.types().find(|_| !self.is_all());
        first.unwrap_or(&DataType::Utf8).clone()
    }

    /// A column of this name whose values these hold.
    pub fn field(self, name: &str) -> Field {
        self.note_on(Field::new(name, self.data_type(), true))
    }

    pub fn note_on(self, field: Field) -> Field {
        with(field, KEY, self.0.to_string())
    }

    /// What is noted on a field.
    pub fn of(field: &Field) -> Option<Self> {
        field.metadata().get(KEY)?.parse().ok().map(Self)
    }
}

/// Marks the field of objects that may have other keys in other files.
pub(crate) fn open(field: Field) -> Field {
    with(field, OPEN, String::new())
}

/// Whether a field is of objects that may have other keys.
pub(crate) fn is_open(field: &Field) -> bool {
    field.metadata().contains_key(OPEN)
}

/// A field without what is noted here on it and on those in it.
pub(crate) fn settled(field: &FieldRef) -> FieldRef {
    map_fields(field, &mut |field, _| {
        let mut metadata = field.metadata().clone();
        metadata.retain(|key, _| key != KEY && key != OPEN);
        field.clone().with_metadata(metadata)
    })
}

fn with(field: Field, key: &str, value: String) -> Field {
    let mut metadata = field.metadata().clone();
    metadata.insert(key, value);
    field.with_metadata(metadata)
}
