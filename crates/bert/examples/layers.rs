//! How near two texts are to each other, layer by layer.
//!
//! `cargo run --release --workspace --example layers -- MODEL_FOLDER "one text" "another text"`
#![expect(clippy::print_stdout, reason = "an example that prints")]

use std::path::Path;

use strata_bert::{Checkpoint, Encoder, FeatureRequest};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, one, other] = arguments.as_slice() else {
        return Err("expected the folder of a model and two texts".into());
    };
    for (column, cosine) in cosines(folder.as_ref(), one, other)? {
        println!("{column}: {cosine:.3}");
    }
    Ok(())
}

/// The cosine of the two texts' vectors, for every column.
fn cosines(folder: &Path, one: &str, other: &str) -> Result<Vec<(String, f32)>, strata_bert::Error> {
    let checkpoint = Checkpoint::open(folder)?;
    let features = FeatureRequest { layers: "all".parse()?, normalize: true, ..FeatureRequest::default() };
    let encoder = Encoder::builder(&checkpoint).features(features).build()?;
    let vectors = encoder.encode(&[one.into(), other.into()])?;
    let columns = encoder.features().columns().iter().zip(vectors);
    Ok(columns
        .map(|(column, vectors)| {
            // The rows of a column follow each other, and each has length 1.
            let (one, other) = vectors.values.split_at(column.width());
            (column.name.clone(), one.iter().zip(other).map(|(a, b)| a * b).sum())
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_itself_in_every_layer_and_another_is_not() {
        let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/tiny-bert");
        let same = cosines(&model, "the cat", "the cat").unwrap();
        assert_eq!(same.len(), 5);
        assert!(same.iter().all(|(_, cosine)| (cosine - 1.0).abs() < 1e-5), "{same:?}");
        let other = cosines(&model, "the cat", "hello world").unwrap();
        assert!(other.iter().all(|(_, cosine)| *cosine < 0.999), "{other:?}");
    }
}
