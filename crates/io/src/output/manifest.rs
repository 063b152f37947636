//! What an output folder holds, and from what it was made.

use std::collections::BTreeMap;
use std::path::{Component, Path};

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::OutputFolder;
use crate::{Error, Store};

/// The version of the output's layout that this build writes.
pub const FORMAT_VERSION: u32 = 2;

/// The key under which the sums over all parts stand.
const TOTALS: &str = "totals";

/// The content of `manifest.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`FORMAT_VERSION`] at the time of writing.
    pub format_version: u32,
    /// The version of strata that last wrote the manifest.
    pub strata: String,
    /// Whatever decides the parts' values: settings, hashes of the model. Not interpreted here.
    pub fingerprint: Map<String, Value>,
    /// The input files, by [`Source::name`](crate::Source::name).
    pub inputs: BTreeMap<String, InputRecord>,
    /// The committed parts, by file name.
    pub parts: BTreeMap<String, PartRecord>,
    /// Input files that could not be read, with the reason.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub skipped: BTreeMap<String, String>,
    /// For people and scripts; the parts are what counts.
    #[serde(default, rename = "totals", skip_serializing)]
    _totals: IgnoredAny,
}

/// What every version of a manifest says.
#[derive(Deserialize)]
struct Stated {
    #[serde(default)]
    format_version: Value,
}

/// An input file as it was when its parts were made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "StatedInput")]
pub struct InputRecord {
    /// Its size in bytes.
    pub bytes: u64,
    /// When it was last modified, in nanoseconds since 1970 (UTC).
    pub modified_ns: u64,
    /// What tells its content from others.
    #[serde(flatten)]
    pub content: Content,
    /// Its number of rows.
    pub rows: u64,
}

/// An [`InputRecord`] key by key: of what is flattened, serde does not refuse unknown ones.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StatedInput {
    bytes: u64,
    modified_ns: u64,
    blake3: Option<String>,
    etag: Option<String>,
    rows: u64,
}

impl TryFrom<StatedInput> for InputRecord {
    type Error = &'static str;

    fn try_from(stated: StatedInput) -> Result<Self, &'static str> {
        let StatedInput { bytes, modified_ns, blake3, etag, rows } = stated;
        let content = match (blake3, etag) {
            (Some(hash), None) => Content::Blake3(hash),
            (None, Some(tag)) => Content::Tag(tag),
            _ => return Err("an input has one of `blake3` and `etag`"),
        };
        Ok(Self { bytes, modified_ns, content, rows })
    }
}

/// What tells the content of a file from others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Content {
    /// The BLAKE3 hash of its bytes, in hexadecimal.
    #[serde(rename = "blake3")]
    Blake3(String),
    /// What its store calls it, which is another for another content.
    #[serde(rename = "etag")]
    Tag(String),
}

/// A committed part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartRecord {
    /// The name of the input file.
    pub input: String,
    /// The rows of the input file it was made from: first, and one past the last.
    pub rows: [u64; 2],
    /// The rows it holds: one for each of the input, unless it holds their tokens, words or spans.
    pub output_rows: u64,
    /// Its size in bytes.
    pub bytes: u64,
    /// The BLAKE3 hash of its bytes, in hexadecimal.
    pub blake3: String,
    /// Whatever was counted while it was made. Not interpreted here.
    pub counts: Map<String, Value>,
    /// The name of its file, where it is another: in a store it says what is in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored_as: Option<String>,
}

impl PartRecord {
    /// The name of the file of the part `name`.
    pub fn file_name<'a>(&'a self, name: &'a str) -> &'a str {
        self.stored_as.as_deref().unwrap_or(name)
    }
}

impl Manifest {
    /// A manifest without inputs and parts.
    pub fn new(strata: impl Into<String>, fingerprint: Map<String, Value>) -> Self {
        Self {
            format_version: FORMAT_VERSION,
            strata: strata.into(),
            fingerprint,
            inputs: BTreeMap::new(),
            parts: BTreeMap::new(),
            skipped: BTreeMap::new(),
            _totals: IgnoredAny,
        }
    }

