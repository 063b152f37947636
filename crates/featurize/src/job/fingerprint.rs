//! What decides the values of a part, as parts and manifests state it, now and by earlier versions.

use serde_json::{Map, Value, json};
use strata_bert::{Division, TokenizerOptions};
use strata_io::Content;

use crate::Error;
use crate::job::Job;
use crate::job::settings::Settings;
use crate::table::on_null::OnNull;
use crate::table::unit::Role;

/// The version of strata that wrote something; it decides nothing.
const WRITER: &str = "strata";

/// Which values the same settings give.
const NUMERICS: &str = "numerics";

/// The version of libtorch, where it has a part in the values.
pub const LIBTORCH: &str = "libtorch";

/// The version that stated itself in place of the first numerics.
const BEFORE_NUMERICS: &str = "0.3.0";

/// What decides the values of every part of a job; `model` are the sums of the model's files.
pub fn of(job: &Job, model: &Value) -> Result<Map<String, Value>, Error> {
    let Job {
        settings,
        checkpoint,
        tokenizer,
        features: _,
        types,
        libtorch,
        inputs: _,
        remarks: _,
        skipped: _,
        empty: _,
    } = job;
    let Settings {
        text_formats,
        subject,
        keep,
        features: asked,
        format,
        dtype,
        on_null,
        device,
        compute,
        max_batch_tokens,
        // The tokenizer knows the length that is meant where none is given.
        tokenizer: TokenizerOptions { max_length: _, overflow: _, division, pairs: _, prefix: _, lower_case },
        // What comes of them is known.
        prefix: _,
        prompt: _,
        truncate_dim: _,
        // No part comes of a text that is refused.
        refuse_overflow: _,
        // Part of the model's identity.
        random_weights: _,
        // Decide which rows are made where, not their values.
        inputs: _,
        reads_stdin: _,
        model: _,
        on_bad_file: _,
        output: _,
        rows_per_part: _,
        threads: _,
        shard: _,
        stores: _,
    } = settings;
    let layers = asked.layers.resolve(checkpoint.config.num_hidden_layers)?;
    let is_aligned = |(role, _): &(Role, &str)| *role == Role::Aligned;
    let aligned: Vec<&str> =
        subject.columns().into_iter().filter(is_aligned).map(|(_, column)| column).collect();
    let encoded: Map<String, Value> = subject
        .columns()
        .into_iter()
        .filter(|column| !is_aligned(column))
        .map(|(role, column)| (role.option().trim_start_matches("--").replace('-', "_"), json!(column)))
        .collect();
    let mut value = json!({
        (NUMERICS): strata_bert::numerics(*device),
        "layer_convention": "0 is the embedding output, N the output of the Nth encoder layer",
        "model": {
            "files": model,
            "model_type": checkpoint.config.model_type(),
            "hidden_size": checkpoint.config.hidden_size,
            "num_hidden_layers": checkpoint.config.num_hidden_layers,
        },
        "device": device.to_string(),
        "compute": compute.to_string(),
        "settings": {
            "unit": asked.unit.to_string(),
            "keep": keep.to_string(),
            "layers": layers,
            "pooling": asked.pooling.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "combine": asked.combine.to_string(),
            "normalize": asked.normalize,
            "attentions": asked.attentions,
            "special_tokens": if asked.count_special_tokens { "include" } else { "exclude" },
            "max_length": tokenizer.max_length(),
            "overflow": if tokenizer.stride().is_some() { "window" } else { "truncate" },
            "dtype": dtype.to_string(),
            "format": format.extension(),
        },
    });
    if let Some(settings) = value["settings"].as_object_mut() {
        settings.extend(encoded);
        settings.extend(text_formats.stated());
        if !types.is_empty() {
            settings.insert("types".to_owned(), json!(types));
        }
        // What it is otherwise depends on the machine, and a part begun on one may be finished on another.
        if let Some(tokens) = max_batch_tokens {
            settings.insert("max_batch_tokens".to_owned(), json!(tokens));
        }
        if let Some(stride) = tokenizer.stride() {
            settings.insert("stride".to_owned(), json!(stride));
        }
        if !tokenizer.prefix().is_empty() {
            settings.insert("prefix".to_owned(), json!(tokenizer.prefix()));
        }
        if *on_null != OnNull::Null {
            settings.insert("on_null".to_owned(), json!(on_null.to_string()));
        }
        if *lower_case {
            settings.insert("lower_case".to_owned(), json!(true));
        }
        if let Some(sentence) = &asked.sentence {
            settings.insert("sentence_width".to_owned(), json!(sentence.width(&checkpoint.config)?));
            if sentence.modules.is_usually_last() {
                settings.insert("sentence_pooling".to_owned(), json!("lasttoken"));
            }
        }
        if !aligned.is_empty() {
            settings.insert("align".to_owned(), json!(aligned));
        }
        if let Some(words) = words_name(*division) {
            settings.insert("words".to_owned(), json!(words));
        }
    }
    if job.uses_libtorch() {
        value[LIBTORCH] = json!(libtorch);
    }
    Ok(value.as_object().cloned().unwrap_or_default())
}

