//! `strata inspect`: what an output folder holds.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use indicatif::{HumanBytes, HumanCount};
use serde_json::{Map, Value};
use strata_io::{Manifest, PartFile, SUCCESS_FILE, VectorSummary, is_vector};

use crate::console::{counted, print_result};
use crate::failure::Refusal;

/// Prints schema, provenance, counts, and a summary of every vector column.
///
/// # Errors
/// The folder is no output of strata, or a part cannot be read.
pub fn inspect(folder: &Path) -> anyhow::Result<()> {
    let manifest = Manifest::load(folder)?.ok_or_else(|| {
        Refusal::configuration(format!("{} holds no manifest.json", folder.display()))
            .hint("name a folder that `strata run` wrote")
    })?;
    let rows: u64 = manifest.parts.values().map(|part| part.output_rows).sum();
    let bytes: u64 = manifest.parts.values().map(|part| part.bytes).sum();
    let state =
        if folder.join(SUCCESS_FILE).exists() { "whole" } else { "not whole: run the same command again" };
    let mut out = String::new();
    writeln!(out, "{} ({state})", folder.display())?;
    writeln!(
        out,
        "{} rows in {} from {}, {}",
        HumanCount(rows),
        counted(manifest.parts.len(), "part"),
        counted(manifest.inputs.len(), "file"),
        HumanBytes(bytes)
    )?;
    writeln!(out, "\nprovenance")?;
    write_leaves(&mut out, "", &manifest.fingerprint)?;

    let mut summaries: BTreeMap<String, VectorSummary> = BTreeMap::new();
    for (index, name) in manifest.parts.keys().enumerate() {
        let part = PartFile::open(&folder.join(name))?;
        if index == 0 {
            writeln!(out, "\nschema")?;
            for field in part.schema.fields() {
                writeln!(out, "  {}: {}", field.name(), field.data_type())?;
            }
        }
        summarize(&part, &mut summaries)?;
    }
    writeln!(out, "\nvectors")?;
    writeln!(
        out,
        "  {:32} {:>10} {:>10} {:>11} {:>11} {:>8}",
        "column", "dimension", "mean norm", "smallest", "largest", "nulls"
    )?;
    for (name, summary) in &summaries {
        let shape: Vec<String> = summary.shape.iter().map(usize::to_string).collect();
        let figure = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"));
        writeln!(
            out,
            "  {name:32} {:>10} {:>10} {:>11} {:>11} {:>8}",
            shape.join("×"),
            figure(summary.mean_norm()),
            figure(summary.min.map(f64::from)),
            figure(summary.max.map(f64::from)),
            HumanCount(summary.nulls).to_string(),
        )?;
    }
    let broken = summaries.iter().filter(|(_, summary)| summary.non_finite > 0);
    for (index, (name, summary)) in broken.enumerate() {
        if index == 0 {
            writeln!(out, "\nvalues that are infinite or not a number")?;
        }
        writeln!(out, "  {name}: {}", HumanCount(summary.non_finite))?;
    }
    print_result(&out)
}

fn summarize(part: &PartFile, summaries: &mut BTreeMap<String, VectorSummary>) -> anyhow::Result<()> {
    let vectors = part.schema.fields().iter().filter(|field| is_vector(field.data_type()));
    // Columns that were carried through may be vectors too, but are not ours to summarize.
    let own = vectors.filter(|field| field.name().starts_with("layer") || field.name() == "pooler_output");
    let names: Vec<String> = own.map(|field| field.name().clone()).collect();
    for batch in part.read(&names, 0..part.rows)? {
        let batch = batch?;
        for (name, column) in names.iter().zip(batch.columns()) {
            summaries.entry(name.clone()).or_default().update(column)?;
        }
    }
    Ok(())
}

/// A line for every value that is not an object, under its dotted key.
fn write_leaves(out: &mut String, prefix: &str, object: &Map<String, Value>) -> std::fmt::Result {
    for (key, value) in object {
        match value {
            Value::Object(inner) => write_leaves(out, &format!("{prefix}{key}."), inner)?,
            Value::String(text) => writeln!(out, "  {prefix}{key}: {text}")?,
            other => writeln!(out, "  {prefix}{key}: {other}")?,
        }
    }
    Ok(())
}
