//! JSON values to Arrow arrays.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, FixedSizeListArray, LargeListArray, ListArray, MapArray, NullBufferBuilder, StructArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, FieldRef, Fields};
use arrow::error::ArrowError;

use super::scan::{Kind, Scanner, Stop, decoded};
use super::shape::Misfit;
use crate::columns::{Values, is_json, values};

/// The values of one column, or of what is nested in it.
pub(super) enum Node {
    Scalars {
        values: Box<dyn Values>,
        data_type: DataType,
    },
    /// Any values, as their text.
    Json(Box<dyn Values>),
    Lists(Lists),
    Objects(Objects),
    /// Objects as lists of keys and values.
    Maps(Lists),
}

impl Node {
    /// Values of a field's type; none if no JSON value stands for one.
    pub fn new(field: &Field) -> Option<Self> {
        Some(match field.data_type() {
            DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
                Self::Lists(Lists::new(field.data_type(), vec![Self::new(item)?]))
            }
            DataType::Map(entries, _) => match entries.data_type() {
                DataType::Struct(fields) if fields.len() == 2 && fields[0].data_type() == &DataType::Utf8 => {
                    Self::Maps(Lists::new(
                        field.data_type(),
                        vec![Self::new(&fields[0])?, Self::new(&fields[1])?],
                    ))
                }
                _ => return None,
            },
            DataType::Struct(fields) => Self::Objects(Objects::new(fields)?),
            _ if is_json(field) => Self::Json(values(field)?),
            data_type => Self::Scalars { values: values(field)?, data_type: data_type.clone() },
        })
    }

    pub fn push(&mut self, value: &[u8]) -> Result<(), Misfit> {
        let mut scanner = Scanner::new(value, 0);
        let kind = scanner.kind().map_err(|_| Misfit::new("a value", value, "Json"))?;
        match (self, kind) {
            (node, Kind::Null) => {
                node.push_null();
                Ok(())
            }
            (Self::Scalars { values, data_type }, _) => push_scalar(values.as_mut(), data_type, kind, value),
            (Self::Json(values), _) => {
                let text =
                    std::str::from_utf8(value).map_err(|_| Misfit::new("JSON in UTF-8", value, "Utf8"))?;
                match values.push(text, false) {
                    true => Ok(()),
                    false => Err(Misfit::new("JSON, which has no NaN or Infinity", value, "Utf8")),
                }
            }
            (Self::Lists(lists), Kind::List) => lists.push_list(&mut scanner, value),
            (Self::Maps(maps), Kind::Object) => maps.push_object(&mut scanner),
            (Self::Objects(objects), Kind::Object) => {
                let entries = super::entries(&mut scanner).map_err(damaged)?;
                objects.push(entries.into_iter())?;
                objects.validity.append_non_null();
                Ok(())
            }
            (Self::Lists(_), _) => Err(Misfit::new(Kind::List.name(), value, "Json")),
            (Self::Objects(_) | Self::Maps(_), _) => Err(Misfit::new(Kind::Object.name(), value, "Json")),
        }
    }

    pub fn push_null(&mut self) {
        match self {
            Self::Scalars { values, .. } | Self::Json(values) => values.push_null(),
            Self::Lists(lists) | Self::Maps(lists) => lists.push_null(),
            Self::Objects(objects) => {
                objects.nodes.iter_mut().for_each(Self::push_null);
                objects.validity.append_null();
            }
        }
    }

    pub fn finish(&mut self) -> Result<ArrayRef, ArrowError> {
        match self {
            Self::Scalars { values, .. } | Self::Json(values) => Ok(values.finish()),
            Self::Lists(lists) | Self::Maps(lists) => lists.finish(),
            Self::Objects(objects) => {
                let validity = objects.validity.finish();
                let arrays = objects.finish()?;
                Ok(Arc::new(StructArray::try_new(objects.fields.clone(), arrays, validity)?))
            }
        }
    }
}

