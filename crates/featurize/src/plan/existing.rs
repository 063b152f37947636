//! An output folder as it is found, before anything is added to it.

use std::collections::{BTreeMap, HashSet};

use arrow::datatypes::{DataType, Fields};
use serde_json::Map;
use strata_io::{ErrorKind, Manifest, OutputFolder, PartFile, stray_parts, unknown_files};

use crate::Error;
use crate::error::Refusal;
use crate::plan::survey::{Consent, Survey};

/// Whether a manifest cannot be understood and may go.
pub fn may_go(error: &strata_io::Error, consent: Consent) -> bool {
    consent.overwrite && error.kind() == ErrorKind::Manifest
}

/// A folder without a manifest is ours only if it is empty, or if all it holds are parts of ours that
/// may go.
pub fn refuse_foreign_files(folder: &OutputFolder, consent: Consent) -> Result<(), Error> {
    if !folder.is_new()? {
        return Ok(());
    }
    let nothing = Manifest::new("", Map::new());
    let mut foreign = unknown_files(folder, &nothing)?;
    foreign.extend(folder.is_whole()?.then(|| folder.marker()));
    if consent.overwrite {
        let ours = stray_parts(folder, &nothing)?;
        foreign.retain(|path| *path != folder.marker() && !ours.contains(path));
    }
    let Some(path) = foreign.first() else { return Ok(()) };
    let name = path.strip_prefix(folder.root()).unwrap_or(path).display();
    Err(Refusal::configuration(format!(
        "{} is not empty and has no manifest: it holds `{name}`",
        folder.root().display()
    ))
    .hint("give an empty folder, or one that strata wrote")
    .into())
}

/// Refuses an output in which parts that stay, of inputs that are gone or cannot be read, would lie beside those of other
/// columns. One part is enough: what stays was held against each other when it was made.
pub fn refuse_mixed_columns(
    folder: &OutputFolder,
    manifest: &Manifest,
    survey: &Survey,
) -> Result<(), Error> {
    let Some(planned) = &survey.columns else { return Ok(()) };
    let inputs: HashSet<&String> = survey.names.iter().collect();
    let mut staying = manifest.parts.iter().filter(|(_, record)| !inputs.contains(&record.input));
    let part = staying.find_map(|(name, record)| {
        // What is not there, or damaged, is told of by whoever needs it.
        let part = PartFile::open_in(folder.store(), &folder.find_part(record.file_name(name))).ok()?;
        Some((&record.input, part.schema))
    });
    let Some((input, schema)) = part else { return Ok(()) };
    let of = |fields: &Fields| -> BTreeMap<String, String> {
        fields.iter().map(|field| (field.name().clone(), kind(field.data_type()))).collect()
    };
    let (before, now) = (of(schema.fields()), of(planned.fields()));
    let differs = |name: &&String| before.get(*name) != now.get(*name);
    let Some(name) = before.keys().chain(now.keys()).find(differs) else { return Ok(()) };
    let shown = |kind: Option<&String>| kind.map_or("missing", String::as_str).to_owned();
    Err(Refusal::bad_data(format!(
        "column `{name}` is {} in the parts of `{input}`, which is no longer among the inputs or cannot be read, and {} in \
         those that would lie beside them",
        shown(before.get(name)),
        shown(now.get(name)),
    ))
    .hint("give it the same type with --schema, remove parts of inputs that are gone with --prune, or write to another folder")
    .into())
}

/// A type by what values it has, however they lie in memory and whatever the elements of lists are called.
fn kind(data_type: &DataType) -> String {
    use DataType as D;
    match data_type {
        D::LargeUtf8 | D::Utf8View => D::Utf8.to_string(),
        D::LargeBinary | D::BinaryView => D::Binary.to_string(),
        // As Parquet keeps them.
        D::Interval(_) => D::FixedSizeBinary(12).to_string(),
        D::Dictionary(_, values) => kind(values),
        D::RunEndEncoded(_, values) => kind(values.data_type()),
        D::List(item) | D::LargeList(item) | D::ListView(item) | D::LargeListView(item) => {
            format!("a list of {}", kind(item.data_type()))
        }
        D::FixedSizeList(item, size) => format!("{size} times {}", kind(item.data_type())),
        // Keys and values, whatever these are called.
        D::Map(entries, _) => match entries.data_type() {
            D::Struct(fields) => {
                let kinds: Vec<String> = fields.iter().map(|field| kind(field.data_type())).collect();
                format!("a map of {}", kinds.join(" to "))
            }
            other => kind(other),
        },
        D::Struct(fields) => {
            let fields = fields.iter().map(|field| format!("{} {}", field.name(), kind(field.data_type())));
            format!("({})", fields.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}
