//! What an output folder holds.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;
use serde_json::{Map, Value};
use strata_io::{Manifest, OutputFolder, PartFile, Stores, VectorSummary, is_vector};

use crate::Error;
use crate::error::Refusal;

/// What an output folder holds.
#[derive(Debug, Serialize)]
pub struct Inspection {
    /// The folder, as it was named.
    pub folder: String,
    /// Whether every part is there.
    pub is_whole: bool,
    /// Rows of all parts.
    pub rows: u64,
    /// Parts.
    pub parts: usize,
    /// Input files they were made from.
    pub files: usize,
    /// Bytes of all parts.
    pub bytes: u64,
    /// What decides the values of the parts.
    pub provenance: Map<String, Value>,
    /// The columns, in order.
    pub schema: Vec<OutputColumn>,
    /// A summary of every vector column, by name.
    pub vectors: BTreeMap<String, Vectors>,
}

/// A column of an output.
#[derive(Debug, Serialize)]
pub struct OutputColumn {
    /// Its name.
    pub name: String,
    /// Its Arrow type, as `--schema` takes it.
    #[serde(rename = "type")]
    pub data_type: String,
}

/// Figures about the vectors of a column.
#[derive(Debug, Serialize)]
pub struct Vectors {
    /// The shape of one row: `[n]`, or `[k, n]` for `k` vectors a row.
    pub shape: Vec<usize>,
    /// The mean Euclidean length; none if there is no vector.
    pub mean_norm: Option<f64>,
    /// The smallest finite value.
    pub min: Option<f32>,
    /// The largest finite value.
    pub max: Option<f32>,
    /// Rows without a vector.
    pub nulls: u64,
    /// Values that are infinite or not a number.
    pub non_finite: u64,
}

impl From<VectorSummary> for Vectors {
    fn from(summary: VectorSummary) -> Self {
        let mean_norm = summary.mean_norm();
        let VectorSummary { shape, min, max, nulls, non_finite, .. } = summary;
        Self { shape, mean_norm, min, max, nulls, non_finite }
    }
}

impl Inspection {
    /// Reads all parts of the output in `folder`.
    ///
    /// # Errors
    /// The folder is no output of strata, or a part cannot be read.
    pub fn take(folder: &Path, stores: &Stores) -> Result<Self, Error> {
        let folder = &OutputFolder::at(folder, stores)?;
        let manifest = manifest_of(folder)?;
        let (mut schema, mut summaries) = (Vec::new(), BTreeMap::new());
        let on_null = manifest.fingerprint.get("settings").and_then(|settings| settings.get("on_null"));
        let nan_is_null = on_null.is_some_and(|on_null| on_null == "nan");
        for (index, (name, record)) in manifest.parts.iter().enumerate() {
            let part = PartFile::open_in(folder.store(), &folder.find_part(record.file_name(name)))?;
            if index == 0 {
                let columns = part.schema.fields().iter().map(|field| OutputColumn {
                    name: field.name().clone(),
                    data_type: field.data_type().to_string(),
                });
                schema = columns.collect();
            }
            summarize(&part, nan_is_null, &mut summaries)?;
        }
        Ok(Self {
            folder: folder.root().display().to_string(),
            is_whole: folder.is_whole()?,
            rows: manifest.parts.values().map(|part| part.output_rows).sum(),
            parts: manifest.parts.len(),
            files: manifest.inputs.len(),
            bytes: manifest.parts.values().map(|part| part.bytes).sum(),
            provenance: manifest.fingerprint,
            schema,
            vectors: summaries.into_iter().map(|(name, summary)| (name, summary.into())).collect(),
        })
    }
}

/// The manifest of an output.
///
/// # Errors
/// There is none, or none that can be understood.
pub fn manifest_of(folder: &OutputFolder) -> Result<Manifest, Error> {
    Manifest::load(folder)?.ok_or_else(|| {
        Refusal::configuration(format!("{} holds no output of strata", folder.root().display()))
            .hint("name a folder that `strata run` wrote")
            .into()
    })
}

fn summarize(
    part: &PartFile,
    nan_is_null: bool,
    summaries: &mut BTreeMap<String, VectorSummary>,
) -> Result<(), Error> {
    let vectors = part.schema.fields().iter().filter(|field| is_vector(field.data_type()));
    // Columns that were carried through may be vectors too, but are not ours to summarize.
    let is_of_layers = |name: &str| {
        let number = ["layer_", "layers_"].iter().find_map(|before| name.strip_prefix(before));
        number.is_some_and(|number| number.starts_with(|first: char| first.is_ascii_digit()))
    };
    let is_own = |name: &str| is_of_layers(name) || ["pooler_output", "sentence_embedding"].contains(&name);
    let own = vectors.filter(|field| is_own(field.name()));
    let names: Vec<String> = own.map(|field| field.name().clone()).collect();
    for batch in part.read(&names, 0..part.rows)? {
        let batch = batch?;
        for (name, column) in names.iter().zip(batch.columns()) {
            let summary = summaries.entry(name.clone()).or_default();
            summary.nan_is_null = nan_is_null;
            summary.update(column)?;
        }
    }
    Ok(())
}
