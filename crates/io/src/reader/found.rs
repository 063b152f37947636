//! What a text file is found to hold, where other files may hold more.

use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};

use super::place::Place;
use super::{Contents, Input, Layout};
use crate::columns::Fits;

impl Input {
    /// The field of a column whose type was found by looking at its values, with what is known of them;
    /// for [`common_field`](crate::common_field). None where the type is stated, or stands in the path.
    pub fn found_field(&self, column: &str) -> Option<Field> {
        let Contents::Text { found, .. } = &self.contents else { return None };
        let is_in_path = self.partitions.contains_key(column);
        Place::of(column, found).filter(|_| !is_in_path).map(|place| place.field(column, found))
    }

    /// Whether a text file has neither a record nor a header.
    pub fn holds_nothing(&self) -> bool {
        match self.contents {
            Contents::Text { layout: Layout::Json, rows: Some(0), .. } => true,
            Contents::Text { rows: Some(0), .. } => self.stored.fields().is_empty(),
            _ => false,
        }
    }

    /// Whether a column that the file lacks is null in each of its rows, as a key is that no object has.
    pub fn may_lack_columns(&self) -> bool {
        matches!(self.layout(), Some(Layout::Json))
    }

    /// Adds a column that is null in each row.
    pub fn add_nulls(&mut self, column: &str) {
        let with = |schema: &Schema, place: usize, field: Field| {
            let mut fields: Vec<FieldRef> = schema.fields().iter().cloned().collect();
            fields.insert(place, field.into());
            SchemaRef::from(Schema::new_with_metadata(fields, schema.metadata().clone()))
        };
        let Contents::Text { found, .. } = &mut self.contents else { return };
        let text = Field::new(column, DataType::Utf8, true);
        let place = self.stored.fields().len();
        *found = with(found, place, Fits::ALL.field(column));
        self.stored = with(&self.stored, place, text.clone());
        self.schema = with(&self.schema, place, text);
    }

    /// How the records of a text file are written; none of others.
    pub(super) fn layout(&self) -> Option<Layout> {
        match self.contents {
            Contents::Text { layout, .. } => Some(layout),
            _ => None,
        }
    }
}
