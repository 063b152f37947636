//! What an output folder holds.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;
use serde_json::{Map, Value};
use strata_io::{Manifest, PartFile, SUCCESS_FILE, VectorSummary, is_vector};

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
    /// Names and types of the columns, in order.
    pub schema: Vec<(String, String)>,
    /// A summary of every vector column, by name.
    pub vectors: BTreeMap<String, Vectors>,
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
    pub fn take(folder: &Path) -> Result<Self, Error> {
        let manifest = manifest_of(folder)?;
        let (mut schema, mut summaries) = (Vec::new(), BTreeMap::new());
        for (index, name) in manifest.parts.keys().enumerate() {
            let part = PartFile::open(&folder.join(name))?;
            if index == 0 {
                let fields = part.schema.fields().iter();
                schema = fields.map(|field| (field.name().clone(), field.data_type().to_string())).collect();
            }
            summarize(&part, &mut summaries)?;
        }
        Ok(Self {
            folder: folder.display().to_string(),
            is_whole: folder.join(SUCCESS_FILE).exists(),
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
pub fn manifest_of(folder: &Path) -> Result<Manifest, Error> {
    Manifest::load(folder)?.ok_or_else(|| {
        Refusal::configuration(format!("{} holds no manifest.json", folder.display()))
            .hint("name a folder that `strata run` wrote")
            .into()
    })
}

fn summarize(part: &PartFile, summaries: &mut BTreeMap<String, VectorSummary>) -> Result<(), Error> {
    let vectors = part.schema.fields().iter().filter(|field| is_vector(field.data_type()));
    // Columns that were carried through may be vectors too, but are not ours to summarize.
    let is_own =
        |name: &str| name.starts_with("layer") || ["pooler_output", "sentence_embedding"].contains(&name);
    let own = vectors.filter(|field| is_own(field.name()));
    let names: Vec<String> = own.map(|field| field.name().clone()).collect();
    for batch in part.read(&names, 0..part.rows)? {
        let batch = batch?;
        for (name, column) in names.iter().zip(batch.columns()) {
            summaries.entry(name.clone()).or_default().update(column)?;
        }
    }
    Ok(())
}
