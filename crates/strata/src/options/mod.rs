//! The options of a run, as the command line and the TOML file state them: one list for both.
//!
//! An option's clap id is its dotted TOML key, so the two cannot drift apart.

mod choice;
pub mod cli;
#[cfg(test)]
mod documents;
mod pipeline_file;
#[cfg(feature = "probe")]
pub mod probe;
mod settings;
mod storage;
mod values;

use clap::Args;
use serde::{Deserialize, Serialize};
use serde_with::{DisplayFromStr, OneOrMany, serde_as};
use strata_bert::{Combine, Compute, DeviceKind, LayerSelection, Pooling, Unit};
use strata_featurize::unit::LongTexts;
use strata_featurize::{OnBadFile, OnNull};
use strata_io::{FloatType, OutputFormat};

use choice::choice;
use storage::Storage;
use values::{Charset, Delimiter, InputFormat, Quote, Shard, SpecialTokens, TypedColumn, YesOrNo};

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
    pub storage: Storage,
    #[command(flatten)]
    pub run: RunOptions,
}

#[serde_as]
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize)]
#[serde(default)]
#[command(next_help_heading = "Input")]
pub struct InputOptions {
    /// Files, folders or quoted patterns, or their addresses in a store: Parquet, Arrow IPC, CSV, JSON, lines
    /// of text; - for stdin, an Arrow IPC stream if --input-format says nothing else.
    #[arg(id = "input.paths", long = "input", value_name = "PATH", num_args = 1..)]
    #[serde_as(as = "Option<OneOrMany<_>>")]
    pub paths: Option<Vec<String>>,
    /// What the inputs are, whatever their extension [default: by the extension].
    #[arg(id = "input.format", long = "input-format", value_name = "FORMAT", value_parser = InputFormat::parser())]
    pub format: Option<InputFormat>,
    /// How CSV, JSON and text files are encoded: utf-8, latin1, utf-16, shift_jis and so on, by the
    /// names of the web [default: utf-8].
    #[arg(id = "input.encoding", long = "encoding", value_name = "NAME")]
    pub encoding: Option<Charset>,
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
    /// Columns of lists with a value for each word of --words, such as labels: each word's row gets its own; several
    /// separated by commas.
    #[arg(id = "input.align", long = "align", value_name = "COLUMNS")]
    #[serde(deserialize_with = "values::list_or_text")]
    pub align: Option<Vec<String>>,
    /// Input columns to carry through: all, none, or names separated by commas [default: all for rows,
    /// none for tokens, words and spans].
    #[arg(id = "input.keep", long = "keep", value_name = "COLUMNS")]
    #[serde(deserialize_with = "values::list_or_text")]
    pub keep: Option<Vec<String>>,
    /// Types of columns, in place of those of the file, or those that hold all values of a CSV or JSON
    /// file: zip=Utf8 'day=Timestamp(ms)' 'words=List(Utf8)', or Json for values of any kind.
    #[arg(id = "input.schema", long = "schema", value_name = "COLUMN=TYPE", num_args = 1..)]
    #[serde(deserialize_with = "values::table_or_list")]
    pub schema: Option<Vec<TypedColumn>>,
    /// What stands between the fields of CSV and TSV files: a character, or tab [default: comma or tab,
    /// by the extension].
    #[arg(id = "input.csv_delimiter", long = "csv-delimiter", value_name = "C")]
    pub csv_delimiter: Option<Delimiter>,
    /// Whether CSV and TSV files begin with the names of their columns; if not, those are column_1,
    /// column_2 and so on [default: yes].
    #[arg(id = "input.csv_header", long = "csv-header", value_name = "WHETHER", value_parser = choice::<YesOrNo>())]
    pub csv_header: Option<YesOrNo>,
    /// What stands around fields of CSV and TSV files that hold a delimiter or a line break: a
    /// character, or none, which takes quotation marks as text [default: "].
    #[arg(id = "input.csv_quote", long = "csv-quote", value_name = "C")]
    pub csv_quote: Option<Quote>,
    /// What stands in CSV and TSV files before a character that would otherwise divide or end a field:
    /// a character, such as \, or none [default: none, and a quote within quotes is written twice].
    #[arg(id = "input.csv_escape", long = "csv-escape", value_name = "C")]
    pub csv_escape: Option<Quote>,
    /// Read binary columns of Parquet files as text where the file does not say what they are; the text
    /// column always is.
    #[arg(
        id = "input.binary_as_text",
        long = "binary-as-text",
        num_args = 0,
        default_missing_value = "true",
        overrides_with = "no_binary_as_text"
    )]
    pub binary_as_text: Option<bool>,
    /// Take back what a pipeline file says of --binary-as-text.
    #[arg(id = "no_binary_as_text", long = "no-binary-as-text", overrides_with = "input.binary_as_text")]
    #[serde(skip)]
    pub no_binary_as_text: bool,
}

