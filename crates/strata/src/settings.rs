//! What the options mean: parsed, defaults filled in, nothing yet held against files.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use strata_bert::{
    Combine, Compute, DeviceKind, FeatureOptions, LayerSelection, Pooling, TokenizerOptions, Unit,
};
use strata_io::{FloatType, OutputFormat};

use crate::failure::{Refusal, in_one_line};
use crate::options::{self, Options};
use crate::text_formats::{self, TextFormats};
use crate::unit::{self, Subject};

/// A run's settings.
#[derive(Debug, Clone)]
pub struct Settings {
    pub inputs: Vec<String>,
    /// Whether the one input is a copy of stdin.
    pub reads_stdin: bool,
    pub text_formats: TextFormats,
    pub subject: Subject,
    pub keep: Keep,
    pub model: PathBuf,
    pub random_weights: Option<u32>,
    pub device: DeviceKind,
    pub compute: Compute,
    pub features: FeatureOptions,
    /// What stands before each text, where the user says it.
    pub prefix: Option<String>,
    /// The same by its name in the model's folder.
    pub prompt: Option<String>,
    /// How many values of a sentence's vector are kept, where the user says it.
    pub truncate_dim: Option<usize>,
    pub tokenizer: TokenizerOptions,
    /// Whether a text that the model cannot see at once ends the run.
    pub refuse_overflow: bool,
    pub output: PathBuf,
    pub format: OutputFormat,
    pub dtype: FloatType,
    pub rows_per_part: Option<u64>,
    /// Tokens of a forward pass, where the user says it.
    pub max_batch_tokens: Option<usize>,
    /// At most as many as there are.
    pub threads: Option<usize>,
    pub shard: Option<(u32, u32)>,
    pub on_bad_file: OnBadFile,
}

/// Which input columns are carried through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keep {
    All,
    None,
    Columns(Vec<String>),
}

/// What happens when an input file turns out to be damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnBadFile {
    /// The run ends.
    Fail,
    /// The run goes on with the other files, and fails at its end.
    Skip,
}

impl OnBadFile {
    /// Whether the run goes on after this error of an input file.
    pub fn skips(self, error: &strata_io::Error) -> bool {
        self == Self::Skip && error.kind() == strata_io::ErrorKind::BadData
    }

    /// Why a file is skipped.
    ///
    /// # Errors
    /// `error` itself, if it ends the run.
    pub fn reason_to_skip(self, error: anyhow::Error) -> anyhow::Result<String> {
        match error.downcast_ref::<strata_io::Error>() {
            Some(cause) if self.skips(cause) => Ok(in_one_line(cause)),
            _ => Err(error),
        }
    }
}

impl Settings {
    /// The format of what is written: a stream is Arrow's.
    pub fn stored_format(&self) -> OutputFormat {
        if self.writes_to_stdout() { OutputFormat::Arrow } else { self.format }
    }

    /// Whether the output is a stream on stdout, not a folder.
    pub fn writes_to_stdout(&self) -> bool {
        self.output == Path::new(STDIO)
    }
}

/// The name of stdin among inputs, and of stdout as output.
pub const STDIO: &str = "-";

impl TryFrom<Options> for Settings {
    type Error = anyhow::Error;

