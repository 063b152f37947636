//! Input files held against each other: parts of all of them have the same columns.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use arrow::datatypes::{DataType, Field, FieldRef};
use strata_bert::Features;
use strata_io::{Input, common_field};

use crate::Error;
use crate::error::Refusal;
use crate::job::input::JobInput;
use crate::table::columns::{Columns, Wanted};
use crate::table::keep::Keep;

/// Gives files the same columns: a key that some files of JSON lack, and of a column that files have in
/// different types one that keeps the values of all of them. Returns the files, and the types that no file
/// alone decides.
///
/// # Errors
/// A file lacks a column of others; types have none in common.
pub fn reconcile(
    mut files: Vec<Input>,
    wanted: &Wanted,
    partitions: &BTreeMap<String, DataType>,
    features: &Features,
) -> Result<(Vec<JobInput>, BTreeMap<String, String>), Error> {
    let added = add_missing_keys(&mut files, wanted, partitions);
    let mut inputs = Vec::with_capacity(files.len());
    for mut file in files {
        let columns = Columns::settle(&mut file, wanted, features)?;
        inputs.push(JobInput { file, columns });
    }
    let first = inputs.first().map(|input| &input.columns);
    let names = first.into_iter().flat_map(Columns::kept_fields).map(|field| field.name().clone());
    let mut types = BTreeMap::new();
    for name in names.collect::<Vec<_>>() {
        let Some(common) = common(&inputs, &name, added.contains(&name))? else { continue };
        for JobInput { file, columns } in &mut inputs {
            file.retype_field(&common)?;
            *columns = Columns::settle(file, wanted, features)?;
        }
        types.insert(name, common.data_type().to_string());
    }
    refuse_different_columns(&inputs)?;
    Ok((inputs, types))
}

/// Gives files of JSON the kept columns that others have, as keys that none of their objects has. Returns
/// their names.
fn add_missing_keys(
    files: &mut [Input],
    wanted: &Wanted,
    partitions: &BTreeMap<String, DataType>,
) -> BTreeSet<String> {
    let encoded: Vec<&str> = wanted.subject.columns().into_iter().map(|(_, name)| name).collect();
    let mut names: Vec<String> = match &wanted.keep {
        Keep::All => files.iter().flat_map(|file| file.schema.fields()).map(|f| f.name().clone()).collect(),
        Keep::None => Vec::new(),
        Keep::Columns(names) => names.clone(),
    };
    let mut seen = HashSet::new();
    names.retain(|name| {
        let is_known = encoded.contains(&name.as_str()) || partitions.contains_key(name);
        !is_known && seen.insert(name.clone()) && files.iter().any(|file| file.field(name).is_some())
    });
    let mut added = BTreeSet::new();
    for file in files.iter_mut().filter(|file| file.may_lack_columns()) {
        for name in &names {
            if file.field(name).is_none() {
                file.add_nulls(name);
                added.insert(name.clone());
            }
        }
    }
    added
}

/// The field that holds the values of a column of all files; none where all have the same type and had the
/// column before it was `added`, or one lacks the column.
fn common(inputs: &[JobInput], name: &str, added: bool) -> Result<Option<Field>, Refusal> {
    let field = |input: &JobInput| input.columns.kept_fields().find(|field| field.name() == name).cloned();
    let Some(fields) = inputs.iter().map(field).collect::<Option<Vec<_>>>() else { return Ok(None) };
    if !added && fields.iter().all(|field| is_same(field, &fields[0])) {
        return Ok(None);
    }
    let known = |(input, field): (&JobInput, &FieldRef)| {
        input.file.found_field(name).unwrap_or_else(|| field.as_ref().clone())
    };
    let fields: Vec<Field> = inputs.iter().zip(&fields).map(known).collect();
    let mut common = fields[0].clone();
    for (input, field) in inputs.iter().zip(&fields) {
        common = match common_field(&common, field) {
            Some(common) => common,
            None => {
                let (one, other) = (path(&inputs[0]), path(input));
                let (type_of_one, type_of_other) = (common.data_type(), field.data_type());
                let any = if type_of_one.is_nested() || type_of_other.is_nested() { "Json" } else { "Utf8" };
                return Err(Refusal::bad_data(format!(
                    "column `{name}` is {type_of_one} in {one} and {type_of_other} in {other}"
                ))
                .hint(format!("say what it is with --schema '{name}={any}', or leave it out with --keep")));
            }
        };
    }
    Ok(Some(common))
}

/// Whether two fields hold the same kind of values.
fn is_same(one: &Field, other: &Field) -> bool {
    let meaning = |field: &Field| -> Vec<(String, String)> {
        let entries = field.metadata().iter().filter(|(key, _)| !key.ends_with("field_id"));
        entries.map(|(key, value)| (key.clone(), value.clone())).collect()
    };
    one == other || one.data_type() == other.data_type() && meaning(one) == meaning(other)
}

fn refuse_different_columns(inputs: &[JobInput]) -> Result<(), Refusal> {
    let Some((first, others)) = inputs.split_first() else { return Ok(()) };
    for other in others {
        if let Err(column) = other.columns.agrees_with(&first.columns) {
            return Err(Refusal::bad_data(format!(
                "{} and {} do not have the same columns: only one of them has {column}",
                path(first),
                path(other)
            ))
            .hint("keep only columns that all files share, with --keep"));
        }
    }
    Ok(())
}

fn path(input: &JobInput) -> std::path::Display<'_> {
    input.file.source.shown.display()
}
