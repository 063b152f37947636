//! What was found in a text file, noted so that it is not looked for again.

use std::fmt::Write;
use std::sync::Arc;

use arrow::datatypes::Schema;
use arrow::ipc::convert::{IpcSchemaEncoder, try_fb_to_schema};
use arrow::ipc::root_as_schema;
use serde::{Deserialize, Serialize};

use super::ReadOptions;
use super::text::Opened;
use crate::{Notes, Source, Stamp};

#[derive(Serialize, Deserialize)]
struct Table {
    /// By which rules it was found.
    rules: String,
    /// As Arrow writes a schema, in hexadecimal.
    schema: String,
    rows: Option<u64>,
}

pub(super) fn recall(source: &Source, options: &ReadOptions, notes: &Notes) -> Option<Opened> {
    let table: Table = serde_json::from_str(notes.table_of(&source.path, &source.stamp().ok()?)?).ok()?;
    let schema = schema(&table.schema).filter(|_| table.rules == rules(source, options))?;
    Some(Opened { schema: Arc::new(schema), rows: table.rows })
}

pub(super) fn remember(
    source: &Source,
    options: &ReadOptions,
    opened: &Opened,
    stamp: Stamp,
    notes: &mut Notes,
) {
    let bytes = IpcSchemaEncoder::new().schema_to_fb(&opened.schema);
    let mut schema = String::new();
    for byte in bytes.finished_data() {
        // Writing to a string does not fail.
        let _ = write!(schema, "{byte:02x}");
    }
    let table = Table { rules: rules(source, options), schema, rows: opened.rows };
    if let Ok(table) = serde_json::to_string(&table) {
        notes.note_table(&source.path, stamp, table);
    }
}

/// Another version may find other types.
fn rules(source: &Source, options: &ReadOptions) -> String {
    let Source { format, compression, .. } = source;
    // What stands in paths is in no file.
    let options = ReadOptions { partitions: Default::default(), ..options.clone() };
    let said = format!("{} {format:?} {compression:?} {options:?}", env!("CARGO_PKG_VERSION"));
    blake3::hash(said.as_bytes()).to_hex().to_string()
}

fn schema(hexadecimal: &str) -> Option<Schema> {
    let byte = |at| u8::from_str_radix(hexadecimal.get(at..at + 2)?, 16).ok();
    let bytes: Vec<u8> = (0..hexadecimal.len()).step_by(2).map(byte).collect::<Option<_>>()?;
    try_fb_to_schema(root_as_schema(&bytes).ok()?).ok()
}
