//! JSON Lines files: one object per line, a missing key is null.

use std::collections::HashMap;
use std::fmt;
use std::io::{self, BufRead};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::json::ReaderBuilder;
use arrow::json::reader::infer_json_schema;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};

use super::types::settle;
use super::{BATCH_ROWS, INFERENCE_ROWS, ReadOptions, Stream, decompress};
use crate::Source;
use crate::error::BoxError;

pub(super) fn infer_schema(source: &Source, options: &ReadOptions) -> Result<SchemaRef, BoxError> {
    let (schema, _) = infer_json_schema(decompress::open(source)?, Some(INFERENCE_ROWS))?;
    let order = key_order(decompress::open(source)?)?;
    let mut fields = schema.fields().to_vec();
    fields.sort_by_key(|field| order.get(field.name()));
    // Whoever gives a column a type knows that it comes in a later row.
    let later = options.types.iter().filter(|(name, _)| schema.index_of(name).is_err());
    fields.extend(later.map(|(name, data_type)| Arc::new(Field::new(name, data_type.clone(), true))));
    Ok(settle(Schema::new(fields), options))
}

/// Reads one null of a type.
pub(super) fn read_null(data_type: &DataType) -> Result<(), BoxError> {
    let schema = Schema::new(vec![Field::new("value", data_type.clone(), true)]);
    let mut decoder = builder(Arc::new(schema), 1).build_decoder()?;
    decoder.decode(b"{}\n")?;
    decoder.flush()?;
    Ok(())
}

/// The keys of the first objects, numbered as they appear; inference gives them by name.
fn key_order(bytes: impl BufRead) -> Result<HashMap<String, usize>, BoxError> {
    let mut order = HashMap::new();
    let is_blank = |line: &io::Result<String>| line.as_ref().is_ok_and(|line| line.trim().is_empty());
    for line in bytes.lines().filter(|line| !is_blank(line)).take(INFERENCE_ROWS) {
        for key in serde_json::from_str::<Keys>(&line?)?.0 {
            let next = order.len();
            order.entry(key).or_insert(next);
        }
    }
    Ok(order)
}

/// The keys of an object, in the order of the text.
struct Keys(Vec<String>);

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(KeysVisitor)
    }
}

struct KeysVisitor;

impl<'de> Visitor<'de> for KeysVisitor {
    type Value = Keys;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Keys, A::Error> {
        let mut keys = Vec::new();
        while let Some((key, IgnoredAny)) = map.next_entry()? {
            keys.push(key);
        }
        Ok(Keys(keys))
    }
}

/// Starts at row `first`; the objects before it are scanned, their values not kept.
pub(super) fn read(
    source: &Source,
    schema: &SchemaRef,
    columns: &[usize],
    first: u64,
) -> Result<Stream, BoxError> {
    let mut bytes = decompress::open(source)?;
    let skipped = skip(&mut bytes, first)?;
    let batches = builder(Arc::new(schema.project(columns)?), BATCH_ROWS).build(bytes)?;
    Ok(Stream { first: skipped, batches: Box::new(batches) })
}

/// Scans past `count` objects, or to the end of the file; returns how many there were.
fn skip(bytes: &mut impl BufRead, count: u64) -> Result<u64, BoxError> {
    let mut skipped = 0;
    while skipped < count {
        let rows = (count - skipped).min(BATCH_ROWS as u64) as usize;
        let nothing = Arc::new(Schema::empty());
        // A decoder reads no further than its batch, so the next one starts where it stopped.
        match builder(nothing, rows).build(&mut *bytes)?.next().transpose()? {
            Some(batch) => skipped += batch.num_rows() as u64,
            None => break,
        }
    }
    Ok(skipped)
}

/// Numbers and booleans in a text column are read as their text.
fn builder(schema: SchemaRef, batch_rows: usize) -> ReaderBuilder {
    ReaderBuilder::new(schema).with_batch_size(batch_rows).with_coerce_primitive(true)
}
