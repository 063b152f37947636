//! `strata inspect`: what an output folder holds.

use std::fmt::Write;

use indicatif::{HumanBytes, HumanCount};
use serde_json::{Map, Value};
use strata_featurize::{Inspection, OutputColumn, Vectors};

use crate::console::{counted, print_result};
use crate::options::cli::InspectArguments;

/// Prints schema, provenance, counts, and a summary of every vector column.
///
/// # Errors
/// The folder is no output of strata, or a part cannot be read.
pub fn inspect(arguments: &InspectArguments) -> anyhow::Result<()> {
    let inspection = Inspection::take(&arguments.folder, &arguments.storage.stores()?)?;
    print_result(&if arguments.json {
        serde_json::to_string_pretty(&inspection)? + "\n"
    } else {
        text(&inspection)?
    })
}

fn text(inspection: &Inspection) -> Result<String, std::fmt::Error> {
    let Inspection { folder, is_whole, rows, parts, files, bytes, provenance, schema, vectors } = inspection;
    let state = if *is_whole { "whole" } else { "not whole: run the same command again" };
    let mut out = String::new();
    writeln!(out, "{folder} ({state})")?;
    writeln!(
        out,
        "{} rows in {} from {}, {}",
        HumanCount(*rows),
        counted(*parts, "part"),
        counted(*files, "file"),
        HumanBytes(*bytes)
    )?;
    writeln!(out, "\nprovenance")?;
    write_leaves(&mut out, "", provenance)?;
    if !schema.is_empty() {
        writeln!(out, "\nschema")?;
        schema
            .iter()
            .try_for_each(|OutputColumn { name, data_type }| writeln!(out, "  {name}: {data_type}"))?;
    }
    writeln!(out, "\nvectors")?;
    writeln!(
        out,
        "  {:32} {:>10} {:>10} {:>11} {:>11} {:>8}",
        "column", "dimension", "mean norm", "smallest", "largest", "nulls"
    )?;
    for (name, Vectors { shape, mean_norm, min, max, nulls, .. }) in vectors {
        let shape: Vec<String> = shape.iter().map(usize::to_string).collect();
        let figure = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"));
        writeln!(
            out,
            "  {name:32} {:>10} {:>10} {:>11} {:>11} {:>8}",
            shape.join("×"),
            figure(*mean_norm),
            figure(min.map(f64::from)),
            figure(max.map(f64::from)),
            HumanCount(*nulls).to_string(),
        )?;
    }
    let broken = vectors.iter().filter(|(_, vectors)| vectors.non_finite > 0);
    for (index, (name, vectors)) in broken.enumerate() {
        if index == 0 {
            writeln!(out, "\nvalues that are infinite or not a number")?;
        }
        writeln!(out, "  {name}: {}", HumanCount(vectors.non_finite))?;
    }
    Ok(out)
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
