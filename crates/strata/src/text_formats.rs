//! The options about CSV and JSON Lines files, which say less of themselves than other formats.

use std::collections::BTreeMap;

use arrow::datatypes::DataType;
use serde_json::{Map, Value, json};
use strata_io::{CsvDialect, Format, ReadOptions, Source};

use crate::failure::Refusal;
use crate::settings::{one_of, parse};

/// How text formats are read.
#[derive(Debug, Clone)]
pub struct TextFormats {
    pub options: ReadOptions,
    /// The options that the user gave, each with whether it is about CSV alone.
    given: Vec<(&'static str, bool)>,
}

/// What the user said.
pub struct Asked {
    pub schema: Option<Vec<String>>,
    pub csv_delimiter: Option<String>,
    pub csv_header: Option<String>,
    pub csv_quote: Option<String>,
}

/// How text formats are read; `text_columns` are text if nothing else is said of them.
///
/// # Errors
/// A type that does not exist, or two of one column; characters that cannot divide fields.
pub fn settle(asked: Asked, text_columns: Vec<String>) -> Result<TextFormats, Refusal> {
    let Asked { schema, csv_delimiter, csv_header, csv_quote } = asked;
    let all = [
        ("--schema", false, schema.is_some()),
        ("--csv-delimiter", true, csv_delimiter.is_some()),
        ("--csv-header", true, csv_header.is_some()),
        ("--csv-quote", true, csv_quote.is_some()),
    ];
    let delimiter = csv_delimiter.map(|text| parse("--csv-delimiter", &text, delimiter)).transpose()?;
    let quote = parse("--csv-quote", csv_quote.as_deref().unwrap_or("\""), quote)?;
    let clashes = |quote: u8| delimiter.map_or(b",\t".contains(&quote), |delimiter| delimiter == quote);
    if let Some(quote) = quote.filter(|quote| clashes(*quote)) {
        let message =
            format!("--csv-quote: `{}` is what stands between fields", char::from(quote).escape_default());
        return Err(Refusal::usage(message).hint("give another, or say --csv-quote none"));
    }
    let header = parse(
        "--csv-header",
        csv_header.as_deref().unwrap_or("yes"),
        one_of(&[("yes", true), ("no", false)]),
    )?;
    Ok(TextFormats {
        options: ReadOptions {
            types: types(schema.unwrap_or_default())?,
            text_columns,
            csv: CsvDialect { delimiter, header, quote },
        },
        given: all.into_iter().filter(|&(.., given)| given).map(|(option, csv, _)| (option, csv)).collect(),
    })
}

impl TextFormats {
    /// Refuses options that are about none of the inputs.
    ///
    /// # Errors
    /// The first such option.
    pub fn refuse_unused(&self, inputs: &[Source]) -> Result<(), Refusal> {
        let is_csv = |input: &Source| matches!(input.format, Format::Csv | Format::Tsv);
        let is_text = |input: &Source| is_csv(input) || input.format == Format::Jsonl;
        for &(option, csv_alone) in &self.given {
            let (about_some, formats) = match csv_alone {
                true => (inputs.iter().any(is_csv), "CSV or TSV"),
                false => (inputs.iter().any(is_text), "CSV, TSV or JSON Lines"),
            };
            if !about_some {
                return Err(Refusal::usage(format!("{option} is given, but no input is a {formats} file"))
                    .hint("leave it out; other formats say such things themselves"));
            }
        }
        Ok(())
    }

    /// What was said and decides values, under the keys of a fingerprint; nothing if nothing was said.
    pub fn stated(&self) -> Map<String, Value> {
        let ReadOptions { types, text_columns: _, csv } = &self.options;
        let CsvDialect { delimiter, header, quote } = *csv;
        let character = |byte: u8| json!(char::from(byte).to_string());
        let usual = CsvDialect::default();
        let types: BTreeMap<_, _> = types.iter().map(|(name, found)| (name, found.to_string())).collect();
        let entries = [
            ("schema", (!types.is_empty()).then(|| json!(types))),
            ("csv_delimiter", delimiter.map(character)),
            ("csv_header", (header != usual.header).then(|| json!("no"))),
            ("csv_quote", (quote != usual.quote).then(|| quote.map_or(json!("none"), character))),
        ];
        entries.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
    }
}

fn types(entries: Vec<String>) -> Result<BTreeMap<String, DataType>, Refusal> {
    let mut types = BTreeMap::new();
    for entry in entries {
        let (column, data_type) = parse("--schema", &entry, column_type)?;
        if types.insert(column.clone(), data_type).is_some() {
            return Err(Refusal::usage(format!("--schema: column `{column}` has two types, expected one")));
        }
    }
    Ok(types)
}

/// `zip=Utf8`: the name ends at the last `=`, which hardly any type has.
fn column_type(entry: &str) -> Result<(String, DataType), String> {
    let (column, name) = entry
        .rsplit_once('=')
        .filter(|(column, _)| !column.is_empty())
        .ok_or_else(|| format!("`{entry}` is no type of a column; expected COLUMN=TYPE, such as zip=Utf8"))?;
    let data_type = name.parse().map_err(|_| {
        format!(
            "`{name}` of column `{column}` is not a type; expected one such as Utf8, Int64, Float64, \
             Boolean, Date32, Timestamp(ms) or List(Utf8)"
        )
    })?;
    Ok((column.to_owned(), data_type))
}

fn delimiter(text: &str) -> Result<u8, String> {
    match text {
        "tab" | "\\t" => Ok(b'\t'),
        text => character(text, "tab"),
    }
}

fn quote(text: &str) -> Result<Option<u8>, String> {
    match text {
        "none" => Ok(None),
        text => character(text, "none").map(Some),
    }
}

fn character(text: &str, word: &str) -> Result<u8, String> {
    match text.as_bytes() {
        [byte] if byte.is_ascii() && !b"\n\r".contains(byte) => Ok(*byte),
        _ => Err(format!(
            "`{}` cannot be used; expected one ASCII character, or `{word}`",
            text.escape_debug()
        )),
    }
}