#[serde_as]
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize)]
#[serde(default)]
#[command(next_help_heading = "Model")]
pub struct ModelOptions {
    /// A Hugging Face checkpoint folder, its address in a store, or the id of a model that `strata fetch` has
    /// put into the local cache.
    #[arg(id = "model.path", long = "model", value_name = "DIR|ID")]
    pub path: Option<String>,
    /// Take weights as they are before training, drawn from this seed, and not those of the folder.
    #[arg(id = "model.random_weights", long = "random-weights", value_name = "SEED")]
    pub random_weights: Option<u32>,
    /// Where it runs: cpu, cuda, cuda:N or flex [default: cpu].
    #[arg(id = "model.device", long = "device", value_name = "DEVICE")]
    #[serde_as(as = "Option<DisplayFromStr>")]
    pub device: Option<DeviceKind>,
    /// Type of the matrix products; everything else is float32 [default: float32].
    #[arg(id = "model.compute", long = "compute", value_name = "TYPE", value_parser = choice::<Compute>())]
    pub compute: Option<Compute>,
}

#[derive(Debug, Clone, Default, Args, Serialize, Deserialize)]
#[serde(default)]
#[command(next_help_heading = "Features")]
pub struct FeatureOptions {
    /// Layers by number: 0 is the embedding output, N the Nth encoder layer, -1 the last; or all
    /// [default: -1].
    #[arg(id = "features.layers", long = "layers", value_name = "LAYERS", allow_hyphen_values = true)]
    pub layers: Option<LayerSelection>,
    /// What one output row stands for [default: row].
    #[arg(id = "features.unit", long = "unit", value_name = "UNIT", value_parser = choice::<Unit>())]
    pub unit: Option<Unit>,
    /// What a word is: tokenizer (what it never joins), whitespace, or a column of lists of words
    /// [default: tokenizer].
    #[arg(id = "features.words", long = "words", value_name = "WHICH")]
    pub words: Option<String>,
    /// How tokens become one vector: cls, mean, max, min, mean_max, last, pooler, or
    /// sentence, as the model's sentence-transformers modules have it; of words first, last,
    /// mean, max, first_last; of spans also endpoints; several separated by commas [default: mean].
    #[arg(id = "features.pooling", long = "pooling", value_name = "POOLINGS", value_delimiter = ',',
        value_parser = choice::<Pooling>(), hide_possible_values = true)]
    #[serde(deserialize_with = "values::list_or_text")]
    pub pooling: Option<Vec<Pooling>>,
    /// What becomes of several layers [default: none].
    #[arg(id = "features.combine", long = "combine", value_name = "HOW", value_parser = choice::<Combine>())]
    pub combine: Option<Combine>,
    /// Bring each vector to Euclidean length 1.
    #[arg(
        id = "features.normalize",
        long = "normalize",
        num_args = 0,
        default_missing_value = "true",
        overrides_with = "no_normalize"
    )]
    pub normalize: Option<bool>,
    /// Take back what a pipeline file says of --normalize.
    #[arg(id = "no_normalize", long = "no-normalize", overrides_with = "features.normalize")]
    #[serde(skip)]
    pub no_normalize: bool,
    /// Add figures of each chosen layer's attention, one a head: entropy, distance, and the weight on
    /// the first token, on other special ones and on itself; rows only.
    #[arg(
        id = "features.attentions",
        long = "attentions",
        num_args = 0,
        default_missing_value = "true",
        overrides_with = "no_attentions"
    )]
    pub attentions: Option<bool>,
    /// Take back what a pipeline file says of --attentions.
    #[arg(id = "no_attentions", long = "no-attentions", overrides_with = "features.attentions")]
    #[serde(skip)]
    pub no_attentions: bool,
    /// How many values of sentence_embedding are kept, the first ones [default: what the model's folder
    /// says, or all].
    #[arg(id = "features.truncate_dim", long = "truncate-dim", value_name = "N", value_parser = values::whole_number::<usize>())]
    pub truncate_dim: Option<usize>,
    /// A text that stands before each text; rows only [default: for --pooling sentence the default
    /// prompt of the model's folder].
    #[arg(id = "features.prefix", long = "prefix", value_name = "TEXT", allow_hyphen_values = true)]
    pub prefix: Option<String>,
    /// The same by its name among the prompts of the model's folder.
    #[arg(id = "features.prompt", long = "prompt", value_name = "NAME")]
    pub prompt: Option<String>,
    /// Whether special tokens count in mean, max and min, or are rows of --unit token
    /// [default: include].
    #[arg(id = "features.special_tokens", long = "special-tokens", value_name = "WHETHER", value_parser = choice::<SpecialTokens>())]
    pub special_tokens: Option<SpecialTokens>,
    /// The most tokens the model sees at once, special ones counted [default: the model's limit].
    #[arg(id = "features.max_length", long = "max-length", value_name = "N", value_parser = values::whole_number::<usize>())]
    pub max_length: Option<usize>,
    /// What becomes of longer texts: they are cut, seen through overlapping windows, or end the run
    /// [default: truncate].
    #[arg(id = "features.overflow", long = "overflow", value_name = "WHAT", value_parser = choice::<LongTexts>())]
    pub overflow: Option<LongTexts>,
    /// Tokens that neighbouring windows share [default: a quarter of a window].
    #[arg(id = "features.stride", long = "stride", value_name = "N", value_parser = values::whole_number::<usize>())]
    pub stride: Option<usize>,
}

