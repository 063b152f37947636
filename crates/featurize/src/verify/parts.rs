//! Files against the manifest.

use std::collections::BTreeMap;
use std::path::Path;

use arrow::datatypes::Field;
use rayon::prelude::*;
use serde_json::{Map, Value};
use strata_io::{
    Manifest, OutputFolder, PartFile, PartRecord, Stamp, Store, blake3_file_while, unknown_files,
    vector_shape,
};

use super::Problem;
use crate::Error;
use crate::error::in_one_line;
use crate::job::fingerprint::{present, provenance_of_part};
use crate::watch::{self, Watch};

/// Everything about the files of an output that is not as its manifest has it.
///
/// # Errors
/// The folder cannot be listed; the work is cancelled.
pub fn files(folder: &OutputFolder, manifest: &Manifest, watch: &dyn Watch) -> Result<Vec<Problem>, Error> {
    let parts: Vec<(&String, &PartRecord)> = manifest.parts.iter().collect();
    let stamps = folder.stamps()?;
    let checked = parts
        .into_par_iter()
        .map(|(name, record)| {
            let path = folder.find_part(record.file_name(name));
            let Some(stamp) = stamps.of(&path) else {
                return Ok((name, Found { problems: vec!["is missing".to_owned()], columns: None }));
            };
            let found = check_part(folder.store(), &path, stamp, record, manifest, watch)?;
            Ok((name, found))
        })
        .collect::<Result<Vec<_>, Error>>()?;

    let mut problems = Vec::new();
    let mut first: Option<(&String, Vec<String>)> = None;
    for (name, found) in checked {
        problems.extend(found.problems.into_iter().map(|problem| Problem::new(name, problem)));
        let Some(columns) = found.columns else { continue };
        match &first {
            Some((other, expected)) if *expected != columns => {
                problems.push(Problem::new(name, format!("has other columns than {other}")));
            }
            Some(_) => {}
            None => first = Some((name, columns)),
        }
    }
    problems.extend(gaps(manifest));
    problems.extend(strays(folder, manifest)?);
    problems.extend(
        manifest.skipped.iter().map(|(name, reason)| Problem::new(name, format!("was skipped: {reason}"))),
    );
    if !folder.is_whole()? {
        problems.push(Problem::new("_SUCCESS", "is missing: the output is not whole"));
    }
    Ok(problems)
}

/// What was found of one part.
#[derive(Default)]
struct Found {
    problems: Vec<String>,
    /// Names and types, if the part could be opened.
    columns: Option<Vec<String>>,
}

fn check_part(
    store: &Store,
    path: &Path,
    stamp: Stamp,
    record: &PartRecord,
    manifest: &Manifest,
    watch: &dyn Watch,
) -> Result<Found, Error> {
    let mut found = Found::default();
    if stamp.bytes != record.bytes {
        found.problems.push(format!("has {} bytes, expected {}", stamp.bytes, record.bytes));
    }
    let hash = blake3_file_while(store, path, || watch::check(watch))?;
    if hash != record.blake3 {
        found.problems.push(format!("its hash is {hash}, expected {}", record.blake3));
    }
    match PartFile::open_in(store, path) {
        Ok(part) => {
            if part.rows != record.output_rows {
                found.problems.push(format!("has {} rows, expected {}", part.rows, record.output_rows));
            }
            let content = manifest.inputs.get(&record.input).map(|input| &input.content);
            // Its own words, now.
            let fingerprint = present(&manifest.fingerprint, &manifest.fingerprint);
            let expected = provenance_of_part(&fingerprint, &record.input, content, record.rows)?;
            let stated = |provenance: &str| stated(provenance, &fingerprint);
            if part.provenance.as_deref().and_then(stated) != stated(&expected) {
                found.problems.push("its provenance is not that of the manifest".to_owned());
            }
            found.columns = Some(part.schema.fields().iter().map(|field| described(field)).collect());
        }
        Err(error) => found.problems.push(in_one_line(&error)),
    }
    Ok(found)
}

/// A column by what its values are. Whether the elements of vectors could be null was not always the same.
fn described(field: &Field) -> String {
    match vector_shape(field.data_type()) {
        Some((shape, dtype)) => format!("{} {shape:?} {dtype}", field.name()),
        None => format!("{} {}", field.name(), field.data_type()),
    }
}

fn stated(provenance: &str, fingerprint: &Map<String, Value>) -> Option<Map<String, Value>> {
    serde_json::from_str(provenance).ok().map(|stated| present(&stated, fingerprint))
}

/// Rows of input files that no part holds, or that two parts hold.
fn gaps(manifest: &Manifest) -> Vec<Problem> {
    let mut ranges: BTreeMap<&str, Vec<[u64; 2]>> = BTreeMap::new();
    for part in manifest.parts.values() {
        ranges.entry(&part.input).or_default().push(part.rows);
    }
    let mut problems = Vec::new();
    for (input, mut ranges) in ranges {
        ranges.sort_unstable();
        let end = manifest.inputs.get(input).map_or(0, |input| input.rows);
        let mut next = 0;
        for [first, last] in ranges.into_iter().chain([[end, end]]) {
            if first > next {
                problems.push(Problem::new(input, format!("rows {next}..{first} have no part")));
            } else if first < next {
                problems.push(Problem::new(
                    input,
                    format!("rows {first}..{next} are in two parts, or beyond its end"),
                ));
            }
            next = next.max(last);
        }
    }
    problems
}

fn strays(folder: &OutputFolder, manifest: &Manifest) -> Result<Vec<Problem>, Error> {
    let name = |path: &Path| path.strip_prefix(folder.root()).unwrap_or(path).display().to_string();
    let mut names: Vec<String> = unknown_files(folder, manifest)?.iter().map(|path| name(path)).collect();
    names.sort();
    Ok(names.into_iter().map(|name| Problem::new(name, "is not in the manifest")).collect())
}
