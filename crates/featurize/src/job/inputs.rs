//! The input files of a job: found, opened, and none of them its output.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use arrow::datatypes::{Field, Fields, Schema};
use rayon::prelude::*;
use strata_bert::Features;
use strata_io::{
    Input, Notes, OutputFolder, OutputFormat, ReadOptions, Source, check_writable, find_as, is_address,
    is_pattern_input, partition_types, pattern_reaches, resolved, states_categories,
};

use crate::Error;
use crate::error::{Refusal, in_one_line};
use crate::job::input::JobInput;
use crate::job::reconcile::reconcile;
use crate::job::settings::Settings;

/// The files of a job.
pub struct Opened {
    pub inputs: Vec<JobInput>,
    /// Files that cannot be opened, by name, with the reason; none unless those are skipped.
    pub skipped: BTreeMap<String, String>,
    /// Names of files that hold nothing beside others that do.
    pub empty: BTreeSet<String>,
    /// Types of kept columns that follow from several files: from their paths, or where each has a type
    /// of its own. A file that is added may change them.
    pub types: BTreeMap<String, String>,
}

/// So many files are opened side by side.
const OPENED_AT_ONCE: usize = 64;

/// Finds and opens the input files.
///
/// # Errors
/// There are none, or the output is among them; one cannot be read, unless bad files are to be skipped;
/// they do not have the same columns.
pub fn open(settings: &Settings, features: &Features) -> Result<Opened, Error> {
    if !settings.writes_to_stdout() {
        refuse_output_among_inputs(settings, &[])?;
    }
    let mut sources = find_as(&settings.inputs, settings.text_formats.format, &settings.stores)?;
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
    let notes = if settings.writes_to_stdout() { Notes::default() } else { Notes::load(&settings.folder()?) };
    let (mut files, mut skipped) = (Vec::with_capacity(sources.len()), BTreeMap::new());
    // The first file in order that cannot be used is told, so that a group is opened whole.
    for group in sources.chunks(OPENED_AT_ONCE) {
        let open = |source: &Source| Input::open_noted(source.clone(), &options, &notes);
        let opened: Vec<_> = group.par_iter().map(open).collect();
        for (source, file) in group.iter().zip(opened) {
            files.push(match file {
                Err(error) if settings.on_bad_file.skips(&error) => {
                    skipped.insert(source.name.clone(), in_one_line(&error));
                    continue;
                }
                Err(error) if settings.reads_stdin && settings.text_formats.format.is_none() => {
                    return Err(no_arrow_stream(&error));
                }
                file => file?,
            });
        }
    }
    let mut empty = BTreeSet::new();
    if !files.iter().all(Input::holds_nothing) {
        let (nothing, rows): (Vec<_>, Vec<_>) = files.into_iter().partition(Input::holds_nothing);
        empty.extend(nothing.into_iter().map(|file| file.source.name));
        files = rows;
    }
    let (inputs, mut types) = reconcile(files, &wanted, &partitions, features)?;
    check_all_writable(&inputs, wanted.format)?;
    if !settings.writes_to_stdout() {
        inputs.iter().try_for_each(refuse_ordered_categories)?;
    }
    for input in &inputs {
        let in_path = input.columns.kept_fields().filter(|field| partitions.contains_key(field.name()));
        types.extend(in_path.map(|field| (field.name().clone(), field.data_type().to_string())));
    }
    Ok(Opened { inputs, skipped, empty, types })
}

/// Most files have the same columns, of which it is asked once.
fn check_all_writable(inputs: &[JobInput], format: OutputFormat) -> Result<(), Error> {
    let schemas = inputs.iter().map(|input| &input.columns.schema);
    let mut before: Option<&Fields> = None;
    for schema in schemas {
        if before.replace(schema.fields()) != Some(schema.fields()) {
            check_writable(schema, format)?;
        }
    }
    Ok(())
}

/// Parts gather categories in the order in which rows have them.
fn refuse_ordered_categories(input: &JobInput) -> Result<(), Refusal> {
    let kept = Schema::new(input.columns.kept_fields().cloned().collect::<Vec<_>>());
    let is_ordered = |field: &&Field| field.dict_is_ordered() == Some(true) && !states_categories(field);
    let Some(field) = kept.flattened_fields().into_iter().find(is_ordered) else { return Ok(()) };
    let (file, name) = (input.file.source.shown.display(), field.name());
    Err(Refusal::usage(format!(
        "the categories of column `{name}` of {file} are in an order, which an output would lose"
    ))
    .hint(format!("keep it as text (--schema '{name}=Utf8'), or leave it out (--keep)")))
}

/// stdin that is read as what it is unless something is said of it.
fn no_arrow_stream(error: &strata_io::Error) -> Error {
    let cause = std::error::Error::source(error).map_or_else(|| error.to_string(), in_one_line);
    Refusal::bad_data(format!("stdin is no Arrow IPC stream: {cause}"))
        .hint("say what it is with --input-format, such as jsonl or csv")
        .into()
}

/// The next run would read its own parts, which those of files that are not found yet may have any name of.
fn refuse_output_among_inputs(settings: &Settings, sources: &[Source]) -> Result<(), Error> {
    let output = resolved(&settings.output)?;
    let data = OutputFolder::new(&output).data();
    let refusal = |input: String| {
        Refusal::usage(format!("the output {} lies inside the input {input}", settings.output.display()))
            .hint("write to a folder outside the input")
    };
    let extension = settings.format.extension();
    let stems = sources.iter().map(Source::stem).chain(["part".to_owned()]);
    let parts: Vec<String> = stems.map(|stem| format!("{stem}-00000.{extension}")).collect();
    for input in &settings.inputs {
        let leads_there = match is_pattern_input(input) {
            true => parts.iter().any(|part| pattern_reaches(input, &data, part)),
            false => {
                (is_address(Path::new(input)) || Path::new(input).is_dir())
                    && output.starts_with(resolved(Path::new(input))?)
            }
        };
        if leads_there {
            let kind = if is_pattern_input(input) { "pattern" } else { "folder" };
            return Err(refusal(format!("{kind} {input}")).into());
        }
    }
    for source in sources {
        if source.real.starts_with(&output) {
            return Err(refusal(format!("files: {} is in it", source.path.display())).into());
        }
    }
    Ok(())
}
