//! What the options mean: defaults filled in, nothing yet held against files.

use strata_bert::{FeatureRequest, Pooling, TokenizerOptions, Unit};
use strata_featurize::unit::{self, LongTexts};
use strata_featurize::{Keep, Refusal, Settings, Subject, cores, text_formats};

use crate::options::Options;
use crate::options::values::{Shard, SpecialTokens, YesOrNo};

impl TryFrom<Options> for Settings {
    type Error = Refusal;

    // Taken apart without `..`, so that an option nobody reads does not compile.
    fn try_from(options: Options) -> Result<Self, Refusal> {
        let Options { input, model, features, output, run, storage } = options.without_what_is_taken_back();
        let super::InputOptions {
            paths,
            text,
            text_pair,
            spans,
            align,
            keep,
            schema,
            csv_delimiter,
            csv_header,
            csv_quote,
            csv_escape,
            format: input_format,
            encoding,
            binary_as_text,
            no_binary_as_text: _,
        } = input;
        let super::ModelOptions { path: model, random_weights, device, compute } = model;
        let super::OutputOptions { path: output, format, dtype, on_null, rows_per_part } = output;
        let super::RunOptions { max_batch_tokens, threads, shard, on_bad_file } = run;
        let super::FeatureOptions {
            layers,
            unit,
            words,
            pooling,
            combine,
            normalize,
            no_normalize: _,
            attentions,
            no_attentions: _,
            truncate_dim,
            prefix,
            prompt,
            special_tokens,
            max_length,
            overflow,
            stride,
        } = features;

        let align = align.unwrap_or_default();
        let counts = special_tokens.map(|choice| choice == SpecialTokens::Include);
        let unit = unit.unwrap_or_default();
        let (subject, division) =
            unit::settle(unit, unit::Asked { text, text_pair, spans, words, align, special_tokens: counts })?;
        let keep = keep.map_or(if unit == Unit::Row { Keep::All } else { Keep::None }, keep_of);
        let text_formats = text_formats::settle(
            text_formats::Asked {
                schema: schema.into_iter().flatten().map(|column| (column.name, column.data_type)).collect(),
                csv_delimiter: csv_delimiter.map(|delimiter| delimiter.0),
                csv_header: csv_header.map(|header| header == YesOrNo::Yes),
                csv_quote: csv_quote.map(|quote| quote.0),
                csv_escape: csv_escape.map(|escape| escape.0),
                format: input_format.map(|format| format.0),
                encoding: encoding.map(|charset| charset.0),
                binary_as_text,
            },
            subject.texts(),
            keep.needed(&subject),
        )?;
        let default_pooling = || if unit == Unit::Token { Vec::new() } else { vec![Pooling::Mean] };
        let features = FeatureRequest {
            unit: division.unit(),
            layers: layers.unwrap_or_else(|| FeatureRequest::default().layers),
            pooling: pooling.unwrap_or_else(default_pooling),
            combine: combine.unwrap_or_default(),
            normalize: normalize.unwrap_or(false),
            attentions: attentions.unwrap_or(false),
            count_special_tokens: counts.unwrap_or(true),
            sentence: None,
        };
        unit::check_prefix(unit, prefix.as_deref(), prompt.as_deref())?;
        let pairs = matches!(subject, Subject::Pair(..));
        let overflow = overflow.unwrap_or_default();
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
            format: format.unwrap_or_default(),
            dtype: dtype.unwrap_or_default(),
            on_null: on_null.unwrap_or_default(),
            rows_per_part: positive("--rows-per-part", rows_per_part)?,
            max_batch_tokens: positive("--max-batch-tokens", max_batch_tokens)?,
            // More than there are would only wait for each other, and thousands take minutes to start.
            threads: positive("--threads", threads)?.map(|threads| threads.min(cores())),
            on_bad_file: on_bad_file.unwrap_or_default(),
            shard: shard.map(|Shard { index, count }| (index, count)),
            device: device.unwrap_or_default(),
            compute: compute.unwrap_or_default(),
            stores: storage.stores()?,
        })
    }
}

/// Names, or a word that stands for all columns or none.
fn keep_of(names: Vec<String>) -> Keep {
    match names.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["all"] => Keep::All,
        [] | ["none" | ""] => Keep::None,
        _ => Keep::Columns(names),
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