fn damaged(_: Stop) -> Misfit {
    Misfit::new("a value", b"a damaged one", "Json")
}

fn push_scalar(
    values: &mut dyn Values,
    data_type: &DataType,
    kind: Kind,
    value: &[u8],
) -> Result<(), Misfit> {
    let is_text = matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
    let name = || if is_text { "text".to_owned() } else { data_type.to_string() };
    let keep = if matches!(kind, Kind::List | Kind::Object) { "Json" } else { "Utf8" };
    let misfit = || Err(Misfit::new(name(), value, keep));
    let pushed = match kind {
        Kind::Text => {
            let text = decoded(value)
                .map_err(|reason| Misfit::new(format!("{} ({reason})", name()), value, "Json"))?;
            data_type != &DataType::Boolean && values.push(&text, false)
        }
        Kind::Number => {
            let text = std::str::from_utf8(value).unwrap_or_default();
            // What stands for a missing number is no text.
            let is_number = !text.ends_with(['N', 'y']);
            data_type != &DataType::Boolean && (is_number || !is_text) && values.push(text, true)
        }
        Kind::Boolean => {
            let text = std::str::from_utf8(value).unwrap_or_default();
            (is_text || data_type == &DataType::Boolean) && values.push(text, false)
        }
        Kind::Null | Kind::List | Kind::Object => false,
    };
    if pushed { Ok(()) } else { misfit() }
}

/// Lists of any Arrow type, and maps.
pub(super) struct Lists {
    data_type: DataType,
    /// The items, or the keys and the values.
    nodes: Vec<Node>,
    offsets: Vec<i32>,
    items: i32,
    validity: NullBufferBuilder,
}

impl Lists {
    fn new(data_type: &DataType, nodes: Vec<Node>) -> Self {
        let validity = NullBufferBuilder::new(0);
        Self { data_type: data_type.clone(), nodes, offsets: vec![0], items: 0, validity }
    }

    fn push_list(&mut self, scanner: &mut Scanner, value: &[u8]) -> Result<(), Misfit> {
        let first = self.items;
        let mut more = scanner.enter().map_err(damaged)?;
        while more {
            let item = scanner.value().map_err(damaged)?;
            self.nodes[0].push(scanner.slice(item)).map_err(Misfit::of_item)?;
            self.items += 1;
            more = scanner.next(Kind::List).map_err(damaged)?;
        }
        match self.data_type {
            DataType::FixedSizeList(_, size) if self.items - first != size => {
                Err(Misfit::new(self.data_type.to_string(), value, "Json"))
            }
            _ => {
                self.close(true);
                Ok(())
            }
        }
    }

    fn push_object(&mut self, scanner: &mut Scanner) -> Result<(), Misfit> {
        for (key, value) in super::entries(scanner).map_err(damaged)? {
            self.nodes[0].push(key)?;
            self.nodes[1].push(value)?;
            self.items += 1;
        }
        self.close(true);
        Ok(())
    }

    fn push_null(&mut self) {
        if let DataType::FixedSizeList(_, size) = self.data_type {
            (0..size).for_each(|_| self.nodes[0].push_null());
            self.items += size;
        }
        self.close(false);
    }

    fn close(&mut self, is_valid: bool) {
        self.offsets.push(self.items);
        self.validity.append(is_valid);
    }

