//! Files against the manifest.

use std::collections::BTreeMap;
use std::path::Path;

use rayon::prelude::*;
use serde_json::Value;
use strata_io::{MANIFEST_FILE, Manifest, PartFile, PartRecord, SUCCESS_FILE, blake3_file_while};

use super::Problem;
use crate::Error;
use crate::error::in_one_line;
use crate::output::provenance;
use crate::watch::{self, Watch};

/// Everything about the files of an output that is not as its manifest has it.
///
/// # Errors
/// The folder cannot be listed; the work is cancelled.
pub fn files(folder: &Path, manifest: &Manifest, watch: &dyn Watch) -> Result<Vec<Problem>, Error> {
    let parts: Vec<(&String, &PartRecord)> = manifest.parts.iter().collect();
    let checked = parts
        .into_par_iter()
        .map(|(name, record)| {
            let found = check_part(&folder.join(name), record, manifest, watch)?;
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
    if !folder.join(SUCCESS_FILE).exists() {
        problems.push(Problem::new(SUCCESS_FILE, "is missing: the output is not whole"));
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
    path: &Path,
    record: &PartRecord,
    manifest: &Manifest,
    watch: &dyn Watch,
) -> Result<Found, Error> {
    let mut found = Found::default();
    let Ok(metadata) = fs_err::metadata(path) else {
        found.problems.push("is missing".to_owned());
        return Ok(found);
    };
    if metadata.len() != record.bytes {
        found.problems.push(format!("has {} bytes, expected {}", metadata.len(), record.bytes));
    }
    let hash = blake3_file_while(path, || watch::check(watch))?;
    if hash != record.blake3 {
        found.problems.push(format!("its hash is {hash}, expected {}", record.blake3));
    }
    match PartFile::open(path) {
        Ok(part) => {
            if part.rows != record.output_rows {
                found.problems.push(format!("has {} rows, expected {}", part.rows, record.output_rows));
            }
            let content = manifest.inputs.get(&record.input).map(|input| input.blake3.as_str());
            let expected = provenance(&manifest.fingerprint, &record.input, content, record.rows)?;
            if part.provenance.as_deref().map(as_json) != Some(as_json(&expected)) {
                found.problems.push("its provenance is not that of the manifest".to_owned());
            }
            let fields = part.schema.fields().iter();
            found.columns =
                Some(fields.map(|field| format!("{} {}", field.name(), field.data_type())).collect());
        }
        Err(error) => found.problems.push(in_one_line(&error)),
    }
    Ok(found)
}

fn as_json(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok()
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

fn strays(folder: &Path, manifest: &Manifest) -> Result<Vec<Problem>, Error> {
    let mut problems = Vec::new();
    for entry in fs_err::read_dir(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let known =
            [MANIFEST_FILE, SUCCESS_FILE].contains(&name.as_str()) || manifest.parts.contains_key(&name);
        if !known && !name.starts_with('.') {
            problems.push(Problem::new(name, "is not in the manifest"));
        }
    }
    problems.sort_by(|a, b| a.file.cmp(&b.file));
    Ok(problems)
}
