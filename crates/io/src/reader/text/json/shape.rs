//! The types of JSON columns, found by looking at every value of a file that is needed.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};

use super::scan::{Kind, Scanner, Stop, decoded};
use crate::Unfit;
use crate::columns::values::numbers;
use crate::columns::{Fits, fits, json_field};
use crate::reader::options::ColumnType;
use crate::reader::text::fault::{Fault, Place, shown};

/// No value is looked into any deeper.
const MOST_DEPTH: usize = 100;

/// The most keys that objects of a column may have all together: more are data, not names.
const MOST_KEYS: usize = 10_000;

/// Why a value has no place in a column.
#[derive(Debug)]
pub(super) struct Misfit {
    /// The column that it is in, and the keys that lead to it from there.
    column: String,
    path: String,
    expected: String,
    found: String,
    /// The type that would keep every value of the column.
    keep: &'static str,
}

impl Misfit {
    pub fn new(expected: impl Into<String>, found: &[u8], keep: &'static str) -> Self {
        let found = shown(&String::from_utf8_lossy(found));
        Self { column: String::new(), path: String::new(), expected: expected.into(), found, keep }
    }

    /// The same, of an object's key.
    pub fn of_key(self, name: &str) -> Self {
        let dot = if self.path.is_empty() { "" } else { "." };
        let keep = if self.path.is_empty() { self.keep } else { "Json" };
        Self { column: name.to_owned(), path: format!("{name}{dot}{}", self.path), keep, ..self }
    }

    /// The same, of a list's item.
    pub fn of_item(self) -> Self {
        self.of_key("[]")
    }

    /// The fault of a record.
    pub fn fault(self, place: Place) -> Fault {
        let Self { path, column, expected, found, keep } = self;
        let unfit = Unfit { column: path, expected, found, keep: format!("{column}={keep}") };
        Fault::Value { place, unfit: Box::new(unfit) }
    }
}

/// What is known of the values of a key, or of the items of a list.
#[derive(Debug, Clone, Default)]
pub(super) struct Shape {
    asked: Asked,
    values: Values,
}

/// What is wanted of the values of a key.
#[derive(Debug, Clone, Default)]
pub(super) enum Asked {
    /// Whatever type holds all of them.
    #[default]
    All,
    /// Text, if they are not lists or objects.
    Text,
    /// This type.
    Typed(ColumnType),
    /// Only some of their keys.
    Within,
    /// Nothing but the key's name.
    Nothing,
}

#[derive(Debug, Clone, Default)]
enum Values {
    #[default]
    None,
    Booleans,
    /// Numbers, all of which these types hold.
    Numbers(Fits),
    Texts,
    Lists(Box<Shape>),
    Objects(Object),
}

/// The keys of objects.
#[derive(Debug, Clone, Default)]
pub(super) struct Object {
    keys: Vec<Key>,
    index: HashMap<Vec<u8>, usize>,
    /// Whether keys that nothing is said of are wanted too.
    is_open: bool,
    /// How many objects were met.
    met: u64,
    /// How many keys were met first, in any object.
    known: usize,
}

#[derive(Debug, Clone)]
struct Key {
    name: String,
    /// As it stands in the file, with its quotes.
    written: Vec<u8>,
    shape: Shape,
    /// The number of the last object that had it.
    last: u64,
    /// Its place in the order of appearance.
    order: Option<usize>,
}

impl Object {
    /// No key yet; with `is_open`, any will do.
    pub fn new(is_open: bool) -> Self {
        Self { is_open, ..Self::default() }
    }

    /// Says what is wanted of a column. A name with dots is also that of a field within a struct.
    pub fn ask(&mut self, name: &str, asked: &Asked) {
        let written = serde_json::to_vec(name).unwrap_or_default();
        let shape = &mut self.entry(&written, name).shape;
        shape.asked = asked.clone();
        if matches!(asked, Asked::All) {
            shape.open();
        }
        let parts: Vec<&str> = name.split('.').collect();
        for end in 1..parts.len() {
            self.within(&parts[..end], &parts[end..].join("."), asked);
        }
    }

    fn within(&mut self, path: &[&str], name: &str, asked: &Asked) {
        let [first, rest @ ..] = path else { return self.ask(name, asked) };
        let written = serde_json::to_vec(first).unwrap_or_default();
        let shape = &mut self.entry(&written, first).shape;
        if matches!(shape.asked, Asked::Nothing) {
            shape.asked = Asked::Within;
        }
        if let Values::None = shape.values {
            shape.values = Values::Objects(Self::new(matches!(shape.asked, Asked::All)));
        }
        if let Values::Objects(object) = &mut shape.values {
            object.within(rest, name, asked);
        }
    }

