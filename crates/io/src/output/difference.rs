//! In what two fingerprints differ.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::{Map, Value};

/// One key in which two fingerprints differ.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// The key; keys of nested objects are joined by dots.
    pub key: String,
    /// The earlier value, if there was one.
    pub then: Option<Value>,
    /// The present value, if there is one.
    pub now: Option<Value>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |value: &Option<Value>| match value {
            Some(value) => value.to_string(),
            None => "absent".to_owned(),
        };
        write!(f, "{} was {}, is now {}", self.key, text(&self.then), text(&self.now))
    }
}

/// The keys in which two fingerprints differ, sorted.
pub fn differences(then: &Map<String, Value>, now: &Map<String, Value>) -> Vec<Difference> {
    let (then, now) = (flatten(then), flatten(now));
    let keys: BTreeSet<&String> = then.keys().chain(now.keys()).collect();
    keys.into_iter()
        .filter(|&key| then.get(key) != now.get(key))
        .map(|key| Difference {
            key: key.clone(),
            then: then.get(key).map(|&value| value.clone()),
            now: now.get(key).map(|&value| value.clone()),
        })
        .collect()
}

/// The leaves of nested objects, by their dotted keys.
fn flatten(object: &Map<String, Value>) -> BTreeMap<String, &Value> {
    let mut leaves = BTreeMap::new();
    for (key, value) in object {
        match value {
            Value::Object(inner) if !inner.is_empty() => {
                let inner = flatten(inner).into_iter();
                leaves.extend(inner.map(|(rest, value)| (format!("{key}.{rest}"), value)));
            }
            _ => {
                leaves.insert(key.clone(), value);
            }
        }
    }
    leaves
}
