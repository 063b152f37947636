//! The ways a pipeline file may write what is text on the command line.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

#[derive(Deserialize)]
#[serde(untagged, expecting = "expected text or a whole number, or a list of these")]
enum OneOrMany {
    One(Scalar),
    Many(Vec<Scalar>),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Scalar {
    Text(String),
    Number(i64),
}

impl OneOrMany {
    fn into_strings(self) -> Vec<String> {
        let many = match self {
            Self::One(one) => vec![one],
            Self::Many(many) => many,
        };
        many.into_iter()
            .map(|scalar| match scalar {
                Scalar::Text(text) => text,
                Scalar::Number(number) => number.to_string(),
            })
            .collect()
    }
}

/// `"a"` or `["a", "b"]`.
pub fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<String>>, D::Error> {
    Ok(Some(OneOrMany::deserialize(deserializer)?.into_strings()))
}

/// `"0,3,-1"`, `-1` or `[0, 3, -1]`: the text that the command line would have.
pub fn comma_list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Some(OneOrMany::deserialize(deserializer)?.into_strings().join(",")))
}

/// A table of names and texts, or what stands for it on the command line, `name=text`.
pub fn table_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<String>>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected a table such as zip = \"Utf8\"")]
    enum TableOrMany {
        Table(BTreeMap<String, String>),
        Many(OneOrMany),
    }
    Ok(Some(match TableOrMany::deserialize(deserializer)? {
        TableOrMany::Table(table) => table.into_iter().map(|(name, text)| format!("{name}={text}")).collect(),
        TableOrMany::Many(many) => many.into_strings(),
    }))
}

/// `true`, `false`, or the text that the command line would have.
pub fn yes_or_no<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected \"yes\" or \"no\"")]
    enum YesOrNo {
        Flag(bool),
        Text(String),
    }
    Ok(Some(match YesOrNo::deserialize(deserializer)? {
        YesOrNo::Flag(true) => "yes".to_owned(),
        YesOrNo::Flag(false) => "no".to_owned(),
        YesOrNo::Text(text) => text,
    }))
}
