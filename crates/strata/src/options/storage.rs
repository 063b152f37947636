//! What is said of stores, in one table: keys of the options that their client knows.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use clap::Args;
use serde::{Deserialize, Serialize};
use strata_featurize::Refusal;
use strata_io::{StorageOptions, Stores};

/// What is said of stores.
#[derive(Clone, Default, Args, Serialize, Deserialize)]
#[serde(from = "BTreeMap<String, Scalar>", into = "BTreeMap<String, String>")]
#[command(next_help_heading = "Storage")]
pub struct Storage {
    /// How stores are reached, where the environment does not say it, by the names that the object_store crate
    /// has: aws_region=eu-west-1, endpoint=…, allow_http=true, retry_timeout=SECONDS; may stand more than once.
    #[arg(id = "storage.KEY", long = "storage-option", value_name = "KEY=VALUE")]
    options: Vec<Pair>,
}

impl Storage {
    /// Stores that are reached so.
    ///
    /// # Errors
    /// An option is no pair.
    pub fn stores(&self) -> Result<Stores, Refusal> {
        if self.options.iter().any(|Pair(key, _)| key.is_empty()) {
            // What was given is not repeated: it may be a secret.
            return Err(
                Refusal::usage("a --storage-option is not KEY=VALUE").hint("such as aws_region=eu-west-1")
            );
        }
        let options = self.options.iter().map(|Pair(key, value)| (key.clone(), value.clone()));
        Ok(Stores::new(StorageOptions::new(options)))
    }
}

impl fmt::Debug for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Values may be secrets.
        f.debug_list().entries(self.options.iter().map(|Pair(key, _)| key)).finish()
    }
}

#[derive(Clone)]
struct Pair(String, String);

impl FromStr for Pair {
    type Err = Infallible;

    /// Takes anything: clap would print what is refused.
    fn from_str(text: &str) -> Result<Self, Infallible> {
        let (key, value) = text.split_once('=').unwrap_or(("", text));
        Ok(Self(key.to_owned(), value.to_owned()))
    }
}

/// A value of TOML: `allow_http = true` means what `allow_http = "true"` does.
#[derive(Deserialize)]
#[serde(untagged)]
enum Scalar {
    Text(String),
    Switch(bool),
    Number(i64),
}

impl From<BTreeMap<String, Scalar>> for Storage {
    fn from(table: BTreeMap<String, Scalar>) -> Self {
        let text = |value| match value {
            Scalar::Text(text) => text,
            Scalar::Switch(switch) => switch.to_string(),
            Scalar::Number(number) => number.to_string(),
        };
        Self { options: table.into_iter().map(|(key, value)| Pair(key, text(value))).collect() }
    }
}

impl From<Storage> for BTreeMap<String, String> {
    fn from(storage: Storage) -> Self {
        // The last of several wins.
        storage.options.into_iter().map(|Pair(key, value)| (key, value)).collect()
    }
}
