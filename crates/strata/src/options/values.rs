//! The values of options that are neither numbers nor names nor choices, as they are written on the command
//! line and in TOML.

use std::fmt;
use std::str::FromStr;

use clap::builder::{PossibleValuesParser, RangedU64ValueParser, TypedValueParser};
use encoding_rs::Encoding;
use serde::de::{DeserializeOwned, Error as _, IntoDeserializer};
use serde::{Deserialize, Deserializer};
use serde_with::{DeserializeFromStr, SerializeDisplay};
use strata_featurize::text_formats::FORMATS;
use strata_io::{ColumnType, Format};
use strum::{Display, EnumString, VariantNames};

/// Whole numbers as TOML can hold them, by way of which options go.
pub fn whole_number<T: TryFrom<u64> + Clone + Send + Sync>() -> RangedU64ValueParser<T> {
    RangedU64ValueParser::new().range(..=i64::MAX as u64)
}

/// What every input is, whatever its extension.
#[derive(Debug, Clone, Copy, DeserializeFromStr, SerializeDisplay)]
pub struct InputFormat(pub Format);

impl InputFormat {
    /// Takes one of the names.
    pub fn parser() -> impl TypedValueParser<Value = Self> {
        PossibleValuesParser::new(FORMATS.map(|(name, _)| name)).try_map(|name| name.parse::<Self>())
    }
}

impl FromStr for InputFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = FORMATS.iter().find(|(name, _)| *name == text).map(|(_, format)| Self(*format));
        found.ok_or_else(|| {
            let names = FORMATS.map(|(name, _)| name).join(", ");
            format!("`{text}` is not a format; expected one of {names}")
        })
    }
}

impl fmt::Display for InputFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(FORMATS.iter().find(|(_, format)| *format == self.0).map_or("arrow", |(name, _)| name))
    }
}

/// How text files are encoded.
#[derive(Debug, Clone, Copy, DeserializeFromStr, SerializeDisplay)]
pub struct Charset(pub &'static Encoding);

impl FromStr for Charset {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        // Web pages that say so mean windows-1252; elsewhere it has no bytes beyond 127, and those that it has are UTF-8.
        if ["ascii", "us-ascii"].contains(&name.to_lowercase().as_str()) {
            return Err(format!("`{name}` is part of utf-8, which is what files are read as; leave it out"));
        }
        Encoding::for_label(name.as_bytes()).map(Self).ok_or_else(|| {
            format!(
                "`{name}` is no encoding; expected one such as utf-8, latin1, windows-1251, shift_jis or utf-16"
            )
        })
    }
}

impl fmt::Display for Charset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name())
    }
}

/// What stands between fields of CSV.
#[derive(Debug, Clone, Copy, DeserializeFromStr, SerializeDisplay)]
pub struct Delimiter(pub u8);

impl FromStr for Delimiter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "tab" | "\\t" => Ok(Self(b'\t')),
            text => character(text, "tab").map(Self),
        }
    }
}

impl fmt::Display for Delimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            b'\t' => f.write_str("tab"),
            byte => write!(f, "{}", char::from(byte)),
        }
    }
}

/// What stands around fields of CSV, or before characters in them; or that nothing does.
#[derive(Debug, Clone, Copy, DeserializeFromStr, SerializeDisplay)]
pub struct Quote(pub Option<u8>);

impl FromStr for Quote {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "none" => Ok(Self(None)),
            text => character(text, "none").map(|byte| Self(Some(byte))),
        }
    }
}

impl fmt::Display for Quote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => f.write_str("none"),
            Some(byte) => write!(f, "{}", char::from(byte)),
        }
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

/// `zip=Utf8`: the type of a column.
#[derive(Debug, Clone, DeserializeFromStr, SerializeDisplay)]
pub struct TypedColumn {
    pub name: String,
    pub data_type: ColumnType,
}

impl FromStr for TypedColumn {
    type Err = String;

    /// The name ends at the last `=`, which hardly any type has.
    fn from_str(entry: &str) -> Result<Self, String> {
        let (column, data_type) =
            entry.rsplit_once('=').filter(|(column, _)| !column.is_empty()).ok_or_else(|| {
                format!("`{entry}` is no type of a column; expected COLUMN=TYPE, such as zip=Utf8")
            })?;
        Self::new(column.to_owned(), data_type)
    }
}

impl TypedColumn {
    fn new(name: String, text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(data_type) => Ok(Self { name, data_type }),
            Err(_) => Err(format!(
                "`{text}` of column `{name}` is not a type; expected one such as Utf8, Int64, Float64, \
                 Boolean, Date32, Timestamp(ms), List(Utf8) or Json"
            )),
        }
    }
}

impl fmt::Display for TypedColumn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.name, self.data_type)
    }
}

/// A table of names and types, or what stands for it on the command line.
pub fn table_or_list<'de, D: Deserializer<'de>>(source: D) -> Result<Option<Vec<TypedColumn>>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected a table such as zip = \"Utf8\"")]
    enum TableOrList {
        Table(std::collections::BTreeMap<String, String>),
        List(Vec<String>),
        One(String),
    }
    let entries: Result<Vec<TypedColumn>, String> = match TableOrList::deserialize(source)? {
        TableOrList::Table(table) => {
            table.into_iter().map(|(name, data_type)| TypedColumn::new(name, &data_type)).collect()
        }
        TableOrList::List(list) => list.iter().map(|entry| entry.parse()).collect(),
        TableOrList::One(entry) => entry.parse().map(|entry| vec![entry]),
    };
    entries.map(Some).map_err(D::Error::custom)
}

/// A list of names, or the text that stands for it on the command line, where commas divide names.
pub fn list_or_text<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    source: D,
) -> Result<Option<Vec<T>>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected a list of names, or one text")]
    enum ListOrText {
        List(Vec<String>),
        Text(String),
    }
    let names = match ListOrText::deserialize(source)? {
        ListOrText::List(names) => names,
        ListOrText::Text(text) => text.split(',').map(|name| name.trim().to_owned()).collect(),
    };
    names.into_iter().map(|name| T::deserialize(name.into_deserializer())).collect::<Result<_, _>>().map(Some)
}

/// Whether special tokens count.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, EnumString, Display, VariantNames, DeserializeFromStr, SerializeDisplay,
)]
#[strum(serialize_all = "snake_case")]
pub enum SpecialTokens {
    Include,
    Exclude,
}

/// Yes, or no. A pipeline file may also say `true` and `false`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, Display, VariantNames, SerializeDisplay)]
#[strum(serialize_all = "snake_case")]
pub enum YesOrNo {
    Yes,
    No,
}

impl<'de> Deserialize<'de> for YesOrNo {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "expected \"yes\" or \"no\"")]
        enum Written {
            Flag(bool),
            Text(String),
        }
        match Written::deserialize(source)? {
            Written::Flag(true) => Ok(Self::Yes),
            Written::Flag(false) => Ok(Self::No),
            Written::Text(text) => text
                .parse()
                .map_err(|_| D::Error::custom(format!("`{text}` is not a choice; expected yes or no"))),
        }
    }
}

/// `I/N`: every Nth part, beginning with part I.
#[derive(Debug, Clone, Copy, DeserializeFromStr, SerializeDisplay)]
pub struct Shard {
    pub index: u32,
    pub count: u32,
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text
            .split_once('/')
            .and_then(|(index, count)| Some(Self { index: index.parse().ok()?, count: count.parse().ok()? }));
        numbers
            .filter(|Self { index, count }| index < count)
            .ok_or_else(|| format!("`{text}` is not a shard; expected I/N with I from 0 to N-1, such as 0/4"))
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}
