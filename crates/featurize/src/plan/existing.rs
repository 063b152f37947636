//! An output folder as it is found, before anything is added to it.

use std::collections::BTreeSet;

use arrow::datatypes::Field;
use serde_json::Map;
use strata_io::{ErrorKind, Manifest, OutputFolder, PartFile, stray_parts, unknown_files, vector_shape};

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

/// The columns of a part, by what their values are.
pub fn columns_of(part: &PartFile) -> Vec<String> {
    part.schema.fields().iter().map(|field| described(field)).collect()
}

/// Whether the elements of vectors could be null was not always the same.
fn described(field: &Field) -> String {
    match vector_shape(field.data_type()) {
        Some((shape, dtype)) => format!("{} {shape:?} {dtype}", field.name()),
        None => format!("{} {}", field.name(), field.data_type()),
    }
}

/// Refuses an output in which parts of an input that is gone have other columns than those of one that is there.
pub fn refuse_mixed_columns(
    folder: &OutputFolder,
    manifest: &Manifest,
    survey: &Survey,
) -> Result<(), Error> {
    let gone = survey.vanished(manifest);
    let part = |is_gone: bool| {
        let (name, record) =
            manifest.parts.iter().find(|(_, record)| gone.contains(&record.input) == is_gone)?;
        // What is not there, or damaged, is told of by whoever needs it.
        let part = PartFile::open_in(folder.store(), &folder.find_part(record.file_name(name))).ok()?;
        Some((&record.input, BTreeSet::from_iter(columns_of(&part))))
    };
    let (Some((gone, before)), Some((input, now))) = (part(true), part(false)) else { return Ok(()) };
    let Some(column) = before.symmetric_difference(&now).next() else { return Ok(()) };
    Err(Refusal::bad_data(format!(
        "parts of `{gone}`, which is no longer among the inputs, and of `{input}` have other columns: only one of them \
         has {column}"
    ))
    .hint("remove those of inputs that are gone with --prune, or write to another folder")
    .into())
}
