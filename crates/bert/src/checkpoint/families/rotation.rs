//! What configurations say of rotation, the old way or the new.

use serde_json::{Map, Value};

use crate::checkpoint::architecture::Refusal;

/// The base of rotation that some parameters state, if they state one and no scaling; `key` is where
/// they stand.
pub(super) fn base(key: &'static str, parameters: &Map<String, Value>) -> Result<Option<f64>, Refusal> {
    let is_plain = |(key, value): &(&String, &Value)| {
        key.as_str() == "rope_theta"
            || (["rope_type", "type"].contains(&key.as_str()) && **value == "default")
    };
    if let Some((parameter, value)) = parameters.iter().find(|parameter| !is_plain(parameter)) {
        return Err(Refusal::unsupported(
            key,
            format!("{parameter} {value}"),
            "rope_type default, no scaling",
        ));
    }
    let number = |value: &Value| {
        value.as_f64().ok_or_else(|| Refusal::unsupported(key, value, "a number as rope_theta"))
    };
    parameters.get("rope_theta").map(number).transpose()
}

/// The base, if rotation by it is possible in heads of this size.
pub(super) fn checked(base: f64, head_size: usize) -> Result<f64, Refusal> {
    if head_size % 2 == 1 {
        return Err(Refusal::Invalid(format!(
            "heads of {head_size} cannot be rotated, expected an even number"
        )));
    }
    if !(base.is_finite() && base > 0.0) {
        return Err(Refusal::Invalid(format!("rope_theta is {base}, expected a positive number")));
    }
    Ok(base)
}

/// Refuses heads that are not the hidden state's share.
pub(super) fn refuse_other_heads(head_dim: Option<usize>, head_size: usize) -> Result<(), Refusal> {
    match head_dim.filter(|&found| found != head_size) {
        Some(found) => Err(Refusal::unsupported("head_dim", found, head_size.to_string())),
        None => Ok(()),
    }
}
