//! `strata serve`: a loaded model for the program that has started this one, over stdin and stdout.
//!
//! Either side says a line of JSON, which is followed by an Arrow IPC stream of as many `bytes` as it says. The first
//! line is that of a run's options.

use std::io::{self, BufRead, Read, Write};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, FixedSizeListArray, Float32Array, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, SchemaRef};
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use serde::Deserialize;
use serde_json::{Value, json};
use strata_bert::TextInput;
use strata_featurize::{Error, Refusal, TableFeaturizer};

use crate::console::failure;

/// What is wanted, of the table that follows.
#[derive(Deserialize)]
struct Request {
    what: What,
    /// What the table's first row is called in messages and in rows of units.
    #[serde(default)]
    first_row: u64,
    bytes: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum What {
    /// The schema of what comes of the table, which need not have rows.
    Schema,
    /// The kept columns and the vectors.
    Featurize,
    /// The vectors alone of one column of texts, or of pairs in two, not a number where there is none.
    Encode,
}

/// Answers until stdin ends.
///
/// # Errors
/// stdin or stdout break; what comes is no message. Whatever else goes wrong is an answer.
pub fn serve() -> anyhow::Result<()> {
    let (mut input, mut output) = (io::stdin().lock(), io::stdout().lock());
    let Some(options) = line(&mut input)? else { return Ok(()) };
    let (featurizer, remarks) =
        match crate::settings(&options).map_err(Error::from).and_then(TableFeaturizer::load) {
            Ok(loaded) => loaded,
            Err(error) => return answer(&mut output, refused(error.into()), &[]),
        };
    let columns = featurizer.encoder().features().columns().iter();
    let columns: Vec<_> = columns.map(|column| json!([column.name, column.shape])).collect();
    answer(&mut output, json!({"columns": columns, "remarks": remarks}), &[])?;
    while let Some(request) = line(&mut input)? {
        let request: Request = serde_json::from_str(&request)?;
        let mut table = vec![0; usize::try_from(request.bytes)?];
        input.read_exact(&mut table)?;
        match fulfil(&featurizer, &request, &table) {
            Ok(table) => answer(&mut output, json!({"bytes": table.len()}), &table)?,
            Err(error) => answer(&mut output, refused(error), &[])?,
        }
    }
    Ok(())
}

fn line(input: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = String::new();
    Ok((input.read_line(&mut line)? > 0).then_some(line))
}

fn answer(output: &mut impl Write, message: Value, table: &[u8]) -> anyhow::Result<()> {
    writeln!(output, "{message}")?;
    output.write_all(table)?;
    Ok(output.flush()?)
}

/// An error with the exit code that it would end a command with.
fn refused(error: anyhow::Error) -> Value {
    let refusal = failure::as_refusal(&error);
    json!({"error": {"code": failure::exit_code(&error), "message": refusal.to_string(), "hint": refusal.advice()}})
}

fn fulfil(featurizer: &TableFeaturizer, request: &Request, table: &[u8]) -> anyhow::Result<Vec<u8>> {
    let reader = StreamReader::try_new(table, None)?;
    let schema = reader.schema();
    let batches = reader.collect::<Result<Vec<_>, _>>()?;
    let table = concat_batches(&schema, &batches)?;
    let (schema, table): (SchemaRef, Option<RecordBatch>) = match request.what {
        What::Schema => (featurizer.schema(&schema)?, None),
        What::Featurize => {
            let table = featurizer.featurize(&table, request.first_row)?;
            (table.schema(), Some(table))
        }
        What::Encode => {
            let table = encode(featurizer, &table)?;
            (table.schema(), Some(table))
        }
    };
    let mut bytes = Vec::new();
    let mut writer = StreamWriter::try_new(&mut bytes, &schema)?;
    table.iter().try_for_each(|table| writer.write(table))?;
    writer.finish()?;
    drop(writer);
    Ok(bytes)
}

fn encode(featurizer: &TableFeaturizer, table: &RecordBatch) -> anyhow::Result<RecordBatch> {
    let no_texts = || Refusal::usage("expected columns of texts without nulls");
    let texts = table
        .columns()
        .iter()
        .map(|column| column.as_string_opt::<i32>().filter(|texts| texts.null_count() == 0));
    let texts: Vec<_> = texts.collect::<Option<_>>().ok_or_else(no_texts)?;
    let inputs: Vec<TextInput<'_>> = match texts[..] {
        [texts] => texts.iter().flatten().map(TextInput::from).collect(),
        [texts, pairs] => {
            let both = texts.iter().flatten().zip(pairs.iter().flatten());
            both.map(|(text, pair)| TextInput::Pair(text, pair)).collect()
        }
        _ => return Err(no_texts().into()),
    };
    let values = featurizer.values_while(&inputs, |_, _| Ok::<_, Error>(()))?;
    let columns = featurizer.encoder().features().columns().iter().zip(values).map(|(column, values)| {
        let element = Arc::new(Field::new("item", DataType::Float32, true));
        let width = i32::try_from(column.width())?;
        let lists = FixedSizeListArray::try_new(element, width, Arc::new(Float32Array::from(values)), None)?;
        Ok((column.name.clone(), Arc::new(lists) as ArrayRef))
    });
    Ok(RecordBatch::try_from_iter(columns.collect::<anyhow::Result<Vec<_>>>()?)?)
}
