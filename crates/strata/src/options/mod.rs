//! The options of a run, as the command line and the TOML file state them: one list for both.
//!
//! An option's clap id is its dotted TOML key, so the two cannot drift apart.

pub mod cli;
mod settings;
mod toml_values;

use std::path::Path;

use anyhow::Context;
use clap::{Args, CommandFactory};
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use strata_featurize::Refusal;

use cli::Cli;
use toml_values::{comma_list, one_or_many, table_or_many, yes_or_no};

/// Every option; absent where the user says nothing.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize)]
#[serde(default)]
pub struct Options {
    #[command(flatten)]
    pub input: InputOptions,
    #[command(flatten)]
    pub model: ModelOptions,
    #[command(flatten)]
    pub features: FeatureOptions,
    #[command(flatten)]
    pub output: OutputOptions,
    #[command(flatten)]
    pub run: RunOptions,
}

#[derive(Debug, Clone, Default, Args, Serialize, Deserialize)]
#[serde(default)]
#[command(next_help_heading = "Input")]
pub struct InputOptions {
    /// Files, folders or quoted patterns: Parquet, Arrow IPC, CSV, JSON, lines of text; - for stdin, an
    /// Arrow IPC stream if --input-format says nothing else.
    #[arg(id = "input.paths", long = "input", value_name = "PATH", num_args = 1..)]
    #[serde(deserialize_with = "one_or_many")]
    pub paths: Option<Vec<String>>,
    /// What the inputs are, whatever their extension: parquet, arrow, csv, tsv, jsonl, json or txt
    /// [default: by the extension].
    #[arg(id = "input.format", long = "input-format", value_name = "FORMAT")]
    pub format: Option<String>,
    /// How CSV, JSON and text files are encoded: utf-8, latin1, utf-16, shift_jis and so on, by the
    /// names of the web [default: utf-8].
    #[arg(id = "input.encoding", long = "encoding", value_name = "NAME")]
    pub encoding: Option<String>,
    /// The text column, or a field of a struct as data.text [default: text].
    #[arg(id = "input.text", long = "text", value_name = "COLUMN")]
    pub text: Option<String>,
    /// A second text column: the model sees both texts of a row together.
    #[arg(id = "input.text_pair", long = "text-pair", value_name = "COLUMN")]
    pub text_pair: Option<String>,
    /// The column of the spans that --unit span is about: structs with start and end, in characters,
    /// or lists of such; what else they hold is carried along.
    #[arg(id = "input.spans", long = "spans", value_name = "COLUMN")]
    pub spans: Option<String>,
    /// Input columns to carry through: all, none, or names separated by commas [default: all for rows,
    /// none for tokens, words and spans].
    #[arg(id = "input.keep", long = "keep", value_name = "COLUMNS")]
    #[serde(deserialize_with = "comma_list")]
    pub keep: Option<String>,
    /// Types of columns, in place of those of the file, or those that hold all values of a CSV or JSON
    /// file: zip=Utf8 'day=Timestamp(ms)' 'words=List(Utf8)', or Json for values of any kind.
    #[arg(id = "input.schema", long = "schema", value_name = "COLUMN=TYPE", num_args = 1..)]
    #[serde(deserialize_with = "table_or_many")]
    pub schema: Option<Vec<String>>,
    /// What stands between the fields of CSV and TSV files: a character, or tab [default: comma or tab,
    /// by the extension].
    #[arg(id = "input.csv_delimiter", long = "csv-delimiter", value_name = "C")]
    pub csv_delimiter: Option<String>,
    /// Whether CSV and TSV files begin with the names of their columns: yes or no, which names them
    /// column_1, column_2 and so on [default: yes].
    #[arg(id = "input.csv_header", long = "csv-header", value_name = "WHETHER")]
    #[serde(deserialize_with = "yes_or_no")]
    pub csv_header: Option<String>,
    /// What stands around fields of CSV and TSV files that hold a delimiter or a line break: a
    /// character, or none, which takes quotation marks as text [default: "].
    #[arg(id = "input.csv_quote", long = "csv-quote", value_name = "C")]
    pub csv_quote: Option<String>,
    /// What stands in CSV and TSV files before a character that would otherwise divide or end a field:
    /// a character, such as \, or none [default: none, and a quote within quotes is written twice].
    #[arg(id = "input.csv_escape", long = "csv-escape", value_name = "C")]
    pub csv_escape: Option<String>,
    /// Read binary columns of Parquet files as text where the file does not say what they are; the text
    /// column always is.
    #[arg(
        id = "input.binary_as_text",
        long = "binary-as-text",
        num_args = 0,
        default_missing_value = "true"
    )]
    pub binary_as_text: Option<bool>,
}

