//! What the options mean: parsed, defaults filled in, nothing yet held against files.

use std::str::FromStr;

use encoding_rs::Encoding;
use strata_bert::{
    Combine, Compute, DeviceKind, FeatureRequest, LayerSelection, Pooling, TokenizerOptions, Unit,
};
use strata_featurize::unit::{self, LongTexts};
use strata_featurize::{Keep, OnBadFile, Refusal, Settings, Subject, cores, text_formats};
use strata_io::{ColumnType, FloatType, OutputFormat};

use crate::options::Options;

impl TryFrom<Options> for Settings {
    type Error = Refusal;

    // Taken apart without `..`, so that an option nobody reads does not compile.
    fn try_from(options: Options) -> Result<Self, Refusal> {
        let Options { input, model, features, output, run } = options;
        let super::InputOptions {
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
        let super::ModelOptions { path: model, random_weights, device, compute } = model;
        let super::OutputOptions { path: output, format, dtype, rows_per_part } = output;
        let super::RunOptions { max_batch_tokens, threads, shard, on_bad_file } = run;
        let super::FeatureOptions {
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

        let counts = special_tokens
            .map(|text| parse("--special-tokens", &text, one_of(&[("include", true), ("exclude", false)])))
            .transpose()?;
        let device = parse("--device", device.as_deref().unwrap_or("cpu"), DeviceKind::from_str)?;
        let compute = parse("--compute", compute.as_deref().unwrap_or("float32"), Compute::from_str)?;
        let unit = parse("--unit", unit.as_deref().unwrap_or("row"), Unit::from_str)?;
        let (subject, division) =
            unit::settle(unit, unit::Asked { text, text_pair, spans, words, special_tokens: counts })?;
        let default_keep = if unit == Unit::Row { "all" } else { "none" };
        let keep = keep_of(keep.as_deref().unwrap_or(default_keep));
        let character = |option: &'static str, text: Option<String>| {
            text.map(|text| parse(option, &text, quote_or_none)).transpose()
        };
        let text_formats = text_formats::settle(
            text_formats::Asked {
                schema: schema
                    .unwrap_or_default()
                    .iter()
                    .map(|entry| parse("--schema", entry, column_type))
                    .collect::<Result<_, _>>()?,
                csv_delimiter: csv_delimiter
                    .map(|text| parse("--csv-delimiter", &text, delimiter))
                    .transpose()?,
                csv_header: csv_header
                    .map(|text| parse("--csv-header", &text, one_of(&[("yes", true), ("no", false)])))
                    .transpose()?,
                csv_quote: character("--csv-quote", csv_quote)?,
                csv_escape: character("--csv-escape", csv_escape)?,
                format: input_format
                    .map(|name| parse("--input-format", &name, one_of(&text_formats::FORMATS)))
                    .transpose()?,
                encoding: encoding.map(|name| parse("--encoding", &name, encoding_of)).transpose()?,
                binary_as_text,
            },
            subject.texts(),
            keep.needed(&subject),
        )?;
        let default_pooling = if unit == Unit::Token { "" } else { "mean" };
        let features = FeatureRequest {
            unit,
            layers: parse("--layers", layers.as_deref().unwrap_or("-1"), LayerSelection::from_str)?,
            pooling: parse("--pooling", pooling.as_deref().unwrap_or(default_pooling), poolings)?,
            combine: parse("--combine", combine.as_deref().unwrap_or("none"), Combine::from_str)?,
            normalize: normalize.unwrap_or(false),
            attentions: attentions.unwrap_or(false),
            count_special_tokens: counts.unwrap_or(true),
            sentence: None,
        };
        unit::check_prefix(unit, prefix.as_deref(), prompt.as_deref())?;
        let pairs = matches!(subject, Subject::Pair(..));
        let overflow = parse(
            "--overflow",
            overflow.as_deref().unwrap_or("truncate"),
            one_of(&[
                ("truncate", LongTexts::Truncate),
                ("window", LongTexts::Window),
                ("error", LongTexts::Error),
            ]),
        )?;
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
            refuse_overflow: overflow == LongTexts::Error,
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

fn keep_of(text: &str) -> Keep {
    match text {
        "all" => Keep::All,
        "none" | "" => Keep::None,
        names => Keep::Columns(names.split(',').map(|name| name.trim().to_owned()).collect()),
    }
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
fn parse<T, E: std::fmt::Display>(
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

fn one_of<T: Copy>(values: &[(&str, T)]) -> impl Fn(&str) -> Result<T, String> {
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

/// An encoding by one of its names.
fn encoding_of(name: &str) -> Result<&'static Encoding, String> {
    Encoding::for_label(name.as_bytes()).ok_or_else(|| {
        format!(
            "`{name}` is no encoding; expected one such as utf-8, latin1, windows-1251, shift_jis or utf-16"
        )
    })
}

/// `zip=Utf8`: the name ends at the last `=`, which hardly any type has.
fn column_type(entry: &str) -> Result<(String, ColumnType), String> {
    let (column, name) = entry
        .rsplit_once('=')
        .filter(|(column, _)| !column.is_empty())
        .ok_or_else(|| format!("`{entry}` is no type of a column; expected COLUMN=TYPE, such as zip=Utf8"))?;
    let data_type = name.parse().map_err(|_| {
        format!(
            "`{name}` of column `{column}` is not a type; expected one such as Utf8, Int64, Float64, \
             Boolean, Date32, Timestamp(ms), List(Utf8) or Json"
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

fn quote_or_none(text: &str) -> Result<Option<u8>, String> {
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
