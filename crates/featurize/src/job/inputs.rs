//! The input files of a job, held against each other: parts of all of them have the same columns.

use std::collections::BTreeMap;
use std::path::Path;

use arrow::datatypes::{DataType, Field, FieldRef};
use strata_bert::Features;
use strata_io::{
    Input, Notes, ReadOptions, Source, common_field, find_as, is_pattern_input, partition_types,
    pattern_reaches, resolved,
};

use crate::Error;
use crate::error::{Refusal, in_one_line};
use crate::job::settings::Settings;
use crate::table::columns::{Columns, Wanted};

/// An input file and the columns of its parts.
pub struct JobInput {
    /// The file.
    pub file: Input,
    /// Its columns, and those of its parts.
    pub columns: Columns,
}

/// The files of a job.
pub struct Opened {
    pub inputs: Vec<JobInput>,
    /// Files that cannot be opened, by name, with the reason; none unless those are skipped.
    pub skipped: BTreeMap<String, String>,
    /// Types of kept columns that follow from several files: from their paths, or where each has a type
    /// of its own. A file that is added may change them.
    pub types: BTreeMap<String, String>,
}

/// Finds and opens the input files.
///
/// # Errors
/// There are none, or the output is among them; one cannot be read, unless bad files are to be skipped;
/// they do not have the same columns.
pub fn open(settings: &Settings, features: &Features) -> Result<Opened, Error> {
    let mut sources = find_as(&settings.inputs, settings.text_formats.format)?;
    if settings.reads_stdin {
        // A copy of it, of which nobody has heard.
        sources.iter_mut().for_each(|source| source.shown = "stdin".into());
    }
    if !settings.writes_to_stdout() {
        refuse_output_among_inputs(settings, &sources)?;
    }
    settings.text_formats.refuse_unused(&sources)?;
    let wanted = settings.wanted();
    let partitions = partition_types(&sources);
    let options = ReadOptions { partitions: partitions.clone(), ..settings.text_formats.options.clone() };
    let notes = Notes::load(&settings.output);
    let (mut inputs, mut skipped) = (Vec::new(), BTreeMap::new());
    for source in sources {
        let name = source.name.clone();
        let mut file = match Input::open_noted(source, &options, &notes) {
            Err(error) if settings.on_bad_file.skips(&error) => {
                skipped.insert(name, in_one_line(&error));
                continue;
            }
            Err(error) if settings.reads_stdin && settings.text_formats.format.is_none() => {
                return Err(no_arrow_stream(&error));
            }
            file => file?,
        };
        let columns = Columns::settle(&mut file, &wanted, features)?;
        inputs.push(JobInput { file, columns });
    }
    let mut types = reconcile(&mut inputs, &wanted, features)?;
    refuse_different_columns(&inputs)?;
    for input in &inputs {
        let in_path = input.columns.kept_fields().filter(|field| partitions.contains_key(field.name()));
        types.extend(in_path.map(|field| (field.name().clone(), field.data_type().to_string())));
    }
    Ok(Opened { inputs, skipped, types })
}

/// Gives a column that files have in different types one that keeps the values of all of them. Returns
/// those types.
fn reconcile(
    inputs: &mut [JobInput],
    wanted: &Wanted,
    features: &Features,
) -> Result<BTreeMap<String, String>, Error> {
    let mut types = BTreeMap::new();
    let names: Vec<String> = inputs
        .first()
        .into_iter()
        .flat_map(|input| input.columns.kept_fields().map(|f| f.name().clone()))
        .collect();
    for name in names {
        let Some(common) = common(inputs, &name)? else { continue };
        for JobInput { file, columns } in &mut *inputs {
            file.retype_field(&common)?;
            *columns = Columns::settle(file, wanted, features)?;
        }
        types.insert(name, common.data_type().to_string());
    }
    Ok(types)
}

/// The field that holds the values of a column of all files; none where all have the same type, or one
/// lacks the column.
fn common(inputs: &[JobInput], name: &str) -> Result<Option<Field>, Refusal> {
    let field = |input: &JobInput| input.columns.kept_fields().find(|field| field.name() == name).cloned();
    let Some(fields) = inputs.iter().map(field).collect::<Option<Vec<_>>>() else { return Ok(None) };
    if fields.iter().all(|field| is_same(field, &fields[0])) {
        return Ok(None);
    }
    // A column without a value may be of any type.
    let known = |(input, field): (&JobInput, &FieldRef)| match input.file.has_no_values(name) {
        true => field.as_ref().clone().with_data_type(DataType::Null),
        false => field.as_ref().clone(),
    };
    let fields: Vec<Field> = inputs.iter().zip(&fields).map(known).collect();
    let mut common = fields[0].clone();
    for (input, field) in inputs.iter().zip(&fields) {
        common = match common_field(&common, field) {
            Some(common) => common,
            None => {
                let (one, other) = (path(&inputs[0]), path(input));
                let (type_of_one, type_of_other) = (common.data_type(), field.data_type());
                return Err(Refusal::bad_data(format!(
                    "column `{name}` is {type_of_one} in {one} and {type_of_other} in {other}"
                ))
                .hint(format!("say what it is with --schema '{name}=Utf8', or leave it out with --keep")));
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
    one.data_type() == other.data_type() && meaning(one) == meaning(other)
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

/// stdin that is read as what it is unless something is said of it.
fn no_arrow_stream(error: &strata_io::Error) -> Error {
    let cause = std::error::Error::source(error).map_or_else(|| error.to_string(), in_one_line);
    Refusal::bad_data(format!("stdin is no Arrow IPC stream: {cause}"))
        .hint("say what it is with --input-format, such as jsonl or csv")
        .into()
}

/// The next run would read its own parts.
fn refuse_output_among_inputs(settings: &Settings, sources: &[Source]) -> Result<(), Error> {
    let output = resolved(&settings.output)?;
    let refusal = |input: String| {
        Refusal::usage(format!("the output {} lies inside the input {input}", settings.output.display()))
            .hint("write to a folder outside the input")
    };
    let extension = settings.format.extension();
    let parts: Vec<String> =
        sources.iter().map(|source| format!("{}-00000.{extension}", source.stem())).collect();
    for input in &settings.inputs {
        let leads_there = match is_pattern_input(input) {
            true => parts.iter().any(|part| pattern_reaches(input, &output, part)),
            false => Path::new(input).is_dir() && output.starts_with(resolved(Path::new(input))?),
        };
        if leads_there {
            let kind = if is_pattern_input(input) { "pattern" } else { "folder" };
            return Err(refusal(format!("{kind} {input}")).into());
        }
    }
    for source in sources {
        if resolved(&source.path)?.starts_with(&output) {
            return Err(refusal(format!("files: {} is in it", source.path.display())).into());
        }
    }
    Ok(())
}
