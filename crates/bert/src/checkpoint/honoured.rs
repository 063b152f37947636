//! What a `config.json` may say: the family it is of, numbers that are numbers, and nothing that is not
//! computed here.

use std::path::Path;

use serde_json::{Map, Value};

use crate::checkpoint::families::{Family, Positions};
use crate::{Activation, Error};

/// The family that `model_type` names, or without it that of the classes in `architectures`.
pub(super) fn family(json: &Map<String, Value>, path: &Path) -> Result<&'static Family, Error> {
    let unsupported = |found: String| Error::Unsupported {
        path: path.to_owned(),
        key: "model_type",
        found,
        expected: Family::names().join(", "),
    };
    if let Some(found) = json.get("model_type").filter(|found| !found.is_null()) {
        return found.as_str().and_then(Family::named).ok_or_else(|| unsupported(found.to_string()));
    }
    let classes = json.get("architectures").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let families: Option<Vec<&Family>> =
        classes.iter().map(|class| class.as_str().and_then(Family::of_class)).collect();
    match families.as_deref() {
        Some([family, others @ ..]) if others.iter().all(|other| other == family) => {
            Family::named(family.model_type).ok_or_else(|| unsupported(family.model_type.to_owned()))
        }
        _ => {
            let classes = Value::from(classes);
            Err(unsupported(format!("not stated, nor told by architectures {classes}")))
        }
    }
}

/// Numbers of [`Config`](crate::Config) that must be whole.
const WHOLE: [&str; 9] = [
    "vocab_size",
    "hidden_size",
    "embedding_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
    "max_position_embeddings",
    "type_vocab_size",
    "pad_token_id",
];
const FRACTIONS: [&str; 2] = ["layer_norm_eps", "initializer_range"];

/// Refuses what transformers does not take for numbers either, such as `12.0`, `"12"` and `null`.
pub(super) fn check_numbers(json: &Map<String, Value>, family: &Family) -> Result<(), String> {
    let stated = |key| Some((family.key_in_file(key), json.get(key)?));
    // Without padding, only families that count positions from it have a problem.
    let may_be_null = |key| key == "pad_token_id" && family.positions != Positions::AfterPadding;
    for (key, value) in WHOLE.into_iter().filter_map(stated) {
        let is_fine = value.is_u64() || (value.is_null() && may_be_null(key));
        if !is_fine {
            return Err(format!("{key} is {value}, expected a whole number"));
        }
    }
    match FRACTIONS.into_iter().filter_map(stated).find(|(_, value)| !value.is_number()) {
        Some((key, value)) => Err(format!("{key} is {value}, expected a number")),
        None => Ok(()),
    }
}

/// Refuses positions that are not rows of a table, of a model that has one; of others the key says nothing.
pub(super) fn refuse_other_positions(stated: &Map<String, Value>, path: &Path) -> Result<(), Error> {
    const KEY: &str = "position_embedding_type";
    refuse_other(KEY, stated.get(KEY), &["absolute"], path)
}

fn refuse_other(
    key: &'static str,
    found: Option<&Value>,
    expected: &[&str],
    path: &Path,
) -> Result<(), Error> {
    match found {
        Some(found) if !found.as_str().is_some_and(|text| expected.contains(&text)) => {
            let (path, found, expected) = (path.to_owned(), found.to_string(), expected.join(", "));
            Err(Error::Unsupported { path, key, found, expected })
        }
        _ => Ok(()),
    }
}

/// Refuses by name what would otherwise be computed wrongly in silence: of what the file states, and of
/// the same under the keys of [`Config`](crate::Config).
pub(super) fn refuse_unsupported(
    stated: &Map<String, Value>,
    canonical: &Map<String, Value>,
    family: &Family,
    path: &Path,
) -> Result<(), Error> {
    let unsupported = |key: &'static str, found: &Value, expected: String| Error::Unsupported {
        path: path.to_owned(),
        key,
        found: found.to_string(),
        expected,
    };
    refuse_other(family.key_in_file("hidden_act"), canonical.get("hidden_act"), Activation::NAMES, path)?;
    if let Some(found) = stated.get("quantization_config") {
        let method = found.get("quant_method").unwrap_or(found);
        let expected = "none: the model before it was quantized".to_owned();
        return Err(unsupported("quantization_config", method, expected));
    }
    for &(key, granted) in family.granted {
        if let Some(found) = stated.get(key).filter(|found| found.as_u64() != Some(granted)) {
            let (path, found, expected) = (path.to_owned(), found.to_string(), granted.to_string());
            return Err(Error::Unsupported { path, key, found, expected });
        }
    }
    for key in ["is_decoder", "add_cross_attention", "is_encoder_decoder"] {
        if stated.get(key) == Some(&Value::Bool(true)) {
            return Err(Error::Unsupported {
                path: path.to_owned(),
                key,
                found: "true".to_owned(),
                expected: "false: only encoders have layer vectors here".to_owned(),
            });
        }
    }
    Ok(())
}