    fn entry(&mut self, written: &[u8], name: &str) -> &mut Key {
        let next = self.keys.len();
        let index = *self.index.entry(written.to_vec()).or_insert(next);
        if index == next {
            let asked = if self.is_open { Asked::All } else { Asked::Nothing };
            let shape = Shape { asked, values: Values::None };
            self.keys.push(Key {
                name: name.to_owned(),
                written: written.to_vec(),
                shape,
                last: 0,
                order: None,
            });
        }
        &mut self.keys[index]
    }

    /// Adds an object, given as its keys and values.
    pub fn add<'a>(
        &mut self,
        entries: impl Iterator<Item = (&'a [u8], &'a [u8])>,
        depth: usize,
    ) -> Result<(), Misfit> {
        self.met += 1;
        for (place, (written, value)) in entries.enumerate() {
            let Some(index) = self.find(written, place)? else { continue };
            let (met, known) = (self.met, self.known);
            let key = &mut self.keys[index];
            if key.last == met && !matches!(key.shape.asked, Asked::Nothing) {
                return Err(Misfit::new("the key once", b"it twice in one object", "Json").of_key(&key.name));
            }
            key.last = met;
            if key.order.is_none() {
                key.order = Some(known);
                self.known += 1;
            }
            key.shape.add(value, depth).map_err(|misfit| misfit.of_key(&key.name))?;
        }
        Ok(())
    }

    /// The place of a key, most often the one it had in the object before; none of a key that nobody
    /// wants.
    fn find(&mut self, written: &[u8], guess: usize) -> Result<Option<usize>, Misfit> {
        if self.keys.get(guess).is_some_and(|key| key.written == written) {
            return Ok(Some(guess));
        }
        if let Some(&index) = self.index.get(written) {
            return Ok(Some(index));
        }
        if self.index.len() >= MOST_KEYS {
            let expected = format!("at most {MOST_KEYS} different keys");
            return if self.is_open { Err(Misfit::new(expected, written, "Json")) } else { Ok(None) };
        }
        let name = match decoded(written) {
            Ok(name) => name,
            Err(reason) if self.is_open => {
                return Err(Misfit::new("a key of text", reason.as_bytes(), "Json"));
            }
            Err(_) => return Ok(None),
        };
        // The same key may be written with escapes and without.
        let plain = serde_json::to_vec(&name).unwrap_or_default();
        let known = self.index.get(&plain).copied();
        let index = match known {
            Some(index) => index,
            None => {
                self.entry(&plain, &name);
                self.keys.len() - 1
            }
        };
        self.index.insert(written.to_vec(), index);
        self.keys[index].written = written.to_vec();
        Ok(Some(index))
    }

    /// The columns, in the order in which they appeared; those of a given type may still appear.
    pub fn fields(&self) -> Vec<Field> {
        let mut keys: Vec<&Key> = self.keys.iter().filter(|key| key.is_there()).collect();
        keys.sort_by_key(|key| key.order.unwrap_or(usize::MAX));
        keys.into_iter().map(|key| key.shape.field(&key.name)).collect()
    }

    /// Whether a column of this name has appeared, or is said to.
    pub fn has(&self, name: &str) -> bool {
        self.keys.iter().any(|key| key.name == name && key.is_there())
    }
}

impl Key {
    fn is_there(&self) -> bool {
        self.order.is_some() || matches!(self.shape.asked, Asked::Typed(_))
    }
}

impl Shape {
    /// Wants all keys, where only some were wanted.
    fn open(&mut self) {
        let Values::Objects(object) = &mut self.values else { return };
        object.is_open = true;
        for key in &mut object.keys {
            if matches!(key.shape.asked, Asked::Within | Asked::Nothing) {
                key.shape.asked = Asked::All;
            }
            key.shape.open();
        }
    }

    /// Adds a value.
    fn add(&mut self, value: &[u8], depth: usize) -> Result<(), Misfit> {
        if matches!(self.asked, Asked::Nothing | Asked::Typed(_)) {
            return Ok(());
        }
        let mut scanner = Scanner::new(value, 0);
        let kind = scanner.kind().map_err(|_| Misfit::new("a value", value, "Json"))?;
        if let Values::Objects(Object { met: 0, .. }) = self.values
            && !matches!(kind, Kind::Null | Kind::Object)
        {
            // A name with dots does not lead into this column after all.
            if matches!(self.asked, Asked::Within) {
                return Ok(());
            }
            self.values = Values::None;
        }
        match (&mut self.values, kind) {
            (_, Kind::Null) => Ok(()),
            (Values::None, _) => {
                self.values = Values::of(kind);
                self.add(value, depth)
            }
            // Numbers and booleans in a column of text are read as their text.
            (
                Values::Booleans | Values::Numbers(_) | Values::Texts,
                Kind::Boolean | Kind::Number | Kind::Text,
            ) if matches!(self.asked, Asked::Text) => Ok(()),
            (Values::Booleans, Kind::Boolean) | (Values::Texts, Kind::Text) => Ok(()),
            (Values::Numbers(numbers), Kind::Number) => {
                let text = std::str::from_utf8(value).unwrap_or_default();
                *numbers =
                    holding(*numbers, text).map_err(|expected| Misfit::new(expected, value, "Utf8"))?;
                Ok(())
            }
            (Values::Lists(_) | Values::Objects(_), Kind::List | Kind::Object) if depth >= MOST_DEPTH => {
                let expected = format!("values at most {MOST_DEPTH} deep in each other");
                Err(Misfit::new(expected, value, "Json"))
            }
            (Values::Lists(items), Kind::List) => items.add_items(&mut scanner, depth + 1),
            (Values::Objects(object), Kind::Object) => {
                let entries =
                    super::entries(&mut scanner).map_err(|_| Misfit::new("an object", value, "Json"))?;
                object.add(entries.into_iter(), depth + 1)
            }
            (values, _) => {
                let are_scalars = values.are_scalars() && !matches!(kind, Kind::List | Kind::Object);
                Err(Misfit::new(values.name(), value, if are_scalars { "Utf8" } else { "Json" }))
            }
        }
    }