/// The rule by which words are found; none where a column holds them.
fn words_name(division: Division) -> Option<&'static str> {
    match division {
        Division::TokenizerWords => Some("tokenizer"),
        Division::WhitespaceWords => Some("whitespace"),
        Division::Whole | Division::Tokens { .. } | Division::GivenWords | Division::Spans => None,
    }
}

/// What something that is written says of its origin: the fingerprint and who wrote it.
pub fn provenance(fingerprint: &Map<String, Value>) -> Map<String, Value> {
    let mut provenance = fingerprint.clone();
    provenance.entry(WRITER).or_insert_with(|| json!(env!("CARGO_PKG_VERSION")));
    provenance
}

/// The provenance of a part, as JSON.
///
/// # Errors
/// It does not serialize.
pub fn provenance_of_part(
    fingerprint: &Map<String, Value>,
    input: &str,
    content: Option<&Content>,
    rows: [u64; 2],
) -> Result<String, serde_json::Error> {
    let mut provenance = provenance(fingerprint);
    let mut made_from = json!({"file": input, "rows": rows});
    let (key, content) = match content {
        Some(Content::Blake3(hash)) => ("blake3", json!(hash)),
        Some(Content::Tag(tag)) => ("etag", json!(tag)),
        None => ("blake3", Value::Null),
    };
    made_from[key] = content;
    provenance.insert("input".to_owned(), made_from);
    serde_json::to_string(&provenance)
}

/// What a fingerprint or a provenance says of the values, in the words of this version and of the fingerprint that
/// it is held against. Until 0.3.0 all named the libtorch of their program, and where it now has no part, last digits
/// were its own; in less than float32 it is more than those.
pub fn present(stated: &Map<String, Value>, now: &Map<String, Value>) -> Map<String, Value> {
    let mut stated = stated.clone();
    if stated.contains_key(NUMERICS) {
        stated.remove(WRITER);
    } else if stated.get(WRITER).is_some_and(|writer| writer == BEFORE_NUMERICS) {
        stated.remove(WRITER);
        stated.insert(NUMERICS.to_owned(), json!(1));
    }
    if !now.contains_key(LIBTORCH) && stated.get("compute").is_some_and(|compute| compute == "float32") {
        stated.remove(LIBTORCH);
    }
    stated
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stated(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn a_libtorch_that_no_longer_has_a_part_counts_in_less_than_float32_alone() {
        let before = |compute: &str| stated(json!({"numerics": 1, "compute": compute, "libtorch": "2.9.0"}));
        let without = |compute: &str| stated(json!({"numerics": 1, "compute": compute}));
        assert_eq!(present(&before("float32"), &without("float32")), without("float32"));
        assert_eq!(present(&before("int8"), &without("int8")), before("int8"));
        for now in [json!("2.11.0"), Value::Null] {
            let mut with = without("float32");
            with.insert("libtorch".to_owned(), now);
            assert_eq!(present(&before("float32"), &with), before("float32"));
        }
    }
}
