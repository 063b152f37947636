//! The types in which the columns of an input are given.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};

use super::text::{csv, json};
use super::{ColumnType, Contents, Input, Layout, ReadOptions, partition_types};
use crate::Error;
use crate::columns::fits::settled;
use crate::columns::{can_adapt, json_field, map_leaves};

impl Input {
    /// The columns in the path follow those of the file, which may have some of them too.
    pub(super) fn add_partitions(&mut self, options: &ReadOptions) {
        let missing = self.partitions.keys().filter(|name| self.stored.index_of(name).is_err());
        let types = partition_types(std::slice::from_ref(&self.source));
        let fields = missing.map(|name| {
            let data_type =
                options.partitions.get(name).or_else(|| types.get(name)).unwrap_or(&DataType::Utf8);
            Arc::new(Field::new(name, data_type.clone(), true))
        });
        let fields: Vec<_> = self.stored.fields().iter().cloned().chain(fields).collect();
        self.schema = Schema::new_with_metadata(fields, self.stored.metadata().clone()).into();
    }

    /// Gives the columns of a binary format that hold text as bytes the type of texts.
    pub(super) fn take_binary_as_text(&mut self, options: &ReadOptions) {
        let Contents::Parquet(columns) = &self.contents else { return };
        let mut leaves = columns.is_bare_binary.iter();
        let fields = self.schema.fields().iter().map(|field| {
            let wanted = options.binary_as_text || options.text_columns.contains(field.name());
            map_leaves(field, &mut |leaf| match (leaves.next(), text_of(leaf.data_type())) {
                (Some(true), Some(text)) if wanted => leaf.clone().with_data_type(text),
                _ => leaf.clone(),
            })
        });
        let fields: Vec<_> = fields.collect();
        self.schema = Schema::new_with_metadata(fields, self.schema.metadata().clone()).into();
    }

    /// Gives columns of which the file itself says the type the one that was stated.
    pub(super) fn take_types(&mut self, types: &BTreeMap<String, ColumnType>) -> Result<(), Error> {
        for (name, given) in types {
            if self.layout().is_some() && !self.partitions.contains_key(name) {
                continue;
            }
            match given {
                ColumnType::Arrow(data_type) => self.retype(name, data_type)?,
                ColumnType::Json => {
                    self.index(name)?;
                    self.retype_field(&json_field(name))?;
                }
            }
        }
        Ok(())
    }

    /// Gives a column another type, in which every value is the same or ends the reading.
    ///
    /// # Errors
    /// [`Error::UnknownColumn`], [`Error::AmbiguousColumn`]; [`Error::NotReadable`] if no value of the
    /// column could have this type.
    pub fn retype(&mut self, column: &str, data_type: &DataType) -> Result<(), Error> {
        let field = self.place(column)?.field(column, &self.schema);
        self.retype_field(&field.with_data_type(data_type.clone()))
    }

    /// Gives the column of a field's name its type and metadata, as [`Input::retype`] does.
    ///
    /// # Errors
    /// Those of [`Input::retype`].
    pub fn retype_field(&mut self, wanted: &Field) -> Result<(), Error> {
        let place = self.place(wanted.name())?;
        let wanted = &settled(&Arc::new(wanted.clone()));
        let is_stored = place.index < self.stored.fields().len();
        let from = if is_stored { place.field(wanted.name(), &self.stored) } else { utf8(wanted.name()) };
        let is_parsed = is_stored && self.layout().is_some_and(|layout| layout.has_values(wanted));
        if !is_parsed && !can_adapt(from.data_type(), wanted.data_type()) {
            return Err(Error::NotReadable {
                path: self.source.shown.clone(),
                column: wanted.name().clone(),
                data_type: wanted.data_type().clone(),
                source: format!("its values are {}", from.data_type()).into(),
            });
        }
        if is_parsed {
            // From the text itself, not from what another type has made of it.
            self.stored = place.with_type(wanted, &self.stored).into();
        }
        self.schema = place.with_type(wanted, &self.schema).into();
        Ok(())
    }

    /// Refuses a given type that would be no column's, or that the reader would refuse later.
    pub(super) fn check_types(&self, types: &BTreeMap<String, ColumnType>) -> Result<(), Error> {
        let Some(layout) = self.layout() else { return Ok(()) };
        for (name, given) in types {
            let ColumnType::Arrow(data_type) = given else { continue };
            if matches!(layout, Layout::Csv(_)) && !self.holds_nothing() {
                self.index(name)?;
            }
            if !layout.has_values(&Field::new(name, data_type.clone(), true)) {
                let reason = match layout {
                    Layout::Csv(_) if data_type.is_nested() => "a field of CSV holds one value",
                    Layout::Csv(_) => "no text stands for a value of this type",
                    Layout::Json => "no JSON value stands for a value of this type",
                };
                return Err(Error::NotReadable {
                    path: self.source.shown.clone(),
                    column: name.clone(),
                    data_type: data_type.clone(),
                    source: reason.into(),
                });
            }
        }
        Ok(())
    }
}

impl Layout {
    /// Whether something in such a file stands for a value of a field's type.
    fn has_values(self, field: &Field) -> bool {
        match self {
            Self::Csv(_) => csv::has_values(field),
            Self::Json => json::has_values(field),
        }
    }
}

/// A value in a path.
fn utf8(name: &str) -> Field {
    Field::new(name, DataType::Utf8, true)
}

/// The text type in place of a binary one; `None` for other types.
fn text_of(binary: &DataType) -> Option<DataType> {
    Some(match binary {
        DataType::Binary | DataType::BinaryView => DataType::Utf8,
        DataType::LargeBinary => DataType::LargeUtf8,
        DataType::Dictionary(key, values) => DataType::Dictionary(key.clone(), Box::new(text_of(values)?)),
        _ => return None,
    })
}