    fn add_items(&mut self, scanner: &mut Scanner, depth: usize) -> Result<(), Misfit> {
        let broken = |_: Stop| Misfit::new("a list", b"a damaged one", "Json");
        let mut more = scanner.enter().map_err(broken)?;
        while more {
            let item = scanner.value().map_err(broken)?;
            self.add(scanner.slice(item), depth).map_err(Misfit::of_item)?;
            more = scanner.next(Kind::List).map_err(broken)?;
        }
        Ok(())
    }

    /// A field of the type that holds every value.
    fn field(&self, name: &str) -> Field {
        let data_type = match (&self.asked, &self.values) {
            (Asked::Nothing, _) => DataType::Null,
            (Asked::Typed(ColumnType::Json), _) => return json_field(name),
            (Asked::Typed(ColumnType::Arrow(data_type)), _) => data_type.clone(),
            (_, Values::Lists(items)) => DataType::List(Arc::new(items.field("item"))),
            (Asked::Within, Values::Objects(Object { met: 0, .. })) => DataType::Null,
            (Asked::Text, Values::Objects(Object { met: 0, .. })) => DataType::Utf8,
            (_, Values::Objects(Object { met: 0, .. })) => return Fits::ALL.field(name),
            (_, Values::Objects(object)) => {
                let wanted = object.fields().into_iter().filter(|field| !field.data_type().is_null());
                let fields: Vec<FieldRef> = wanted.map(Arc::new).collect();
                // An object without keys has no columns, and is not nothing.
                return fits::open(match fields.is_empty() {
                    true => json_field(name),
                    false => Field::new(name, DataType::Struct(fields.into()), true),
                });
            }
            (Asked::Text, _) => DataType::Utf8,
            (_, Values::None) => return Fits::ALL.field(name),
            (_, Values::Texts) => return Fits::TEXT.field(name),
            (_, Values::Booleans) => return Fits::BOOLEAN.field(name),
            (_, Values::Numbers(numbers)) => return numbers.field(name),
        };
        Field::new(name, data_type, true)
    }
}

impl Values {
    fn of(kind: Kind) -> Self {
        match kind {
            Kind::Null => Self::None,
            Kind::Boolean => Self::Booleans,
            Kind::Number => Self::Numbers(Fits::NUMBERS),
            Kind::Text => Self::Texts,
            Kind::List => Self::Lists(Box::default()),
            Kind::Object => Self::Objects(Object::new(true)),
        }
    }

    fn are_scalars(&self) -> bool {
        !matches!(self, Self::Lists(_) | Self::Objects(_))
    }

    fn name(&self) -> &'static str {
        match self {
            Self::None => "a value",
            Self::Booleans => Kind::Boolean.name(),
            Self::Numbers(_) => Kind::Number.name(),
            Self::Texts => Kind::Text.name(),
            Self::Lists(_) => Kind::List.name(),
            Self::Objects(_) => Kind::Object.name(),
        }
    }
}

/// The types that hold a number beside those that `before` hold; or what is wanted of it, if there is none.
fn holding(before: Fits, number: &str) -> Result<Fits, &'static str> {
    let found = numbers::fits(number);
    if numbers::is_whole(number) && !found.has_any(Fits::SIGNED.or(Fits::UNSIGNED)) {
        return Err("a whole number of at most 64 bits");
    }
    match before.and(found) {
        _ if found == Fits::NONE => Err("a number that a float64 can hold"),
        Fits::NONE if before == Fits::FLOAT || found == Fits::FLOAT => {
            Err("numbers that are whole, or that a float64 can all hold")
        }
        Fits::NONE => Err("whole numbers that fit into 64 bits, with a sign or without"),
        both => Ok(both),
    }
}