#[derive(Debug, Clone, Default, Args, Serialize, Deserialize)]
#[serde(default)]
#[command(next_help_heading = "Model")]
pub struct ModelOptions {
    /// A Hugging Face checkpoint folder, or the id of a model that `strata fetch` has put into the
    /// local cache.
    #[arg(id = "model.path", long = "model", value_name = "DIR|ID")]
    pub path: Option<String>,
    /// Take weights as they are before training, drawn from this seed, and not those of the folder.
    #[arg(id = "model.random_weights", long = "random-weights", value_name = "SEED")]
    pub random_weights: Option<u32>,
    /// Where it runs: cpu, cuda, cuda:N or flex [default: cpu].
    #[arg(id = "model.device", long = "device", value_name = "DEVICE")]
    pub device: Option<String>,
    /// Type of the matrix products: float32 or bfloat16; everything else is float32 [default: float32].
    #[arg(id = "model.compute", long = "compute", value_name = "TYPE")]
    pub compute: Option<String>,
}

#[derive(Debug, Clone, Default, Args, Serialize, Deserialize)]
#[serde(default)]
#[command(next_help_heading = "Features")]
pub struct FeatureOptions {
    /// Layers by number: 0 is the embedding output, N the Nth encoder layer, -1 the last; or all
    /// [default: -1].
    #[arg(id = "features.layers", long = "layers", value_name = "LAYERS", allow_hyphen_values = true)]
    #[serde(deserialize_with = "comma_list")]
    pub layers: Option<String>,
    /// What one output row stands for: row, token, word or span [default: row].
    #[arg(id = "features.unit", long = "unit", value_name = "UNIT")]
    pub unit: Option<String>,
    /// What a word is: tokenizer (what it never joins), whitespace, or a column of lists of words
    /// [default: tokenizer].
    #[arg(id = "features.words", long = "words", value_name = "WHICH")]
    pub words: Option<String>,
    /// How tokens become one vector: cls, mean, max, min, mean_max, last, pooler, or
    /// sentence, as the model's sentence-transformers modules have it; of words first, last,
    /// mean, max, first_last; of spans also endpoints; several separated by commas [default: mean].
    #[arg(id = "features.pooling", long = "pooling", value_name = "POOLINGS")]
    #[serde(deserialize_with = "comma_list")]
    pub pooling: Option<String>,
    /// What becomes of several layers: none, concat, stack, sum or mean [default: none].
    #[arg(id = "features.combine", long = "combine", value_name = "HOW")]
    pub combine: Option<String>,
    /// Bring each vector to Euclidean length 1.
    #[arg(id = "features.normalize", long = "normalize", num_args = 0, default_missing_value = "true")]
    pub normalize: Option<bool>,
    /// Add figures of each chosen layer's attention, one a head: entropy, distance, and the weight on
    /// the first token, on other special ones and on itself; rows only.
    #[arg(id = "features.attentions", long = "attentions", num_args = 0, default_missing_value = "true")]
    pub attentions: Option<bool>,
    /// How many values of sentence_embedding are kept, the first ones [default: what the model's folder
    /// says, or all].
    #[arg(id = "features.truncate_dim", long = "truncate-dim", value_name = "N")]
    pub truncate_dim: Option<usize>,
    /// A text that stands before each text; rows only [default: for --pooling sentence the default
    /// prompt of the model's folder].
    #[arg(id = "features.prefix", long = "prefix", value_name = "TEXT", allow_hyphen_values = true)]
    pub prefix: Option<String>,
    /// The same by its name among the prompts of the model's folder.
    #[arg(id = "features.prompt", long = "prompt", value_name = "NAME")]
    pub prompt: Option<String>,
    /// Whether special tokens count in mean, max and min, or are rows of --unit token: include or
    /// exclude [default: include].
    #[arg(id = "features.special_tokens", long = "special-tokens", value_name = "WHETHER")]
    pub special_tokens: Option<String>,
    /// The most tokens the model sees at once, special ones counted [default: the model's limit].
    #[arg(id = "features.max_length", long = "max-length", value_name = "N")]
    pub max_length: Option<usize>,
    /// What becomes of longer texts: truncate, window (seen through overlapping windows) or error
    /// [default: truncate].
    #[arg(id = "features.overflow", long = "overflow", value_name = "WHAT")]
    pub overflow: Option<String>,
    /// Tokens that neighbouring windows share [default: a quarter of a window].
    #[arg(id = "features.stride", long = "stride", value_name = "N")]
    pub stride: Option<usize>,
}

