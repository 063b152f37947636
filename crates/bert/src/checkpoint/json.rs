//! JSON as Python writes it: `NaN`, `Infinity` and `-Infinity` may stand where a number does.

use std::borrow::Cow;

use serde_json::{Map, Value};

/// Such numbers, which JSON does not have.
const SPECIAL: [&str; 3] = ["NaN", "Infinity", "-Infinity"];
const BYTE_ORDER_MARK: char = '\u{feff}';

/// Reads an object. Numbers that JSON does not have become texts, so that who wants a number refuses them
/// and nobody else minds.
///
/// # Errors
/// What Python's `json` would not read either, said in words.
pub(crate) fn object(text: &str) -> Result<Map<String, Value>, String> {
    if text.starts_with(BYTE_ORDER_MARK) {
        return Err("it begins with a byte order mark, which JSON does not have".to_owned());
    }
    serde_json::from_str(&quoted(text)).map_err(|error| error.to_string())
}

/// The same with texts for numbers that JSON does not have.
pub(crate) fn quoted(text: &str) -> Cow<'_, str> {
    if !SPECIAL.iter().any(|special| text.contains(special)) {
        return text.into();
    }
    let (mut quoted, mut in_text, mut rest) = (String::with_capacity(text.len() + 8), false, text);
    while let Some(first) = rest.chars().next() {
        let special = SPECIAL.into_iter().find(|special| !in_text && rest.starts_with(special));
        let taken = match (special, first) {
            (Some(special), _) => special.len(),
            // What follows a backslash ends no text.
            (None, '\\') => rest.chars().take(2).map(char::len_utf8).sum(),
            (None, first) => first.len_utf8(),
        };
        in_text ^= first == '"';
        let (taken, left) = rest.split_at(taken);
        match special {
            Some(special) => quoted.extend(["\"", special, "\""]),
            None => quoted.push_str(taken),
        }
        rest = left;
    }
    quoted.into()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_that_json_lacks_become_texts_and_texts_stay() {
        let text = r#"{"a": NaN, "b": [-Infinity, Infinity], "NaN": "a \"NaN\" \\", "c": 1}"#;
        let expected = json!({"a": "NaN", "b": ["-Infinity", "Infinity"], "NaN": "a \"NaN\" \\", "c": 1});
        assert_eq!(Value::from(object(text).unwrap()), expected);
        for broken in ["{\"a\": NaNNaN}", "{NaN: 1}x", "\u{feff}{}", "{\"a\": nan}", "[NaN]", "NaN", "{\"\\"]
        {
            assert!(object(broken).is_err(), "{broken}");
        }
    }
}
