//! The options about the formats of input files, and about CSV, JSON and plain text, which say less of
//! themselves than others.

use std::collections::BTreeMap;

use encoding_rs::{Encoding, UTF_8};
use serde_json::{Map, Value, json};
use strata_io::{ColumnType, CsvDialect, Format, ReadOptions, Source};

use crate::error::Refusal;

/// How text formats are read.
#[derive(Debug, Clone)]
pub struct TextFormats {
    /// What readers are told.
    pub options: ReadOptions,
    /// What every input is, whatever its extension.
    pub format: Option<Format>,
    /// The options that the user gave and that are about some formats alone.
    given: Vec<(&'static str, About)>,
}

/// What an option is about.
#[derive(Debug, Clone, Copy)]
enum About {
    Csv,
    Text,
    Parquet,
}

/// What the user said.
#[derive(Debug, Default)]
pub struct Asked {
    /// Types of columns.
    pub schema: Vec<(String, ColumnType)>,
    /// What stands between fields of CSV.
    pub csv_delimiter: Option<u8>,
    /// Whether CSV begins with the names of its columns.
    pub csv_header: Option<bool>,
    /// What stands around fields of CSV, or that nothing does.
    pub csv_quote: Option<Option<u8>>,
    /// What stands before a character of CSV that would mean something otherwise, or that nothing does.
    pub csv_escape: Option<Option<u8>>,
    /// What every input is.
    pub format: Option<Format>,
    /// How text formats are encoded.
    pub encoding: Option<&'static Encoding>,
    /// Whether binary columns of Parquet are text.
    pub binary_as_text: Option<bool>,
}

/// What `--input-format` may say.
pub const FORMATS: [(&str, Format); 7] = [
    ("parquet", Format::Parquet),
    // Which of the two Arrow layouts it is, the first bytes say.
    ("arrow", Format::ArrowFile),
    ("csv", Format::Csv),
    ("tsv", Format::Tsv),
    ("jsonl", Format::Json),
    ("json", Format::Json),
    ("txt", Format::Text),
];

/// JSON is kept as it is written: of a text with its quotes and escapes.
fn refuse_json_to_encode(schema: &[(String, ColumnType)], text_columns: &[String]) -> Result<(), Refusal> {
    let is_json = |(name, given): &&(String, ColumnType)| {
        matches!(given, ColumnType::Json) && text_columns.contains(name)
    };
    let Some((name, _)) = schema.iter().find(is_json) else { return Ok(()) };
    Err(Refusal::usage(format!(
        "--schema '{name}=Json': `{name}` is encoded, and its texts would be JSON, quotes and escapes included"
    ))
    .hint("leave the type out, and mend or remove the rows that hold no text"))
}

/// How text formats are read; `text_columns` are text if nothing else is said of them, and of columns
/// that are not `needed` nothing is found out.
///
/// # Errors
/// A type that does not exist, or two of one column; JSON that would be encoded; characters that cannot divide fields.
pub fn settle(
    asked: Asked,
    text_columns: Vec<String>,
    needed: Option<Vec<String>>,
) -> Result<TextFormats, Refusal> {
    let Asked { schema, csv_delimiter, csv_header, csv_quote, csv_escape, format, encoding, binary_as_text } =
        asked;
    refuse_json_to_encode(&schema, &text_columns)?;
    let all = [
        ("--csv-delimiter", About::Csv, csv_delimiter.is_some()),
        ("--csv-header", About::Csv, csv_header.is_some()),
        ("--csv-quote", About::Csv, csv_quote.is_some()),
        ("--csv-escape", About::Csv, csv_escape.is_some()),
        ("--encoding", About::Text, encoding.is_some()),
        ("--binary-as-text", About::Parquet, binary_as_text == Some(true)),
    ];
    let usual = CsvDialect::default();
    let (quote, escape) = (csv_quote.unwrap_or(usual.quote), csv_escape.unwrap_or(usual.escape));
    let clashes = |byte: u8| csv_delimiter.map_or(b",\t".contains(&byte), |delimiter| delimiter == byte);
    for (option, byte) in [("--csv-quote", quote), ("--csv-escape", escape)] {
        if let Some(byte) = byte.filter(|byte| clashes(*byte)) {
            let character = char::from(byte).escape_default();
            let message = format!("{option}: `{character}` is what stands between fields");
            return Err(Refusal::usage(message).hint(format!("give another, or say {option} none")));
        }
    }
    Ok(TextFormats {
        options: ReadOptions {
            types: types(schema)?,
            text_columns,
            needed,
            csv: CsvDialect {
                delimiter: csv_delimiter,
                header: csv_header.unwrap_or(usual.header),
                quote,
                escape,
            },
            encoding: encoding.filter(|encoding| *encoding != UTF_8),
            binary_as_text: binary_as_text.unwrap_or(false),
            partitions: BTreeMap::new(),
        },
        format,
        given: all
            .into_iter()
            .filter(|&(.., given)| given)
            .map(|(option, about, _)| (option, about))
            .collect(),
    })
}

impl TextFormats {
    /// Refuses options that are about none of the inputs.
    ///
    /// # Errors
    /// The first such option.
    pub fn refuse_unused(&self, inputs: &[Source]) -> Result<(), Refusal> {
        let is_csv = |input: &Source| matches!(input.format, Format::Csv | Format::Tsv);
        let is_text = |input: &Source| is_csv(input) || matches!(input.format, Format::Json | Format::Text);
        for &(option, about) in &self.given {
            let (about_some, formats) = match about {
                About::Csv => (inputs.iter().any(is_csv), "CSV or TSV"),
                About::Text => (inputs.iter().any(is_text), "CSV, TSV, JSON or text"),
                About::Parquet => (inputs.iter().any(|input| input.format == Format::Parquet), "Parquet"),
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
        // The types of the columns in paths are stated where such columns are kept.
        let ReadOptions { types, text_columns: _, needed: _, csv, encoding, binary_as_text, partitions: _ } =
            &self.options;
        let CsvDialect { delimiter, header, quote, escape } = *csv;
        let character = |byte: u8| json!(char::from(byte).to_string());
        let usual = CsvDialect::default();
        let types: BTreeMap<_, _> = types.iter().map(|(name, found)| (name, found.to_string())).collect();
        let entries = [
            ("schema", (!types.is_empty()).then(|| json!(types))),
            ("csv_delimiter", delimiter.map(character)),
            ("csv_header", (header != usual.header).then(|| json!("no"))),
            ("csv_quote", (quote != usual.quote).then(|| quote.map_or(json!("none"), character))),
            ("binary_as_text", binary_as_text.then(|| json!(true))),
            ("csv_escape", escape.map(character)),
            ("encoding", encoding.map(|encoding| json!(encoding.name()))),
            ("input_format", self.format.map(|format| json!(format_name(format)))),
        ];
        entries.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
    }
}

fn format_name(format: Format) -> &'static str {
    FORMATS.iter().find(|(_, found)| *found == format).map_or("arrow", |(name, _)| name)
}

fn types(entries: Vec<(String, ColumnType)>) -> Result<BTreeMap<String, ColumnType>, Refusal> {
    let mut types = BTreeMap::new();
    for (column, data_type) in entries {
        if types.contains_key(&column) {
            return Err(Refusal::usage(format!("--schema: column `{column}` has two types, expected one")));
        }
        types.insert(column, data_type);
    }
    Ok(types)
}