#[derive(Debug, Clone, Default, Args, Serialize, Deserialize)]
#[serde(default)]
#[command(next_help_heading = "Output")]
pub struct OutputOptions {
    /// The folder of parts, made if it does not exist; - for an Arrow IPC stream on stdout.
    #[arg(id = "output.path", long = "output", value_name = "DIR")]
    pub path: Option<String>,
    /// Format of the parts: parquet or arrow [default: parquet].
    #[arg(id = "output.format", long = "format", value_name = "FORMAT")]
    pub format: Option<String>,
    /// Stored type of the values: float32 or float16 [default: float32].
    #[arg(id = "output.dtype", long = "dtype", value_name = "TYPE")]
    pub dtype: Option<String>,
    /// Rows of one part [default: about 64 MiB of vectors].
    #[arg(id = "output.rows_per_part", long = "rows-per-part", value_name = "N")]
    pub rows_per_part: Option<u64>,
}

#[derive(Debug, Clone, Default, Args, Serialize, Deserialize)]
#[serde(default)]
#[command(next_help_heading = "Run")]
pub struct RunOptions {
    /// Tokens in one forward pass [default: 512 a thread, at least 1024; 32768 on a GPU].
    #[arg(id = "run.max_batch_tokens", long = "max-batch-tokens", value_name = "N")]
    pub max_batch_tokens: Option<usize>,
    /// Processor threads of the whole process [default: all].
    #[arg(id = "run.threads", long = "threads", value_name = "N")]
    pub threads: Option<usize>,
    /// Do only every Nth part, beginning with part I (from 0).
    #[arg(id = "run.shard", long = "shard", value_name = "I/N")]
    pub shard: Option<String>,
    /// When an input file turns out to be damaged: fail, or skip it and fail at the end
    /// [default: fail].
    #[arg(id = "run.on_bad_file", long = "on-bad-file", value_name = "WHAT")]
    pub on_bad_file: Option<String>,
}

impl Options {
    /// These options, and where they say nothing those of a TOML file.
    ///
    /// # Errors
    /// The file cannot be read, is not TOML, or has a key that is no option.
    pub fn over_file(&self, path: &Path) -> anyhow::Result<Self> {
        let text = fs_err::read_to_string(path).map_err(|error| {
            Refusal::configuration(error.to_string()).hint("give the path of a TOML file")
        })?;
        self.over_text(&text, path)
    }