#[derive(Debug, Clone, Default, Args, Serialize, Deserialize)]
#[serde(default)]
#[command(next_help_heading = "Output")]
pub struct OutputOptions {
    /// The folder of parts, made if it does not exist, or its address in a store; - for an Arrow IPC stream on
    /// stdout.
    #[arg(id = "output.path", long = "output", value_name = "DIR")]
    pub path: Option<String>,
    /// Format of the parts [default: parquet].
    #[arg(id = "output.format", long = "format", value_name = "FORMAT", value_parser = choice::<OutputFormat>())]
    pub format: Option<OutputFormat>,
    /// Stored type of the values [default: float32].
    #[arg(id = "output.dtype", long = "dtype", value_name = "TYPE", value_parser = choice::<FloatType>())]
    pub dtype: Option<FloatType>,
    /// What becomes of a row without a vector, as its text is null: its vector is null, all of its values are
    /// not a number, or there is no such row [default: null].
    #[arg(id = "output.on_null", long = "on-null", value_name = "WHAT", value_parser = choice::<OnNull>())]
    pub on_null: Option<OnNull>,
    /// Rows of one part [default: about 64 MiB of vectors].
    #[arg(id = "output.rows_per_part", long = "rows-per-part", value_name = "N", value_parser = values::whole_number::<u64>())]
    pub rows_per_part: Option<u64>,
}

#[derive(Debug, Clone, Default, Args, Serialize, Deserialize)]
#[serde(default)]
#[command(next_help_heading = "Run")]
pub struct RunOptions {
    /// Tokens encoded at a time, by all threads [default: 512 a thread, at least 1024; 32768 on a GPU].
    #[arg(id = "run.max_batch_tokens", long = "max-batch-tokens", value_name = "N", value_parser = values::whole_number::<usize>())]
    pub max_batch_tokens: Option<usize>,
    /// Processor threads of the whole process [default: all].
    #[arg(id = "run.threads", long = "threads", value_name = "N", value_parser = values::whole_number::<usize>())]
    pub threads: Option<usize>,
    /// Do only every Nth part, beginning with part I (from 0).
    #[arg(id = "run.shard", long = "shard", value_name = "I/N")]
    pub shard: Option<Shard>,
    /// When an input file turns out to be damaged: fail, or skip it and fail at the end
    /// [default: fail].
    #[arg(id = "run.on_bad_file", long = "on-bad-file", value_name = "WHAT", value_parser = choice::<OnBadFile>())]
    pub on_bad_file: Option<OnBadFile>,
}

impl Options {
    /// These options as they may be written down.
    #[must_use]
    pub fn without_secrets(self) -> Self {
        Self { storage: Storage::default(), ..self }
    }

    /// These options, where what is taken back is said to be off.
    #[must_use]
    pub fn without_what_is_taken_back(mut self) -> Self {
        let Self { input, features, .. } = &mut self;
        for (is_off, flag) in [
            (input.no_binary_as_text, &mut input.binary_as_text),
            (features.no_normalize, &mut features.normalize),
            (features.no_attentions, &mut features.attentions),
        ] {
            if is_off {
                *flag = Some(false);
            }
        }
        self
    }
}