    // Taken apart without `..`, so that an option nobody reads does not compile.
    fn try_from(options: Options) -> anyhow::Result<Self> {
        let Options { input, model, features, output, run } = options;
        let options::InputOptions {
            paths,
            text,
            text_pair,
            spans,
            keep,
            schema,
            csv_delimiter,
            csv_header,
            csv_quote,
            csv_escape,
            format: input_format,
            encoding,
            binary_as_text,
        } = input;
        let options::ModelOptions { path: model, random_weights, device, compute } = model;
        let options::OutputOptions { path: output, format, dtype, rows_per_part } = output;
        let options::RunOptions { max_batch_tokens, threads, shard, on_bad_file } = run;
        let options::FeatureOptions {
            layers,
            unit,
            words,
            pooling,
            combine,
            normalize,
            attentions,
            truncate_dim,
            prefix,
            prompt,
            special_tokens,
            max_length,
            overflow,
            stride,
        } = features;

        let device = parse("--device", device.as_deref().unwrap_or("cpu"), DeviceKind::from_str)?;
        let compute = parse("--compute", compute.as_deref().unwrap_or("float32"), Compute::from_str)?;
        let unit = parse("--unit", unit.as_deref().unwrap_or("row"), Unit::from_str)?;
        let (subject, division) = unit::settle(
            unit,
            unit::Asked { text, text_pair, spans, words, special_tokens: &special_tokens },
        )?;
        let default_keep = if unit == Unit::Row { "all" } else { "none" };
        let keep = Keep::parse(keep.as_deref().unwrap_or(default_keep));
        let text_formats = text_formats::settle(
            text_formats::Asked {
                schema,
                csv_delimiter,
                csv_header,
                csv_quote,
                csv_escape,
                format: input_format,
                encoding,
                binary_as_text,
            },
            subject.texts(),
            keep.needed(&subject),
        )?;
        let default_pooling = if unit == Unit::Token { "" } else { "mean" };
        let features = FeatureOptions {
            unit,
            layers: parse("--layers", layers.as_deref().unwrap_or("-1"), LayerSelection::from_str)?,
            pooling: parse("--pooling", pooling.as_deref().unwrap_or(default_pooling), poolings)?,
            combine: parse("--combine", combine.as_deref().unwrap_or("none"), Combine::from_str)?,
            normalize: normalize.unwrap_or(false),
            attentions: attentions.unwrap_or(false),
            count_special_tokens: parse(
                "--special-tokens",
                special_tokens.as_deref().unwrap_or("include"),
                one_of(&[("include", true), ("exclude", false)]),
            )?,
            sentence: None,
        };
        unit::check_prefix(unit, prefix.as_deref(), prompt.as_deref())?;
        let pairs = matches!(subject, Subject::Pair(..));
        let overflow = overflow.as_deref().unwrap_or("truncate");
        Ok(Self {
            reads_stdin: false,
            inputs: required("--input", "input.paths", paths.filter(|paths| !paths.is_empty()))?,
            text_formats,
            subject,
            keep,
            model: required("--model", "model.path", model.filter(|path| !path.is_empty()))?.into(),
            random_weights,
            features,
            prefix,
            prompt,
            truncate_dim: positive("--truncate-dim", truncate_dim)?,
            tokenizer: TokenizerOptions {
                max_length,
                overflow: unit::overflow(overflow, stride, pairs)?,
                division,
                pairs,
                ..TokenizerOptions::default()
            },
            refuse_overflow: overflow == "error",
            output: required("--output", "output.path", output.filter(|path| !path.is_empty()))?.into(),
            format: parse(
                "--format",
                format.as_deref().unwrap_or("parquet"),
                one_of(&[("parquet", OutputFormat::Parquet), ("arrow", OutputFormat::Arrow)]),
            )?,
            dtype: parse(
                "--dtype",
                dtype.as_deref().unwrap_or("float32"),
                one_of(&[("float32", FloatType::Float32), ("float16", FloatType::Float16)]),
            )?,
            rows_per_part: positive("--rows-per-part", rows_per_part)?,
            max_batch_tokens: positive("--max-batch-tokens", max_batch_tokens)?,
            // More than there are would only wait for each other, and thousands take minutes to start.
            threads: positive("--threads", threads)?.map(|threads| threads.min(cores())),
            on_bad_file: parse(
                "--on-bad-file",
                on_bad_file.as_deref().unwrap_or("fail"),
                one_of(&[("fail", OnBadFile::Fail), ("skip", OnBadFile::Skip)]),
            )?,
            shard: shard.map(|text| parse("--shard", &text, parse_shard)).transpose()?,
            device,
            compute,
        })
    }
}

impl Keep {
    fn parse(text: &str) -> Self {
        match text {
            "all" => Self::All,
            "none" | "" => Self::None,
            names => Self::Columns(names.split(',').map(|name| name.trim().to_owned()).collect()),
        }
    }

    /// The columns that are read where these are kept; all of them if none is said to be enough.
    fn needed(&self, subject: &Subject) -> Option<Vec<String>> {
        let kept = match self {
            Self::All => return None,
            Self::None => &[][..],
            Self::Columns(names) => names,
        };
        let encoded = subject.columns().into_iter().map(|(_, name)| name.to_owned());
        Some(encoded.chain(kept.iter().cloned()).collect())
    }
}

impl fmt::Display for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::None => f.write_str("none"),
            Self::Columns(names) => f.write_str(&names.join(",")),
        }
    }
}

/// The processor threads there are for this process.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn required<T>(option: &str, key: &str, value: Option<T>) -> Result<T, Refusal> {
    let missing = || {
        Refusal::usage(format!("{option} is missing"))
            .hint(format!("give {option}, or `{key}` in the pipeline file"))
    };
    value.ok_or_else(missing)
}

fn positive<T: PartialEq + Default>(option: &str, value: Option<T>) -> Result<Option<T>, Refusal> {
    match value {
        Some(value) if value == T::default() => {
            Err(Refusal::usage(format!("{option} is 0, expected at least 1")))
        }
        value => Ok(value),
    }
}

/// Parses an option's text; a failure names the option.
pub fn parse<T, E: std::fmt::Display>(
    option: &str,
    text: &str,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Result<T, Refusal> {
    parse(text).map_err(|error| Refusal::usage(format!("{option}: {error}")))
}

fn poolings(text: &str) -> Result<Vec<Pooling>, strata_bert::Error> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    text.split(',').map(|name| name.trim().parse()).collect()
}

pub fn one_of<T: Copy>(values: &[(&str, T)]) -> impl Fn(&str) -> Result<T, String> {
    move |text| {
        let found = values.iter().find(|(name, _)| *name == text).map(|&(_, value)| value);
        let names: Vec<&str> = values.iter().map(|&(name, _)| name).collect();
        found.ok_or_else(|| format!("`{text}` is not a choice; expected {}", names.join(" or ")))
    }
}

fn parse_shard(text: &str) -> Result<(u32, u32), String> {
    let numbers =
        text.split_once('/').and_then(|(index, count)| Some((index.parse().ok()?, count.parse().ok()?)));
    numbers
        .filter(|&(index, count): &(u32, u32)| index < count)
        .ok_or_else(|| format!("`{text}` is not a shard; expected I/N with I from 0 to N-1, such as 0/4"))
}