    fn over_text(&self, text: &str, path: &Path) -> anyhow::Result<Self> {
        let invalid = |error: toml::de::Error| {
            Refusal::configuration(format!(
                "{} cannot be used:\n{}",
                path.display(),
                error.to_string().trim_end()
            ))
        };
        let mut table: Table = toml::from_str(text).map_err(invalid)?;
        refuse_unknown_keys(&table, path)?;
        // Checked by itself first: only then do messages show the place in the file.
        toml::from_str::<Self>(text).map_err(invalid)?;
        merge(&mut table, Table::try_from(self).context("options do not serialize")?);
        Ok(Table::try_into(table)?)
    }
}

/// Lays `winner` over `table`, key by key.
fn merge(table: &mut Table, winner: Table) {
    for (key, value) in winner {
        match (table.get_mut(&key), value) {
            (Some(Value::Table(inner)), Value::Table(over)) => merge(inner, over),
            (_, value) => {
                table.insert(key, value);
            }
        }
    }
}

fn refuse_unknown_keys(table: &Table, path: &Path) -> Result<(), Refusal> {
    let known = known_keys();
    for (section, value) in table {
        let keys: Vec<String> = match value {
            Value::Table(inner) => inner.keys().map(|key| format!("{section}.{key}")).collect(),
            _ => vec![section.clone()],
        };
        let empty_section =
            keys.is_empty() && known.iter().any(|key| key.starts_with(&format!("{section}.")));
        let unknown = keys.into_iter().find(|key| !known.contains(key));
        if let Some(key) = unknown
            .or((!empty_section && value.as_table().is_some_and(Table::is_empty)).then(|| section.clone()))
        {
            let nearest = known.iter().max_by(|a, b| similarity(a, &key).total_cmp(&similarity(b, &key)));
            let refusal = Refusal::configuration(format!("{}: `{key}` is not an option", path.display()));
            return Err(match nearest {
                Some(nearest) => {
                    refusal.hint(format!("did you mean `{nearest}`? `strata run --help` lists all options"))
                }
                None => refusal,
            });
        }
    }
    Ok(())
}

/// Every key a TOML file may have: the ids of the options that have a dotted one.
fn known_keys() -> Vec<String> {
    let cli = Cli::command();
    let run = cli.get_subcommands().find(|command| command.get_name() == "run");
    let ids =
        run.into_iter().flat_map(|run| run.get_arguments()).map(|argument| argument.get_id().to_string());
    ids.filter(|id| id.contains('.')).collect()
}

fn similarity(known: &str, key: &str) -> f64 {
    strsim::jaro_winkler(known, key).max(strsim::jaro_winkler(known.rsplit('.').next().unwrap_or(known), key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use strata_featurize::Settings;

    const PIPELINE: &str = "[input]\npaths = [\"a\"]\n[model]\npath = \"m\"\n[features]\nlayers = [0, -1]\n\
        pooling = \"mean\"\n[output]\npath = \"o\"\nrows_per_part = 7\n";

    fn settings(text: &str) -> anyhow::Result<Settings> {
        Options::default().over_text(text, Path::new("job.toml")).and_then(Settings::try_from)
    }

    proptest! {
        #[test]
        fn any_text_as_a_pipeline_is_read_or_refused(text in "(\\PC|\n){0,200}") {
            let _ = settings(&text);
        }

        #[test]
        fn a_pipeline_with_a_piece_replaced_is_read_or_refused(
            place in 0.0..1.0_f64,
            piece in "[0-9a-z\"=.,\\[\\]{} -]{0,9}",
        ) {
            let start = (PIPELINE.len() as f64 * place) as usize;
            let end = PIPELINE.len().min(start + piece.len());
            let _ = settings(&[&PIPELINE[..start], &piece, &PIPELINE[end..]].concat());
        }
    }

    #[test]
    fn a_pipeline_says_what_the_command_line_would() {
        let settings = settings(PIPELINE).unwrap();
        assert_eq!(
            (settings.features.layers.to_string().as_str(), settings.rows_per_part),
            ("0,-1", Some(7))
        );
    }
}