    /// Adds what records say, which is as new as what the manifest says of the same parts, or newer.
    pub(super) fn add(&mut self, records: &BTreeMap<String, PartRecord>) -> Result<(), Error> {
        self.parts.extend(records.iter().map(|(part, record)| (part.clone(), record.clone())));
        self.check_names()
    }

    /// Reads a file that is of this version.
    pub(super) fn read(store: &Store, path: &Path, version: u32) -> Result<Option<Self>, Error> {
        store.read(path)?.map(|bytes| Self::parse(path, &bytes, version)).transpose()
    }

    /// The content of a file that is of this version.
    pub(super) fn parse(path: &Path, bytes: &[u8], version: u32) -> Result<Self, Error> {
        let invalid = |error: serde_json::Error| Error::manifest(path, error);
        // Another version may have other fields: look at the version first.
        let stated: Stated = serde_json::from_slice(bytes).map_err(invalid)?;
        if let Some(found) = stated.format_version.as_u64()
            && found != u64::from(version)
        {
            return Err(Error::ManifestVersion { path: path.to_owned(), expected: version, found });
        }
        let manifest: Self = serde_json::from_slice(bytes).map_err(invalid)?;
        manifest.check_names()?;
        Ok(Self { format_version: FORMAT_VERSION, ..manifest })
    }

    /// Writes the manifest of an output folder, replacing it at once. Equal manifests give equal bytes.
    ///
    /// # Errors
    /// [`Error::ManifestName`]; [`Error::Io`] if it cannot be written.
    pub fn save(&self, folder: &OutputFolder) -> Result<(), Error> {
        folder.write(&folder.manifest(), &self.to_bytes(folder)?)
    }

    /// The content of its file.
    pub(super) fn to_bytes(&self, folder: &OutputFolder) -> Result<Vec<u8>, Error> {
        self.check_names()?;
        let path = folder.manifest();
        // Through a value, whose keys are sorted at every depth.
        let with_totals = |mut json: Value| {
            json[TOTALS] = self.totals();
            serde_json::to_string_pretty(&json)
        };
        let json = serde_json::to_value(self)
            .and_then(with_totals)
            .map_err(|error| Error::manifest(&path, error))?;
        Ok(format!("{json}\n").into_bytes())
    }

    fn totals(&self) -> Value {
        let rows = self.parts.values().fold(0, |rows: u64, part| rows.saturating_add(part.output_rows));
        let bytes = self.parts.values().fold(0, |bytes: u64, part| bytes.saturating_add(part.bytes));
        json!({"inputs": self.inputs.len(), "parts": self.parts.len(), "rows": rows, "bytes": bytes})
    }

    /// Names become paths: none may lead out of the folder.
    fn check_names(&self) -> Result<(), Error> {
        let bad = |what, name: &String| Err(Error::ManifestName { what, name: name.clone() });
        let stored = self.parts.values().filter_map(|part| part.stored_as.as_ref());
        if let Some(name) = self.parts.keys().chain(stored).find(|name| !is_file_name(name)) {
            return bad("file name", name);
        }
        let inputs =
            self.inputs.keys().chain(self.skipped.keys()).chain(self.parts.values().map(|part| &part.input));
        match inputs.into_iter().find(|name| !is_relative_path(name)) {
            Some(name) => bad("relative path", name),
            None => Ok(()),
        }
    }
}

fn is_file_name(name: &str) -> bool {
    is_relative_path(name) && !name.contains(['/', '\\'])
}

fn is_relative_path(name: &str) -> bool {
    let normal = |component| matches!(component, Component::Normal(_));
    !name.is_empty() && !name.contains('\0') && Path::new(name).components().all(normal)
}