    fn finish(&mut self) -> Result<ArrayRef, ArrowError> {
        let offsets = std::mem::replace(&mut self.offsets, vec![0]);
        let rows = offsets.len() - 1;
        self.items = 0;
        let validity = self.validity.finish();
        let arrays: Vec<ArrayRef> = self.nodes.iter_mut().map(Node::finish).collect::<Result<_, _>>()?;
        let items = arrays[0].clone();
        Ok(match &self.data_type {
            DataType::LargeList(item) => {
                let offsets = offsets.into_iter().map(i64::from).collect::<Vec<_>>();
                let offsets = OffsetBuffer::new(offsets.into());
                Arc::new(LargeListArray::try_new(item.clone(), offsets, items, validity)?)
            }
            DataType::FixedSizeList(item, size) => {
                Arc::new(FixedSizeListArray::try_new_with_length(item.clone(), *size, items, validity, rows)?)
            }
            DataType::Map(entries, sorted) => {
                let DataType::Struct(fields) = entries.data_type() else {
                    return Err(ArrowError::SchemaError("a map without keys and values".to_owned()));
                };
                let structs = StructArray::try_new(fields.clone(), arrays, None)?;
                let offsets = OffsetBuffer::new(offsets.into());
                Arc::new(MapArray::try_new(entries.clone(), offsets, structs, validity, *sorted)?)
            }
            DataType::List(item) => Arc::new(ListArray::try_new(
                item.clone(),
                OffsetBuffer::new(offsets.into()),
                items,
                validity,
            )?),
            other => return Err(ArrowError::SchemaError(format!("{other} is no list"))),
        })
    }
}

/// How many keys of the object before are remembered.
const MOST_GUESSES: usize = 256;

/// Objects as structs: a key that is missing is null, one that has no field is passed over.
pub(super) struct Objects {
    fields: Fields,
    nodes: Vec<Node>,
    /// Each field by its key as it stands in the file, with its quotes.
    index: HashMap<Vec<u8>, Option<usize>>,
    /// The keys of the object before, in their order there, with their fields.
    guesses: Vec<(Vec<u8>, Option<usize>)>,
    /// The number of the last object that had each field.
    last: Vec<u64>,
    met: u64,
    validity: NullBufferBuilder,
}

impl Objects {
    pub fn new(fields: &Fields) -> Option<Self> {
        let nodes: Vec<Node> = fields.iter().map(|field| Node::new(field)).collect::<Option<_>>()?;
        let name = |field: &FieldRef| serde_json::to_vec(field.name()).unwrap_or_default();
        let index = fields.iter().enumerate().map(|(index, field)| (name(field), Some(index))).collect();
        let last = vec![0; nodes.len()];
        let (guesses, validity) = (Vec::new(), NullBufferBuilder::new(0));
        Some(Self { fields: fields.clone(), nodes, index, guesses, last, met: 0, validity })
    }

    /// Adds an object, given as its keys and values.
    pub fn push<'a>(&mut self, entries: impl Iterator<Item = (&'a [u8], &'a [u8])>) -> Result<(), Misfit> {
        self.met += 1;
        for (place, (key, value)) in entries.enumerate() {
            let Some(index) = self.find(key, place) else { continue };
            let name = self.fields[index].name();
            if self.last[index] == self.met {
                return Err(Misfit::new("the key once", b"it twice in one object", "Json").of_key(name));
            }
            self.last[index] = self.met;
            self.nodes[index].push(value).map_err(|misfit| misfit.of_key(name))?;
        }
        for (node, last) in self.nodes.iter_mut().zip(&self.last) {
            if *last != self.met {
                node.push_null();
            }
        }
        Ok(())
    }

    fn find(&mut self, key: &[u8], place: usize) -> Option<usize> {
        if let Some((guess, index)) = self.guesses.get_mut(place) {
            if guess != key {
                *index = look_up(&self.index, key);
                guess.clear();
                guess.extend_from_slice(key);
            }
            return *index;
        }
        let index = look_up(&self.index, key);
        if place == self.guesses.len() && place < MOST_GUESSES {
            self.guesses.push((key.to_vec(), index));
        }
        index
    }

    pub fn finish(&mut self) -> Result<Vec<ArrayRef>, ArrowError> {
        self.nodes.iter_mut().map(Node::finish).collect()
    }
}

fn look_up(index: &HashMap<Vec<u8>, Option<usize>>, key: &[u8]) -> Option<usize> {
    match index.get(key) {
        Some(found) => *found,
        // It may be written with escapes.
        None => *index.get(&serde_json::to_vec(&decoded(key).ok()?).ok()?)?,
    }
}
